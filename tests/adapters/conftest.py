"""Records to store and an engine that answers what it is told to: for the tests of adapters."""

import asyncio
import struct
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hookrunner.adapters.engine import Engine
from hookrunner.adapters.store import Store
from hookrunner.core.history import KnownPush
from hookrunner.core.tokens import Token
from hookrunner.model import (
    Action,
    Delivery,
    Outcome,
    Push,
    PushReceipt,
    Run,
    Status,
    Step,
    Stream,
    Trigger,
)

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def make_push(repository="ops/docker_bind", **values):
    return Push(repository=repository, ref="refs/heads/main", **values)


def make_delivery(number, *, repositories=("ops/docker_bind",), **values):
    return msgspec.structs.replace(
        Delivery(
            id=f"d{number:06}",
            source="gitea",
            forge="gitea",
            event="push",
            received_at=NOW + number * MINUTE,
            body_hash=f"{number:064x}",
            pushes=tuple(PushReceipt(push=make_push(name)) for name in repositories),
        ),
        **values,
    )


def make_run(number, **values):
    return Run(
        **{
            "id": f"r{number:06}",
            "trigger": Trigger.push,
            "action": Action.update,
            "created_at": NOW + number * MINUTE,
            "status": Status.succeeded,
            **values,
        }
    )


def make_step(number, of, **values):
    return Step(
        **{
            "id": f"s{of.id}-{number}",
            "run": of.id,
            "number": number,
            "engine": "local",
            "container": "bind",
            "container_id": "c" * 64,
            "project": "bind",
            "image": "ops/bind:latest",
            "action": Action.update,
            "trigger": Trigger.push,
            "created_at": of.created_at,
            "timeout": 600.0,
            "output_limit": 10,
            "status": Status.succeeded,
            "outcome": Outcome.updated,
            "finished_at": of.created_at + number * MINUTE,
            **values,
        }
    )


def make_known_push(number, **values):
    repository = values.pop("repository", "git.example.net/ops/x")
    ref = values.pop("ref", "refs/heads/main")
    at = NOW + number * MINUTE
    return KnownPush(
        id=f"p{number:06}", repository=repository, ref=ref, received_at=at, **values
    )


def make_token(name="ci", **values):
    token_id = values.pop("id", f"t-{name}")
    return Token(
        **{
            "id": token_id,
            "name": name,
            "hash": token_id * 2,
            "scopes": frozenset({"read", "run"}),
            "created_at": NOW,
            **values,
        }
    )


@pytest.fixture(scope="session")
def push():
    return make_push


@pytest.fixture(scope="session")
def delivery():
    return make_delivery


@pytest.fixture(scope="session")
def run():
    return make_run


@pytest.fixture(scope="session")
def step():
    return make_step


@pytest.fixture(scope="session")
def known_push():
    return make_known_push


@pytest.fixture(scope="session")
def token():
    return make_token


@pytest.fixture
async def store(tmp_path):
    async with Store.open(tmp_path / "state") as opened:
        yield opened


Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def make_http(body=b"", status="200 OK", headers=(), length=True):
    lines = [f"HTTP/1.1 {status}", "Api-Version: 1.99", *headers]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


@pytest.fixture(scope="session")
def http():
    return make_http


def make_frame(stream, data):
    kind = {Stream.stdout: 1, Stream.stderr: 2}[stream]
    return struct.pack(">BxxxL", kind, len(data)) + data


@pytest.fixture(scope="session")
def frame():
    return make_frame


def make_event_line(action, container_id="c1"):
    event = {
        "Type": "container",
        "Action": action,
        "Actor": {"ID": container_id, "Attributes": {"name": "web"}},
        "time": 1795425823,
        "timeNano": 1795425823500000000,
    }
    return msgspec.json.encode(event) + b"\n"


@pytest.fixture(scope="session")
def event_line():
    return make_event_line


async def read_exec(engine):
    async with engine.start_exec("e") as chunks:
        return [(chunk.stream, chunk.data) async for chunk in chunks]


@pytest.fixture(scope="session")
def read():
    return read_exec


@pytest.fixture
async def hostile(tmp_path):
    """A context manager: the engine that answers by path what it is told to."""

    @asynccontextmanager
    async def start(answers: dict[str, bytes | Answer]):
        asked = []
        gone = asyncio.Event()

        async def serve(reader, writer):
            try:
                while head := await reader.readuntil(b"\r\n\r\n"):
                    method, target, _ = head.decode().split(" ", 2)
                    path = target.partition("?")[0].removeprefix("/v1.44")
                    asked.append(f"{method} {target}")
                    if b"Content-Length: " in head:
                        length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
                        await reader.readexactly(length)
                    answer = answers.get(path, make_http(b"OK"))
                    if callable(answer):
                        await answer(reader, writer)
                        return
                    writer.write(answer)
                    if b"Content-Length" not in answer:
                        return
            except (asyncio.IncompleteReadError, ConnectionError):
                pass
            finally:
                gone.set()
                writer.close()
                with suppress(ConnectionError):
                    await writer.wait_closed()

        socket = tmp_path / "s"
        server = await asyncio.start_unix_server(serve, socket)
        try:
            async with Engine.connect("fake", f"unix://{socket}", streams=2) as engine:
                yield engine, asked, gone
        finally:
            server.close()

    return start
