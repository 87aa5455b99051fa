"""What 500 containers cost that are validated every five minutes, and asked nothing else."""

import time
from collections.abc import Iterator

from bench import containers
from bench.figures import Figure
from bench.servers import Hookrunner, running
from bench.setting import Bench

WINDOW = 15.0
"""Seconds over which the CPU is counted, again and again."""
WANTED = 500 / 300
"""Validations a second."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Fewer containers, each of them as often as is allowed."""
    count, rounds = bench.amount(60, 20), bench.amount(3, 1)
    project = {"validate": ["true"], "validate_every": "1m"}
    server = Hookrunner(bench.work / "validating", projects={"valid": project})
    names = [f"valid-{number}" for number in range(count)]
    with containers.started(*names, project="valid"), running(server):
        server.knows(count)
        time.sleep(2)
        shares = [_share(server) for _ in range(rounds)]
        [last] = server.api("GET", "/runs?limit=1")["items"]
    if last["action"] != "validate" or last["status"] == "failed":
        raise RuntimeError(f"not validated: {last}")
    yield Figure(
        what="500 containers, each validated every 5 min",
        against=f"CPU of a core, from {count} every minute",
        unit="%",
        ours=[share * WANTED / (count / 60) for share in shares],
        theirs=[1],
        goal=3,
        bound=6,
    )


def _share(server: Hookrunner) -> float:
    """Per cent of a core that it takes for a while."""
    before, began = server.cpu(), time.monotonic()
    time.sleep(WINDOW)
    return 100 * (server.cpu() - before) / (time.monotonic() - began)
