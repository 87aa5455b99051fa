"""How soon each page is painted, by the browser's own clock; prints figures, asserts nothing.

    .venv/bin/python tests/page/paint.py [RUNS [CONTAINERS [TIMES]]]

A server of its own, in a process of its own, has so many runs and containers in its store
(100,000 and 500). Chromium opens each page so many times (9), after once that does not count.
All is printed as minimum and median, in ms: the first paint since the navigation began, how
much of it the server took to answer, and the processor time that a page took, the server's
and the browser's. On a busy machine look at the minimum and at the processor time.
"""

import asyncio
import os
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))

import aiohttp
from browsing import Reader, start_browser
from msgspec.structs import replace
from world import COMMIT, TOKENS, opened

from hookrunner.adapters.store import Changes
from hookrunner.model import Outcome, Status
from hookrunner.units import new_id

PROJECTS = 60
BATCH = 2000
OUTPUT = 10 << 20
PAINTED = """
const [paint] = performance.getEntriesByName('first-paint');
const [way] = performance.getEntriesByType('navigation');
if (!paint || !way.responseEnd) return null;
return [paint.startTime, way.responseStart - way.requestStart, way.transferSize,
  document.querySelectorAll('*').length];
"""


async def fill(world, runs, containers):
    """Put in what a busy year leaves; give the paths of the pages."""
    made = [
        world.container(
            f"{name}-{number}",
            name,
            current_gitref=COMMIT if number % 3 else "c" * 40,
            dirty=number % 41 == 0,
            keys={"ancestors": [{"project": "base", "gitref": "d" * 40}] * 3},
        )
        for number in range(containers)
        for name in [f"project-{number % PROJECTS}"]
    ]
    run, steps = await world.run(made[0], made[1], output=b"")
    delivery = await world.delivery(
        world.receipt(run=run.id, verdicts=[world.verdict(one) for one in made])
    )
    begin = datetime.now(UTC) - timedelta(days=365)
    for first in range(0, runs, BATCH):
        changes = []
        for number in range(first, min(runs, first + BATCH)):
            at = begin + timedelta(days=365) * (number / runs)
            one, status = made[number % len(made)], Status.succeeded
            if number % 29 == 0:
                status = Status.failed
            repository = f"ops/{one.project}"
            this = replace(
                run,
                id=new_id(at),
                status=status,
                created_at=at,
                finished_at=at + timedelta(seconds=3),
                push=replace(run.push, repository=repository),
            )
            step = replace(
                steps[0],
                id=new_id(at),
                run=this.id,
                container=one.name,
                container_id=one.id,
                project=one.project,
                status=status,
                outcome=Outcome.updated if status is Status.succeeded else Outcome.error,
                created_at=at,
                started_at=at,
                finished_at=at + timedelta(seconds=3),
            )
            receipt = world.receipt(run=this.id, verdicts=[world.verdict(one)])
            receipt = replace(receipt, push=this.push)
            came = replace(delivery, id=new_id(at), received_at=at, pushes=(receipt,))
            changes.append((this, step, came))
        kept = zip(*changes, strict=True)
        await world.services.store.save(
            Changes(**dict(zip(("runs", "steps", "deliveries"), kept, strict=True)))
        )
    line = b"\x1b[32mok\x1b[0m a line as programs print them, with some words and a number %d\n"
    data = b"".join(line % number for number in range(OUTPUT // len(line)))
    long, _ = await world.run(made[2], output=data, step={"output_limit": OUTPUT})
    place = f"local/{made[1].name}"
    return {
        "now": "/",
        "containers": "/containers",
        "containers?show=dirty": "/containers?show=dirty",
        "container": f"/containers/{place}",
        "runs": "/runs",
        "runs?project&status": "/runs?project=project-7&status=failed",
        "runs?repository&since": "/runs?repository=ops/project-7&since=30d",
        "runs?container": f"/runs?container={made[1].name}",
        "runs, far back": f"/runs?cursor={new_id(begin + timedelta(days=20))}",
        "run": f"/runs/{run.id}",
        "run, 10 MiB output": f"/runs/{long.id}",
        "deliveries": "/deliveries",
        "deliveries?repository": "/deliveries?repository=ops/project-7",
        "delivery, 500 verdicts": f"/deliveries/{delivery.id}",
        "error": "/nothing",
        "sign-in": "/sign-in",
    }


async def serve(runs, containers):
    """Serve until stdin ends."""
    with tempfile.TemporaryDirectory() as directory:
        async with opened(Path(directory)) as world:
            paths = await fill(world, runs, containers)
            print(world.url, *(f"{name}\t{path}" for name, path in paths.items()), sep="\n")
            print(flush=True)
            await asyncio.to_thread(sys.stdin.read)


def processor(pid):
    """The seconds of processor time in user mode that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) / os.sysconf("SC_CLK_TCK")


async def painted(reader, path):
    """Open a page; give its figures, and the browser's processor time for it, in ms."""
    await reader.go(path)
    for _ in range(500):
        if (found := await reader.run(PAINTED)) is not None:
            return [*found, 1000 * await worked(reader)]
        await asyncio.sleep(0.02)
    raise SystemExit(f"{path} was never painted")


async def worked(reader):
    """The seconds of processor time that the main thread has had since the page was opened."""
    ask = reader.driver.execute_cdp_cmd
    told = await asyncio.to_thread(ask, "Performance.getMetrics", {})
    return {one["name"]: one["value"] for one in told["metrics"]}["TaskDuration"]


async def processor_of(url, path, pid, times):
    """The server's processor time for a page, in ms, over several at once."""
    headers = {"Authorization": f"Bearer {TOKENS['admin']}", "Accept": "text/html"}
    async with aiohttp.ClientSession(
        url, headers=headers, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as session:
        origin = {"Origin": url}
        await session.post("/sign-in", data={"token": TOKENS["admin"]}, headers=origin)
        before = processor(pid)
        for _ in range(times):
            async with session.get(path) as answer:
                await answer.read()
        return 1000 * (processor(pid) - before) / times


async def main(runs=100_000, containers=500, times=9):
    """Measure."""
    server = await asyncio.create_subprocess_exec(
        sys.executable,
        __file__,
        "serve",
        str(runs),
        str(containers),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=1 << 20,
    )
    told = [(await server.stdout.readline()).decode().strip()]
    while line := (await server.stdout.readline()).decode().strip():
        told.append(line)
    url = next(line for line in told if line.startswith("http"))
    paths = dict(line.split("\t") for line in told if "\t" in line)  # the rest is a log
    print(
        f"{runs:,} runs, {containers} containers, load {os.getloadavg()[0]:.1f}, "
        f"{os.cpu_count()} processors; ms, minimum and median of {times}"
    )
    heads = "first paint", "server", "processor", "browser", "KiB", "elements"
    print(f"{'page':24} {heads[0]:>12} {heads[1]:>12}", *(f"{one:>9}" for one in heads[2:]))
    with tempfile.TemporaryDirectory() as directory:
        driver = await asyncio.to_thread(start_browser, directory)
        try:
            reader = Reader(driver, url)
            clock = {"timeDomain": "threadTicks"}
            await asyncio.to_thread(driver.execute_cdp_cmd, "Performance.enable", clock)
            for name, path in paths.items():
                if name == "sign-in":
                    await asyncio.to_thread(driver.delete_all_cookies)
                elif name == "now":
                    await reader.sign_in()
                await painted(reader, path)
                found = [await painted(reader, path) for _ in range(times)]
                paint, answer = ([one[place] for one in found] for place in (0, 1))
                busy = await processor_of(url, path, server.pid, 10)
                times_of = f"{min(paint):5.0f} {median(paint):6.0f} {min(answer):5.0f}"
                works = f"{median(answer):6.0f} {busy:9.0f} {min(one[4] for one in found):9.0f}"
                size = f"{found[0][2] / 1024:9.0f} {found[0][3]:9}"
                print(f"{name:24} {times_of} {works} {size}", flush=True)
        finally:
            driver.quit()
    server.stdin.close()
    await server.wait()


if __name__ == "__main__":
    is_server = sys.argv[1:2] == ["serve"]
    numbers = [int(one.replace(",", "")) for one in sys.argv[1 + is_server :]]
    asyncio.run((serve if is_server else main)(*numbers))
