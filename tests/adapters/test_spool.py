"""Output on disk: byte for byte, in order, within its limit, readable while it grows."""

from contextlib import ExitStack, closing
from threading import Event, Thread

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hookrunner.adapters.spool import Spool
from hookrunner.core.record import Kept
from hookrunner.errors import StoreError
from hookrunner.model import Chunk, Stream

MIB = 1 << 20
quiet = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
chunks = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(Stream), st.binary(max_size=50)),
    max_size=30,
)


def read_all(reader, *, offset=0):
    found = []
    while pieces := reader.read(offset=offset, limit=64):
        found += pieces
    return found


@quiet
@given(written=chunks, data=st.data())
def test_two_steps_read_back_in_the_order_of_arrival_also_while_they_grow(
    tmp_path_factory, written, data
):
    spool = Spool(tmp_path_factory.mktemp("spool"))
    offset, found = 0, []

    with ExitStack() as stack:
        writers = {step: spool.writer("run", step, limit=MIB) for step in "ab"}
        for writer in writers.values():
            stack.enter_context(closing(writer))
        reader = stack.enter_context(closing(spool.reader("run", {})))
        for step, stream, text in written:
            writers[step].append(offset, Chunk(stream, text), 0.0)
            offset += len(text)
            if data.draw(st.booleans()):
                found += read_all(reader)
        found += read_all(reader)

    told = [(piece.step, piece.stream, piece.data) for piece in found]
    assert told == [(step, stream, text) for step, stream, text in written if text]
    assert [piece.offset for piece in found] == sorted(piece.offset for piece in found)
    assert spool.end("run") == offset
    assert not any(writer.is_lossy for writer in writers.values())


@pytest.mark.parametrize("size", [1, 7_001, 300_000])
def test_the_first_and_the_last_bytes_are_kept_exactly(tmp_path, size):
    limit, total = 5 * 2**16, 2 * MIB + 12_345
    text = (bytes(range(251)) * (total // 251 + 1))[:total] if size > 1 else bytes(400_000)
    spool = Spool(tmp_path)
    writer = spool.writer("run", "a", limit=limit)
    step = size if size > 1 else 1000

    for start in range(0, len(text), step):
        writer.append(start, Chunk(Stream.stdout, text[start : start + step]), 0.0)
    writer.close()
    kept = Kept(limit=limit, total=writer.total)
    reader = spool.reader("run", {"a": kept})
    found = read_all(reader)
    reader.close()

    assert writer.is_lossy
    shown = b"".join(piece.data for piece in found)
    assert shown == text[: kept.head] + text[-kept.tail :]
    on_disk = sum(path.stat().st_size for path in (tmp_path / "run").iterdir())
    assert on_disk < limit * 1.5


def test_reading_from_an_offset_passes_over_what_ends_before(tmp_path):
    spool = Spool(tmp_path)
    writer = spool.writer("run", "a", limit=MIB)
    for offset in range(0, 50, 10):
        writer.append(offset, Chunk(Stream.stdout, b"0123456789"), 0.0)
    reader = spool.reader("run", {})

    found = read_all(reader, offset=25)
    reader.close()
    writer.close()

    assert [piece.offset for piece in found] == [20, 30, 40]


def test_what_came_together_is_read_as_one_piece_and_what_came_apart_is_not(tmp_path):
    spool = Spool(tmp_path)
    writer = spool.writer("run", "a", limit=10 * MIB)
    texts = [bytes([n]) * 150_000 for n in range(3)]
    for n, text in enumerate(texts):
        writer.append(n * len(text), Chunk(Stream.stdout, text), float(n))
    reader = spool.reader("run", {})

    found = reader.read(offset=0, limit=MIB)
    reader.close()
    writer.close()

    assert [(piece.at, piece.data) for piece in found] == list(enumerate(texts))
    assert [(piece.offset, piece.within) for piece in found] == [
        (n * 150_000, n * 150_000) for n in range(3)
    ]


def test_output_is_for_its_owner_alone(tmp_path):
    spool = Spool(tmp_path / "output")
    writer = spool.writer("run", "a", limit=MIB)
    writer.append(0, Chunk(Stream.stdout, b"secret"), 0.0)
    writer.close()

    assert (tmp_path / "output" / "run" / "a.0").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "output" / "run").stat().st_mode & 0o777 == 0o700


def test_what_cannot_be_written_is_said_and_counts_as_lost(tmp_path):
    spool = Spool(tmp_path)
    writer = spool.writer("run", "a", limit=MIB)
    (tmp_path / "run").write_text("in the way")

    with pytest.raises(StoreError, match="cannot record output"):
        writer.append(0, Chunk(Stream.stdout, b"text"), 0.0)

    assert (writer.total, writer.is_lossy) == (4, True)
    (tmp_path / "run").unlink()
    writer.append(4, Chunk(Stream.stdout, b"more"), 0.0)
    with closing(spool.reader("run", {})) as reader:
        [piece] = read_all(reader)
    assert (piece.data, piece.offset, piece.within) == (b"more", 4, 4)
    writer.close()


def test_a_damaged_file_is_said(tmp_path):
    spool = Spool(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a.0").write_bytes(b"\xff" * 100)

    with (
        closing(spool.reader("run", {})) as reader,
        pytest.raises(StoreError, match="cannot read output"),
    ):
        reader.read(offset=0, limit=10)


def test_a_run_without_output_reads_as_nothing(tmp_path):
    spool = Spool(tmp_path)

    assert spool.reader("run", {}).read(offset=0, limit=10) == []
    assert spool.end("run") == 0


def test_a_follower_goes_on_where_what_it_was_to_read_next_is_deleted_meanwhile(tmp_path):
    spool = Spool(tmp_path)
    rounds = 150
    failed = []

    def follow(done):
        with closing(spool.reader("run", {})) as reader:
            while not done.is_set():
                try:
                    read_all(reader)
                except StoreError as error:
                    failed.append(error)

    with closing(spool.writer("run", "a", limit=2048)) as writer:
        done = Event()
        followers = [Thread(target=follow, args=[done]) for _ in range(2)]
        for thread in followers:
            thread.start()
        for n in range(rounds):
            writer.append(n * 500, Chunk(Stream.stdout, bytes(500)), 0.0)
        done.set()
        for thread in followers:
            thread.join(10)

    assert failed == []
