"""Nothing but colours reaches a terminal, however the bytes were cut."""

import itertools
import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from hookrunner.core.terminal import TerminalFilter

COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
FORBIDDEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
letters = st.sampled_from(list(b"\x1b\x1b\x1b[]PX^_\\0;:?m JhHc\x07\r\n\t\x9b\x9d\xc2\xffa"))
raw = st.lists(letters, max_size=40).map(bytes) | st.binary(max_size=40)


def shown(data, cuts=()):
    terminal = TerminalFilter()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    parts = [terminal.feed(data[a:b]) for a, b in itertools.pairwise(places)]
    return "".join(parts) + terminal.rest()


@settings(max_examples=4 * settings().max_examples)
@given(raw, st.sets(st.integers(0, 40)))
@example(b"\x1b]0;a\x1b[31mb\x07c", {5, 8})
@example(b"\x1b]0;a\x1b\\b", {6})
@example(b"\x1b\x1b][m\x1b\x1b", {0, 1, 2})
@example("\u202e".encode(), {1, 2})
@example("\u061c\u200e\u200f".encode(), set())
def test_any_bytes_are_the_same_however_cut_and_hold_no_control_but_colours(data, cuts):
    text = shown(data, cuts)

    assert text == shown(data)
    assert not FORBIDDEN.search(COLOUR.sub("", text)), repr(text)


@given(raw)
def test_what_is_clean_stays_as_it_is(data):
    text = shown(data)

    assert shown(text.encode()) == text


def test_titles_links_and_questions_are_gone():
    evil = b"a\x1b]0;owned\x07b\x1b]8;;http://x\x1b\\c\x1b[6nd\x1bce\x1bP+q\x1b\\f\x1b[2Jg"

    assert shown(evil) == "abcdefg"


def test_a_sequence_without_an_end_is_not_waited_for_for_ever():
    terminal = TerminalFilter()
    told = terminal.feed(b"\x1b]0;" + b"x" * 10_000)

    assert "\x1b" not in told + terminal.rest()
    assert len(told) > 5_000


def test_a_line_is_shown_as_soon_as_it_is_there():
    assert TerminalFilter().feed(b"\x1b[32mok\x1b[0m\n") == "\x1b[32mok\x1b[0m\n"
