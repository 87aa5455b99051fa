"""Frames and events out of bytes, however they are cut."""

import struct
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.adapters.engine.events import MAX_LINE, EventParser
from hookrunner.adapters.engine.stream import MAX_FRAME, FrameParser
from hookrunner.errors import (
    EngineError,
)
from hookrunner.model import EngineEvent, Stream

FRAMES = st.lists(st.tuples(st.sampled_from(list(Stream)), st.binary(max_size=40)), max_size=6)


TAILS = st.sampled_from([b"", b"\x03", b"\x07\0\0\0\0\0\0\1x", b"\x01\0\0\0\xff\0\0\0x"])


def cut(data, places):
    places = sorted({min(place, len(data)) for place in places})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def demultiplex(pieces):
    """Give the output, joined where the stream is the same, the state at the end, the error."""
    parser = FrameParser()
    chunks = []
    error = None
    try:
        for piece in pieces:
            chunks.extend(parser.feed(piece))
    except EngineError as caught:
        error = str(caught)
    assert all(chunk.data for chunk in chunks)
    groups = groupby(chunks, key=lambda chunk: chunk.stream)
    joined = [(stream, b"".join(chunk.data for chunk in group)) for stream, group in groups]
    return joined, parser.is_inside_frame, error


@given(FRAMES, TAILS, st.lists(st.integers(0, 400)))
def test_frames_are_the_same_however_the_bytes_are_cut(frame, frames, tail, places):
    data = b"".join(frame(*each) for each in frames) + tail

    whole = demultiplex([data])

    assert demultiplex(cut(data, places)) == whole
    assert demultiplex([data[i : i + 1] for i in range(len(data))]) == whole
    expected = groupby([each for each in frames if each[1]], key=lambda each: each[0])
    assert whole[0] == [(stream, b"".join(e[1] for e in group)) for stream, group in expected]
    assert whole[1] == bool(tail)


def test_a_big_frame_comes_in_pieces_and_is_not_kept(frame):
    parser = FrameParser()
    header = frame(Stream.stdout, b"")[:4] + struct.pack(">L", MAX_FRAME)

    assert list(parser.feed(header)) == []
    assert [chunk.data for chunk in parser.feed(b"abc")] == [b"abc"]
    assert parser.is_inside_frame


@pytest.mark.parametrize("kind", [0, 3, 4, 72])
def test_a_frame_of_an_unknown_kind_is_refused(kind):
    with pytest.raises(EngineError, match=f"unknown kind {kind}"):
        list(FrameParser().feed(struct.pack(">BxxxL", kind, 1)))


def test_a_frame_that_is_too_long_is_refused():
    with pytest.raises(EngineError, match=f"{MAX_FRAME + 1} bytes"):
        list(FrameParser().feed(struct.pack(">BxxxL", 1, MAX_FRAME + 1)))


@given(st.lists(st.integers(0, 800)))
def test_events_are_the_same_however_the_bytes_are_cut(event_line, places):
    actions = ["start", "exec_die", "health_status: healthy", "die"]
    data = b"".join(event_line(action) for action in actions) + b"\r\n" + b'{"cut'
    parser = EventParser()

    events = [event for piece in cut(data, places) for event in parser.feed(piece)]

    assert [event.action for event in events] == ["start", "health_status", "die"]
    assert events[0] == EngineEvent(action="start", container_id="c1", at=1795425823.5)


@pytest.mark.parametrize(
    "line", [b"x\n", b"{}\n", b"\xff\n", b"[" * 100_000 + b"\n", b" " * MAX_LINE + b" "]
)
def test_a_line_that_is_no_event_is_refused(line):
    with pytest.raises(EngineError):
        list(EventParser().feed(line))
