"""A gate as a process: what it must refuse does not reach the engine, byte by byte."""

import asyncio
import itertools
import os
import re
import secrets
from collections import Counter
from http import HTTPStatus

import pytest
from hostile_requests import ID, STRANGER, Hostile

pytestmark = pytest.mark.process

HARMLESS = re.compile(
    r"GET (?:/v1\.\d\d)?(?:/_ping|/containers/[a-zA-Z0-9_.-]+/json)"  # the gate's own look
)
REFUSED = {400, 403, 404, 413}
AT_ONCE = 16
DEADLINE = 60.0
SETTLED = 0.1
"""Seconds after which no second answer is waited for: what follows is pipelined at best."""


async def answers(socket, data):
    """Send bytes, and give the statuses of all answers: at least one, or a hung up line."""
    reader, writer = await asyncio.open_unix_connection(socket)
    said, seconds = b"", DEADLINE
    try:
        writer.write(data)
        await writer.drain()
        while piece := await asyncio.wait_for(reader.read(65536), seconds):
            said += piece
            seconds = SETTLED if b"\r\n\r\n" in said else DEADLINE
    except TimeoutError:
        assert said, f"no answer within {DEADLINE:g} s to {data!r}"
    except ConnectionError:
        pass  # hung up while more was being sent
    finally:
        writer.close()
    return [int(status) for status in re.findall(rb"(?m)^HTTP/1\.[01] (\d{3}) ", said)]


async def refuse_all(gate, recorder, *, count, seed):
    """Send requests, and give how many of each kind got nothing but refusals."""
    requests = itertools.islice(Hostile(seed), count)
    refused, passed = Counter(), []

    async def send():
        for kind, data in requests:
            statuses = await answers(gate.socket, data)
            if kind == "smuggled":  # a ping that stands in front of it may be answered
                statuses = [one for one in statuses if one != HTTPStatus.OK] or [403]
            if statuses and REFUSED.issuperset(statuses):
                refused[kind] += 1
            else:
                passed.append((kind, data, statuses))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(send())
    assert passed == []
    assert [line for line, _, _ in recorder.asked if not HARMLESS.fullmatch(line)] == []
    return refused


@pytest.mark.parametrize(
    "count",
    [pytest.param(1000, id="short"), pytest.param(10_000, marks=pytest.mark.soak, id="soak")],
)
async def test_what_must_be_refused_reaches_no_engine(recorder, make_gate, measured, count):
    gate = make_gate(recorder.url, containers=["www-*"])
    seed = int(os.environ.get("SEED", secrets.randbits(32)))
    measured(f"seed of the requests that a gate refuses: {seed}")

    refused = await refuse_all(gate, recorder, count=count, seed=seed)

    assert sum(refused.values()) == count
    assert len(refused) == 10
    measured(f"refused by the gate: {count} of {count}, nothing reached the engine")
    log = gate.log()
    assert '"refused"' in log
    assert log.count('"refused"') < 200
    assert "Traceback" not in log
    # It still works, and says how many it did not log.
    assert await answers(gate.socket, b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n") == [200]


async def test_the_recorder_would_tell(recorder, make_gate):
    """The same test without the gate's decisions would fail: what is passed is recorded."""
    gate = make_gate(recorder.url, containers=["www-*"])

    await answers(gate.socket, b"GET /v1.41/version HTTP/1.1\r\nHost: x\r\n\r\n")

    assert [line for line, _, _ in recorder.asked] == ["GET /v1.41/version"]


async def test_a_container_that_may_not_be_seen_is_like_one_that_is_not_there(
    recorder, make_gate
):
    gate = make_gate(recorder.url, containers=["www-*"])

    async def told(name):
        reader, writer = await asyncio.open_unix_connection(gate.socket)
        writer.write(f"GET /v1.41/containers/{name}/json HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        said = (await reader.readuntil(b"}")).replace(name.encode(), b"NAME")
        writer.close()
        return re.sub(rb"(Date|Content-Length): .*\r\n", b"", said)

    hidden, absent, shown = [await told(one) for one in (STRANGER, "0" * 64, ID)]

    assert hidden == absent
    assert hidden.startswith(b"HTTP/1.1 404 ")
    assert shown.startswith(b"HTTP/1.1 200 ")


async def test_headers_are_not_passed_on(recorder, make_gate):
    gate = make_gate(recorder.url)

    await answers(
        gate.socket,
        b"GET /v1.41/containers/json HTTP/1.1\r\nHost: evil\r\nX-Registry-Auth: x\r\n"
        b"Cookie: a=b\r\nAuthorization: Basic x\r\nUser-Agent: me\r\n\r\n",
    )

    (_, head, _) = recorder.asked[0]
    names = {line.partition(b":")[0].lower() for line in head.split(b"\r\n")[1:] if line}
    assert names <= {b"host", b"accept", b"accept-encoding", b"user-agent"}
    assert b"evil" not in head
    assert b"User-Agent: me" not in head
