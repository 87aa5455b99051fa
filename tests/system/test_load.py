"""Everything at once, for long: memory stays as it is, and nothing is left behind."""

import asyncio
import itertools
import json
import sqlite3
import statistics
import time
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.engine
MIB = 1 << 20
SITES = 3
EVERY = 0.5
"""Seconds between two looks at the server's memory."""
UPDATE = """\
case $(( $(od -An -N1 -tu1 /dev/urandom) % 4 )) in
0) echo '>> Printing'; head -c 200000 /dev/zero | tr '\\0' x; exit 65 ;;
1) sleep 0.3; exit 1 ;;
2) echo '>> Leaving a child'; sleep 0.5 & exit 42 ;;
*) echo '>> Waiting'; sleep 1; exit 66 ;;
esac"""
"""Ends that nothing is tried again after."""
STEPS = "SELECT document FROM steps"
FORGOTTEN = 700.0
"""Seconds in which Docker forgets what ended: it looks every five minutes, and takes what it
saw twice."""


class Process:
    """What a server holds of the machine."""

    def __init__(self, server):
        self._proc = Path(f"/proc/{server.process.pid}")

    def memory(self):
        """Bytes."""
        [line] = [
            line
            for line in (self._proc / "status").read_text().splitlines()
            if line.startswith("VmRSS:")
        ]
        return int(line.split()[1]) * 1024

    def files(self):
        return len(list((self._proc / "fd").iterdir()))


class Load:
    """What senders, readers and people do; each for as long as time is left."""

    def __init__(self, server, sites, seconds, pause):
        self.runs = []
        self._server = server
        self._sites = sites
        self._pause = pause
        self._end = time.monotonic() + seconds
        self._numbers = itertools.count(1)

    @property
    def goes_on(self):
        return time.monotonic() < self._end

    async def push(self, site):
        """Push what nobody has, and once in a while the same again."""
        while self.goes_on:
            number = next(self._numbers)
            body = site.body(f"{number:040x}", f"{number + 1:040x}")
            for _ in range(1 + (number % 5 == 0)):
                status, answer = await self._server.deliver(body)
                assert status in {200, 202}, answer
                if "run" in answer:
                    self.runs.append(answer["run"])
            await self._pause(0.3)

    async def forge(self):
        """Send what proves nothing."""
        while self.goes_on:
            body = {"ref": "refs/heads/main"}
            status, _ = await self._server.deliver(body, sign=False)
            assert status in {401, 429}
            await self._pause(0.2)

    async def ask(self):
        """Look at everything."""
        while self.goes_on:
            for path in ("/runs", "/deliveries", "/containers?metadata=true", "/health"):
                status, _ = await self._server.api("GET", path)
                assert status == 200
            await self._pause(0.2)

    async def follow(self, accept):
        """Follow runs, one after the other, to the end."""
        while self.goes_on:
            if self.runs:
                path = f"/runs/{self.runs[-1]}/output"
                status, _ = await self._server.api("GET", path, Accept=accept)
                assert status == 200
            await self._pause(0.1)

    async def request(self, site):
        """Ask for an update, and think better of it."""
        while self.goes_on:
            status, run = await self._server.api(
                "POST",
                "/updates",
                body={"container": site.container},
                Accept="application/json",
            )
            if status == 202:
                await self._pause(0.2)
                await self._server.api("POST", f"/runs/{run['id']}/cancel")
                self.runs.append(run["id"])
            await self._pause(1)

    async def restart(self, site):
        """Restart a container under its update."""
        while self.goes_on:
            await self._pause(8)
            await asyncio.to_thread(site.docker, "restart", "--time", "0", site.id)


@pytest.mark.parametrize("seconds", [10, pytest.param(600, marks=pytest.mark.soak)])
async def test_under_mixed_load_memory_is_flat_and_nothing_is_left(  # noqa: PLR0917 - fixtures
    make_site, make_server, docker, engine_url, execs_of, until, pause, measured, seconds
):
    sites = [make_site(f"load{n}") for n in range(SITES)]
    server = await make_server()
    for site in sites:
        site.script(UPDATE)
    await server.knows(*sites)
    process, load, seen = Process(server), Load(server, sites, seconds, pause), []
    files = process.files()

    async def look():
        while load.goes_on:
            seen.append(process.memory())
            await pause(EVERY)

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        for site in sites:
            group.create_task(load.push(site))
        group.create_task(load.forge())
        group.create_task(load.ask())
        for accept in ("text/plain", "text/event-stream", "application/x-ndjson"):
            group.create_task(load.follow(accept))
        group.create_task(load.request(sites[0]))
        group.create_task(load.restart(sites[1]))

    for run in load.runs:
        await server.finished(run)
    warm = seen[len(seen) // 3 :]
    slope = statistics.linear_regression(range(len(warm)), warm).slope / EVERY * 60
    grown = statistics.mean(warm[-len(warm) // 4 :]) - statistics.mean(warm[: len(warm) // 4])
    measured(
        f"{seconds} s of mixed load, {len(load.runs)} runs: {warm[-1] / MIB:.1f} MiB at last,"
        f" {grown / MIB:+.2f} MiB in its last two thirds ({slope / MIB:+.3f} MiB a minute)"
    )
    assert grown < 8 * MIB

    async def is_idle():
        return process.files() <= files + 2

    await until(is_idle)

    async def no_exec_is_left():
        return not (running(docker, sites) or execs_of(*sites))

    await until(no_exec_is_left)
    made = execs_of_steps(server)
    assert len(made) > seconds // 2
    if seconds > 60:
        await until(lambda: are_forgotten(engine_url, made), seconds=FORGOTTEN)


def execs_of_steps(server):
    """The execs of all steps that the server recorded."""
    with closing(sqlite3.connect(server.state / "hookrunner.db")) as database:
        steps = [json.loads(document) for (document,) in database.execute(STEPS)]
    return [step["exec_id"] for step in steps if step.get("exec_id")]


async def are_forgotten(engine_url, execs):
    """Whether the engine knows none of some execs any more."""
    connector = aiohttp.UnixConnector(engine_url.removeprefix("unix://"))
    async with aiohttp.ClientSession(connector=connector) as session:
        for one in execs:
            async with session.get(f"http://engine/exec/{one}/json") as answer:
                assert answer.status in {200, 404}
                if answer.status == 200:
                    return False
    return True


def running(docker, sites):
    """The processes in containers that are not the containers' own."""
    told = [docker("top", site.id, "-o", "pid,args").splitlines()[1:] for site in sites]
    return [line for lines in told for line in lines if "sleep infinity" not in line]
