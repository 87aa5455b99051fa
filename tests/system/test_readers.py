"""Any number of readers, each at its own pace: none of them delays a run."""

import asyncio
import json
import select
import socket
import statistics
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.engine
READERS = 50
MIB = 1 << 20
PER_READER = 2 * MIB
"""Bytes that a reader may cost."""
DROPPED = 10.0
"""Seconds after which a reader that takes nothing is dropped."""
LINE = "a line of some output, as it comes\n"
PRINT = (
    "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.05; done;"
    f" yes '{LINE.strip()}' | head -c {{size}}; exit 65"
)


class Reader:
    """A connection that asked for a run's output, and reads only when told to.

    It speaks HTTP 1.0, which has no chunks: the body is as it was written.
    """

    def __init__(self, server, token, run, *, offset=0):
        address = urlsplit(server.url)
        self._socket = socket.create_connection((address.hostname, address.port))
        self._socket.sendall(
            f"GET /api/v1/runs/{run}/output?offset={offset} HTTP/1.0\r\n"
            f"Host: {address.netloc}\r\nAuthorization: Bearer {token}\r\n"
            "Accept: application/x-ndjson\r\n\r\n".encode()
        )
        self._socket.setblocking(False)
        self._got = bytearray()
        self.is_dropped = False

    def is_answered(self, *, seconds=30.0):
        """Whether the answer begins, in time; nothing of it is read."""
        return bool(select.select([self._socket], [], [], seconds)[0])

    async def read(self, size=MIB):
        """Take some; tell whether there was any."""
        loop = asyncio.get_running_loop()
        try:
            data = await loop.sock_recv(self._socket, size)
        except ConnectionError:
            self.is_dropped = True
            return False
        self._got += data
        return bool(data)

    async def read_all(self):
        while await self.read():
            pass
        return self.events()

    def events(self):
        """The events that arrived whole."""
        _, _, body = self._got.partition(b"\r\n\r\n")
        return [json.loads(line) for line in body.split(b"\n")[:-1]]

    def close(self):
        self._socket.close()


def output(events):
    return "".join(event["data"] for event in events if event["type"] == "output")


def resume_at(events):
    """The offset to go on from."""
    return max(
        event["offset"] + len(event["data"]) for event in events if event["type"] == "output"
    )


@pytest.fixture
def make_reader():
    """A function: start to follow; the connection ends with the test."""
    made = []

    def make(*arguments, **options):
        made.append(Reader(*arguments, **options))
        return made[-1]

    yield make
    for reader in made:
        reader.close()


def resident(server):
    """Bytes of memory that a server holds."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) * 1024


def token_of(server):
    done = server.cli("token", "create", "reader", "--scope", "read")
    return done.stdout.decode().strip()


async def timed(site, server, until, *, size, join=None):
    """Run an update that prints, with readers that joined; give its seconds and the run."""
    for name in ("started", "go"):
        (site.directory / name).unlink(missing_ok=True)
    site.script(PRINT.format(size=size))
    _, answer = await server.deliver(site.push())

    async def has_started():
        return (site.directory / "started").exists()

    await until(has_started)
    if join is not None:
        join(answer["run"])
    began = time.monotonic()
    (site.directory / "go").touch()
    run = await server.finished(answer["run"])
    return time.monotonic() - began, run


@pytest.mark.parametrize(
    ("size", "rounds"),
    [(20_000_000, 2), pytest.param(60_000_000, 11, marks=pytest.mark.soak)],
    ids=["20 MB", "60 MB"],
)
async def test_readers_that_never_read_delay_nothing_cost_little_and_are_dropped(  # noqa: PLR0917
    make_site, make_server, make_reader, until, pause, run_id, measured, size, rounds
):
    site = make_site("readers")
    server = await make_server(projects=f'{{"{run_id}-readers": {{output_limit: 64MiB}}}}')
    await server.knows(site)
    token = token_of(server)
    alone, beside, dead, slow = [], [], [], []

    def join(run):
        for reader in [*dead, *slow]:
            reader.close()
        dead[:] = [make_reader(server, token, run) for _ in range(READERS)]
        slow[:] = [make_reader(server, token, run)]
        for reader in [*dead, *slow]:
            assert reader.is_answered()

    await timed(site, server, until, size=size)
    before = resident(server)
    for _ in range(rounds):
        alone.append((await timed(site, server, until, size=size))[0])
        took, run = await timed(site, server, until, size=size, join=join)
        beside.append(took)
    grown = resident(server) - before

    middle, middle_beside = statistics.median(alone), statistics.median(beside)
    more = 100 * (middle_beside / middle - 1)
    measured(
        f"{size / 1e6:g} MB of output, {rounds} times in turn: {middle:.2f} s alone,"
        f" {middle_beside:.2f} s with {READERS} readers that never read"
        f" ({more:+.0f} %), each of {grown / READERS / MIB:.2f} MiB"
    )
    [step] = run["steps"]
    assert (step["exit_code"], step["output_bytes"], step["truncated"]) == (65, size, False)
    assert middle_beside < 2 * middle + 3
    assert grown < READERS * PER_READER

    until_dropped = time.monotonic() + DROPPED + 5
    while time.monotonic() < until_dropped:  # slower than what there is, yet alive
        assert await slow[0].read(1 << 14)
        await pause(0.3)
    told = await dead[0].read_all()
    assert dead[0].is_dropped
    assert told[-1]["type"] != "result"

    rest = await make_reader(server, token, run["id"], offset=resume_at(told)).read_all()
    assert rest[-1]["type"] == "result"
    text = output(told) + output(rest)
    assert (len(text), set(text.splitlines(keepends=True)[:-1])) == (size, {LINE})
    assert output(await slow[0].read_all()) == text
    assert not slow[0].is_dropped
