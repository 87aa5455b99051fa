"""What a reader of a run is told at once."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from nouns import make_step

from hookrunner.core.record import Piece
from hookrunner.model import Phase, Stream
from hookrunner.service.following import Gap, Output, PhaseStarted, _joined

STEPS = {name: make_step(name, 1, name) for name in ("a", "b")}
KINDS = st.tuples(
    st.sampled_from(["output", "output", "output", "phase", "gap", "skipped"]),
    st.sampled_from(sorted(STEPS)),
    st.sampled_from(Stream),
    st.binary(min_size=1, max_size=4),
)


def _events(kinds):
    found, at = [], 0
    for kind, name, stream, data in kinds:
        if kind == "output":
            found.append(Output(Piece(at, name, stream, data), STEPS[name]))
            at += len(data)
        elif kind == "skipped":  # of a step that the reader does not follow
            at += len(data)
        elif kind == "gap":
            found.append(Gap(at, len(data), STEPS[name]))
            at += len(data)
        else:
            phase = Phase(title="x", started_at=datetime(2026, 1, 1, tzinfo=UTC))
            found.append(PhaseStarted(at, STEPS[name], phase))
    return found


def _told(events):
    """Every byte with its place, and all else, in order."""
    for event in events:
        if isinstance(event, Output):
            piece = event.piece
            for number, byte in enumerate(piece.data):
                yield piece.step, piece.stream, piece.offset + number, byte
        else:
            yield event


@given(st.lists(KINDS, max_size=20))
def test_what_is_told_at_once_is_the_same_bytes_in_the_same_order(kinds):
    events = _events(kinds)

    joined = list(_joined(events))

    assert list(_told(joined)) == list(_told(events))


def test_lines_of_one_stream_in_a_row_are_told_at_once():
    rows = [("output", "a", Stream.stdout, b"x")] * 3 + [("output", "a", Stream.stderr, b"y")]

    joined = list(_joined(_events(rows)))

    assert [event.piece.data for event in joined] == [b"xxx", b"y"]


def test_what_others_printed_between_them_keeps_lines_apart():
    row = ("output", "a", Stream.stdout, b"x")

    joined = list(_joined(_events([row, ("skipped", "b", Stream.stdout, b"..."), row])))

    assert [event.piece.offset for event in joined] == [0, 4]


def test_no_event_gets_longer_than_a_reader_takes_at_once():
    row = ("output", "a", Stream.stdout, b"x" * (1 << 15))

    joined = list(_joined(_events([row] * 5)))

    assert [len(event.piece.data) for event in joined] == [1 << 16, 1 << 16, 1 << 15]
