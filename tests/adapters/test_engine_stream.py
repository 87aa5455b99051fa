"""What becomes of the streams of an engine that breaks off, hangs or is left."""

import asyncio

import pytest

from hookrunner.errors import (
    EngineUnavailableError,
)
from hookrunner.model import Stream


@pytest.fixture
def abort(http, frame):
    async def answer(_, writer):
        writer.write(http(length=False) + frame(Stream.stdout, b"half")[:10])
        await writer.drain()
        writer.transport.abort()

    return answer


@pytest.fixture
def hold(http, frame):
    async def answer(reader, writer):
        writer.write(http(length=False) + frame(Stream.stdout, b"begun"))
        await writer.drain()
        await reader.read()  # until the client is gone

    return answer


async def test_a_stream_that_ends_between_frames_ends(http, frame, read, hostile):
    stream = http(length=False) + frame(Stream.stdout, b"a") + frame(Stream.stderr, b"b")
    async with hostile({"/exec/e/start": stream}) as (engine, _, _):
        assert await read(engine) == [(Stream.stdout, b"a"), (Stream.stderr, b"b")]


@pytest.mark.parametrize("length", [1, 7, 8, 11])
async def test_a_stream_that_ends_inside_a_frame_is_cut(http, frame, read, hostile, length):
    stream = http(length=False) + frame(Stream.stdout, b"half")[:length]
    async with hostile({"/exec/e/start": stream}) as (engine, _, _):
        with pytest.raises(EngineUnavailableError, match="cut"):
            await read(engine)


async def test_a_stream_that_is_aborted_inside_a_frame_is_cut(read, abort, hostile):
    async with hostile({"/exec/e/start": abort}) as (engine, _, _):
        with pytest.raises(EngineUnavailableError, match="cut"):
            await read(engine)


async def test_a_stream_of_announced_length_that_ends_early_is_cut(http, frame, read, hostile):
    answer = http(frame(Stream.stdout, b"whole"), length=False)
    answer = answer.replace(b"\r\n\r\n", b"\r\nContent-length: 99\r\n\r\n", 1)
    async with hostile({"/exec/e/start": answer}) as (engine, _, _):
        with pytest.raises(EngineUnavailableError, match="cut"):
            await read(engine)


async def test_events_that_end_are_unavailable(http, event_line, hostile):
    events = http(event_line("start", "c1"), length=False)
    async with (
        hostile({"/events": events}) as (engine, asked, _),
        engine.events(since=1.5) as stream,
    ):
        assert (await anext(stream)).container_id == "c1"
        with pytest.raises(EngineUnavailableError):
            await anext(stream)

    assert "since=1.500000000" in asked[-1]


@pytest.mark.parametrize("how", ["leave", "cancel"])
async def test_leaving_or_cancelling_the_reader_closes_the_connection(hold, hostile, how):
    async with hostile({"/exec/e/start": hold}) as (engine, _, gone):
        first = asyncio.Event()

        async def reader():
            async with engine.start_exec("e") as chunks:
                async for _ in chunks:
                    first.set()
                    if how == "leave":
                        return

        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            task = group.create_task(reader())
            await first.wait()
            if how == "cancel":
                task.cancel()
        async with asyncio.timeout(5):
            await gone.wait()


async def test_a_callers_own_timeout_is_not_taken_for_the_engines(hold, hostile):
    async with hostile({"/exec/e/start": hold}) as (engine, _, _):

        async def impatient():
            async with engine.start_exec("e") as chunks, asyncio.timeout(0.05):
                return [chunk async for chunk in chunks]

        with pytest.raises(TimeoutError):
            await impatient()


async def test_open_streams_do_not_keep_an_inspect_waiting(http, hold, hostile):
    answers = {"/exec/e/start": hold, "/exec/e/json": http(b'{"Running":true}')}
    async with hostile(answers) as (engine, _, _), asyncio.timeout(5):
        streams = [engine.start_exec("e") for _ in range(6)]  # streams=2, and 4 to spare
        for stream in streams:
            await stream.__aenter__()
        assert (await engine.inspect_exec("e")).running
        for stream in streams:
            await stream.__aexit__(None, None, None)


async def test_a_run_past_its_timeout_has_no_exit_code(http, hold, hostile):
    answers = {"/containers/c/exec": http(b'{"Id":"e"}'), "/exec/e/start": hold}
    async with hostile(answers) as (engine, _, _):
        assert await engine.run("c", ["x"], timeout=0.05) == (None, b"begun")
