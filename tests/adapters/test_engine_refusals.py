"""Answers of hostile engines: refusals, floods and nonsense."""

import asyncio

import pytest

from hookrunner.errors import (
    ContainerGoneError,
    EngineError,
    EngineUnavailableError,
)


@pytest.fixture
def flood(http):
    async def answer(_, writer):
        writer.write(http(length=False) + b"[")
        while True:
            writer.write(b'"' + b"x" * 1_000_000 + b'",')
            await writer.drain()

    return answer


REFUSED = b'{"message": "Container x\\n is\\u001b[31m paused"}'


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("404 Not Found", ContainerGoneError),
        ("409 Conflict", ContainerGoneError),
        ("500 Oops", EngineError),
        ("403 Forbidden", EngineError),
        ("301 Moved\r\nLocation: http://localhost/elsewhere", EngineError),
        ("101 UPGRADED", EngineError),
        ("502 Bad Gateway", EngineUnavailableError),
    ],
)
async def test_refusals_become_our_own_exceptions(http, read, hostile, status, error):
    answers = {
        "/containers/c/json": http(REFUSED, status),
        "/exec/e/start": http(REFUSED, status),
    }
    async with hostile(answers) as (engine, asked, _):
        with pytest.raises(error) as caught:
            await engine.inspect_container("c")
        with pytest.raises(error):
            await read(engine)

    assert not any("elsewhere" in line for line in asked)
    if "101" not in status:
        assert "Container x is[31m paused" in str(caught.value)
    if error is EngineError:
        assert caught.value.status == int(status[:3])


async def test_a_missing_image_is_no_container_that_is_gone(http, hostile):
    async with hostile({"/images/i/json": http(b"{}", "404 Not Found")}) as (engine, _, _):
        with pytest.raises(EngineError) as caught:
            await engine.image("i")

    assert caught.value.status == 404


async def test_endless_json_ends_at_the_limit(flood, hostile):
    async with hostile({"/containers/json": flood}) as (engine, _, gone):
        with pytest.raises(EngineError, match="more than 67108864 bytes"):
            await engine.list_containers()
        async with asyncio.timeout(5):
            await gone.wait()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"{}",
        b"[1]",
        b"\xff",
        b"[" * 200_000,
        b'[{"Id":"x","Image":"i","ImageID":"i","State":"running","Created":1e99}]',
        b'[{"Id":"x","Image":"i","ImageID":"i","State":"running","Created":999999999999999}]',
    ],
)
async def test_an_answer_that_makes_no_sense_is_an_engine_error(http, hostile, body):
    async with hostile({"/containers/json": http(body)}) as (engine, _, _):
        with pytest.raises(EngineError, match="makes no sense"):
            await engine.list_containers()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n[]",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n[]",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n[]",
        b"HTTP/9 x\r\n\r\n",
    ],
)
async def test_broken_http_raises_only_our_own_exceptions(read, hostile, raw):
    async def answer(_, writer):
        writer.write(raw)
        await writer.drain()

    answers = {"/containers/json": answer, "/exec/e/start": answer, "/events": answer}
    async with hostile(answers) as (engine, _, _):
        with pytest.raises((EngineError, EngineUnavailableError)):
            await engine.list_containers()
        with pytest.raises((EngineError, EngineUnavailableError)):
            await read(engine)
        with pytest.raises((EngineError, EngineUnavailableError)):
            async with engine.events() as events:
                await anext(events)


async def test_ids_cannot_lead_to_other_paths(hostile):
    async with hostile({}) as (engine, asked, _):
        with pytest.raises(EngineError):
            await engine.inspect_container("../images/x?y#z")

    assert asked[-1] == "GET /v1.44/containers/..%2Fimages%2Fx%3Fy%23z/json"
