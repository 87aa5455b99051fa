"""Phases and colours: the same however the bytes are cut."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.phases import PhaseReader
from hookrunner.core.terminal import TerminalFilter
from hookrunner.model import Stream

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def titles(data, cuts=()):
    reader = PhaseReader()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    for start, end in zip(places, places[1:], strict=False):  # noqa: RUF007 - reads better
        reader.feed(Stream.stdout, data[start:end], NOW)
    return [phase.title for phase in reader.phases]


lines = st.sampled_from(
    [
        b">> Fetching\n",
        b"From x\n",
        b"\x1b[1m>> Bold\x1b[0m\n",
        b" >> no\n",
        b">> \n",
        b">>no\n",
        b"a > b >> c\n",
        b">\x1b[1m> Split\n",
        b"\n",
    ]
)


@given(data=st.lists(lines).map(b"".join), cuts=st.sets(st.integers(0, 200)))
def test_phases_are_the_same_however_the_bytes_are_cut(data, cuts):
    assert titles(data, cuts) == titles(data)


def test_a_phase_is_a_line_that_starts_with_two_brackets():
    assert titles(
        b">> Fetching latest\nFrom x\n\x1b[1m>> Bold\x1b[0m\n >> no\n>>no\n>> open"
    ) == [
        "Fetching latest",
        "Bold",
    ]


def test_a_phase_lasts_until_the_next_or_the_end():
    reader = PhaseReader()
    reader.feed(Stream.stdout, b">> One\n", NOW)
    reader.feed(Stream.stderr, b">> Two\n", NOW + timedelta(seconds=2))

    phases = reader.end(NOW + timedelta(seconds=5))

    assert [(phase.title, phase.seconds) for phase in phases] == [("One", 2.0), ("Two", 3.0)]


def clean(data, cuts=()):
    terminal = TerminalFilter()
    places = [0, *sorted(cut for cut in cuts if cut < len(data)), len(data)]
    shown = [
        terminal.feed(data[start:end])
        for start, end in zip(places, places[1:], strict=False)  # noqa: RUF007
    ]
    return "".join(shown) + terminal.rest()


evil = st.sampled_from(
    [
        *(
            b"\x1b[31mred\x1b[0m",
            b"\x1b]0;title\x07",
            b"\x1b[2J",
            b"\x1b[6n",
            b"\x1bc",
            b"\x1b",
        ),
        *(b"50%\r", b"\r\n", b"plain\n", "ü🐄".encode(), b"\xff", b"\x9b31m", b"\x07"),
        b"\x1b]8;;http://x\x1b\\",
    ]
)


@given(data=st.lists(evil, max_size=8).map(b"".join), cuts=st.sets(st.integers(0, 80)))
def test_of_control_sequences_only_colours_are_shown_however_they_are_cut(data, cuts):
    shown = clean(data, cuts)

    assert shown == clean(data)
    bare = shown.replace("\x1b[31m", "").replace("\x1b[0m", "").replace("\n", "")
    assert all(char.isprintable() for char in bare), repr(shown)


def test_colours_lines_and_text_stay():
    assert clean(b"\x1b[31mred\x1b[0m\n50%\r100%\r\nok \xc3\xbc\n") == (
        "\x1b[31mred\x1b[0m\n50%\n100%\nok ü\n"
    )


def test_a_long_coloured_title_is_the_same_however_it_is_cut():
    line = b">> " + b"\x1b[1m" * 120 + b"Title" + b"x" * 400 + b"\n"

    assert {tuple(titles(line, [cut])) for cut in range(0, len(line), 37)} == {
        tuple(titles(line))
    }
