"""An hour at 50 pushes a second: memory and latency stay as they were after five minutes."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import containers
from bench.figures import Figure, percentile
from bench.pushes import Push
from bench.servers import Hookrunner, running
from bench.setting import Bench

RATE = 50
CONTAINERS = 20
_BEGIN = 1 / 12
"""The share of the time after which it counts: five minutes of an hour."""


def measure(minutes: float) -> Callable[[Bench], Iterator[Figure]]:
    """The line, for so long."""

    def soak(bench: Bench) -> Iterator[Figure]:
        seconds = minutes * 60
        names = [f"soak-{number}" for number in range(CONTAINERS)]
        ids = [containers.start(name, project=name) for name in names]
        latencies: list[tuple[float, float]] = []
        memory: list[tuple[float, float]] = []
        lock = threading.Lock()
        ours = Hookrunner(bench.work / "soak")

        def push(number: int, began: float) -> None:
            due = began + number / RATE
            time.sleep(max(0.0, due - time.monotonic()))
            sent = time.monotonic()
            Push(f"ops/{names[number % CONTAINERS]}").send(ours.address, "/hooks/bench")
            with lock:
                latencies.append((due - began, (time.monotonic() - sent) * 1000))
                if number % RATE == 0:
                    memory.append((due - began, ours.memory()))

        with running(ours), ThreadPoolExecutor(16) as pool:
            ours.knows(CONTAINERS)
            began = time.monotonic()
            list(pool.map(lambda number: push(number, began), range(int(seconds * RATE))))
        containers.remove(ids)
        window = seconds * _BEGIN
        early = [ms for at, ms in latencies if window <= at < 2 * window]
        late = [ms for at, ms in latencies if at >= seconds - window]
        held = {
            "early": [mib for at, mib in memory if window <= at < 2 * window],
            "late": [mib for at, mib in memory if at >= seconds - window],
        }
        what = f"after {minutes:g} min at {RATE} pushes/s on {CONTAINERS} containers"
        for name, values in (
            ("half of the answers within", (statistics.median(late), statistics.median(early))),
            ("99 % of them within", (percentile(late, 0.99), percentile(early, 0.99))),
        ):
            yield Figure(
                what=f"{what}: {name}",
                against=f"from minute {minutes * _BEGIN:g} on",
                unit="ms",
                ours=values[:1],
                theirs=values[1:] or [1],
                goal=1.1,
                bound=1.5,
            )
        yield Figure(
            what=f"{what}: memory",
            against=f"from minute {minutes * _BEGIN:g} on",
            unit="MiB",
            ours=[statistics.median(held["late"])],
            theirs=[statistics.median(held["early"])],
            goal=1.05,
            bound=1.2,
        )

    return soak
