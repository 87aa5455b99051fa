import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.cli.terminal import TerminalFilter, ago, cell, safe

SGR = re.compile(r"\x1b\[[0-9;:]*m")
texts = st.text(
    st.sampled_from("\x1b[]0;31mKH?\r\n\t\x07\x08\x9b\x90\x7f\u202e\u2066\u2028\ud800ab")
    | st.characters()
)


@given(texts)
def test_no_control_but_colours_and_line_ends_gets_through(text):
    left = SGR.sub("", safe(text))

    assert not [c for c in left if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"]
    assert not set(left) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(texts)
def test_colours_end_with_their_line(text):
    for line in safe(text).split("\n"):
        found = SGR.findall(line)
        assert not found or found[-1] in {"\x1b[0m", "\x1b[m"}


@given(texts)
def test_a_cell_is_one_line_without_any_control(text):
    assert not [c for c in cell(text) if unicodedata.category(c) in {"Cc", "Cs"}]


@given(texts, st.lists(st.integers(0, 30), max_size=8))
def test_the_result_is_the_same_however_the_text_is_cut(text, cuts):
    terminal = TerminalFilter(colour=True)
    parts, rest = [], text
    for cut in cuts:
        parts.append(terminal.feed(rest[:cut]))
        rest = rest[cut:]
    parts += [terminal.feed(rest), terminal.close()]

    whole = TerminalFilter(colour=True)
    assert "".join(parts) == whole.feed(text) + whole.close()


@given(text=texts)
def test_the_hook_filters_alike(post_receive, text):
    terminal = TerminalFilter(colour=True)

    assert post_receive.safe(text) == terminal.feed(text) + terminal.close()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain ünï 🐄\n", "plain ünï 🐄\n"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
        ("\x1b[31mred\nnext", "\x1b[31mred\x1b[0m\nnext"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x1b[2J\x1b[H", "\\x1b[2J\\x1b[H"),
        ("\x1b]8;;http://evil\x1b\\here", "\\x1b]8;;http://evil\\x1b\\here"),
        ("50%\r100%\r\n", "50%\n100%\n"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202etxt", "\\u202etxt"),
        ("\x1b[31", "\\x1b[31"),
    ],
)
def test_examples(text, expected):
    assert safe(text) == expected


def test_no_color_drops_colours(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    assert safe("\x1b[31mred\x1b[0m") == "red"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.2, "just now"), (5.9, "5s ago"), (60, "1m ago"), (7300, "2h ago"), (200_000, "2d ago")],
)
def test_ago_has_one_unit(seconds, expected):
    now = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    then = now - timedelta(seconds=seconds)

    assert ago(then.isoformat(), now) == expected


@pytest.mark.parametrize("text", [None, "", "yesterday"])
def test_ago_of_no_time_is_empty(text):
    assert ago(text, datetime.now(UTC)) == ""


ROWS = """
from hookrunner.cli.terminal import table
table(("RUN", "WHEN", "WHAT", "WHY"), [
    ("01m87wvt0cy4nmt0abmap3bmen", "7s ago", "ops/www", "a reason that is as long as a line"),
    ("01m87wvk2xsnnwszp39a99khyc", "9s ago", "ops/ldap", ""),
])
"""


@pytest.mark.process
@pytest.mark.parametrize(("columns", "is_table"), [(120, True), (76, True), (60, False)])
def test_a_table_breaks_no_id_however_narrow_the_terminal(columns, is_table):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, columns, 0, 0))
    environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "LINES"}}
    done = subprocess.run(
        [sys.executable, "-c", ROWS],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment | {"TERM": "xterm-256color"},
        timeout=60,
        check=True,
    )
    os.close(theirs)
    said = SGR.sub("", os.read(ours, 1 << 16).decode())
    os.close(ours)

    lines = [line.rstrip() for line in said.splitlines()]
    assert done.returncode == 0
    assert "01m87wvt0cy4nmt0abmap3bmen" in said
    assert max(map(len, lines)) <= columns
    assert len([line for line in lines if "WHEN" in line]) == (1 if is_table else 2)
    assert len([line for line in lines if "WHY" in line]) == 1
