"""Many who look at one run."""

import asyncio
import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

from bench import containers
from bench.figures import Figure
from bench.servers import Hookrunner, running, until
from bench.setting import Bench

FOLLOWERS = 500
LINES = 300
UPDATE = (
    f'n=0; while [ $n -lt {LINES} ]; do n=$((n+1)); echo "line $n of many"; sleep 0.01; done'
)


def measure(bench: Bench) -> Iterator[Figure]:
    """An update prints 300 lines, ten milliseconds apart and longer."""
    took: dict[int, list[float]] = {1: [], FOLLOWERS: []}
    cpu: dict[int, list[float]] = {1: [], FOLLOWERS: []}
    with containers.started("follow", project="follow", update=UPDATE):
        ours = Hookrunner(bench.work / "follow")
        with running(ours), ProcessPoolExecutor(1) as pool:
            ours.knows(1)
            token = ours.cli("token", "create", "bench", "--scope", "read").strip()
            for _ in range(bench.amount(3, 2)):
                for followers in (1, FOLLOWERS):
                    spent = ours.cpu()
                    run = ours.api(
                        "POST",
                        "/updates",
                        {"project": "follow", "force": True},
                        Accept="application/json",
                    )["id"]
                    complete = pool.submit(_follow, ours.address, token, run, followers)
                    record = until(lambda: _finished(ours, run), "the run")  # noqa: B023
                    if complete.result() != followers:
                        raise RuntimeError("not every follower saw all lines")
                    took[followers].append(record["steps"][0]["seconds"])
                    cpu[followers].append(ours.cpu() - spent)
    busy = sum(cpu[FOLLOWERS]) / sum(took[FOLLOWERS])
    alone = sum(cpu[1]) / sum(took[1])
    yield Figure(
        what=f"a run that {FOLLOWERS} follow",
        against="the same run with one follower",
        unit="s",
        ours=took[FOLLOWERS],
        theirs=took[1],
        goal=1.05,
        bound=1.25,
        note=f"the server's CPU in that time: {busy:.0%} of one core, and {alone:.0%} with one"
        f" follower; the followers' own is on the same machine",
    )


def _finished(server: Hookrunner, run: str) -> dict[str, object] | None:
    found = server.api("GET", f"/runs/{run}")
    time.sleep(0.1)
    return found if found["finished_at"] else None


def _follow(address: tuple[str, int], token: str, run: str, followers: int) -> int:
    """Follow a run so many times at once; how many saw every line."""
    lines = [
        f"GET /api/v1/runs/{run}/output HTTP/1.1",
        "Host: x",
        f"Authorization: Bearer {token}",
        "Accept: application/x-ndjson",
        "Connection: close",
    ]

    async def one() -> bool:
        reader, writer = await asyncio.open_connection(*address)
        writer.write("\r\n".join([*lines, "", ""]).encode())
        text = await reader.read(-1)
        writer.close()
        return text.count(b"of many") == LINES and json.dumps(run).encode() in text

    async def every() -> int:
        return sum(await asyncio.gather(*(one() for _ in range(followers))))

    return asyncio.run(every())
