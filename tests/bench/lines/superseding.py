"""A thousand pushes to one repository while an update runs."""

import time
from collections.abc import Iterator

from bench import containers
from bench.engine import docker
from bench.figures import Figure
from bench.pushes import Push, send_all
from bench.servers import Hookrunner, running, until
from bench.setting import Bench

PUSHES = 1000
CONNECTIONS = 16


def measure(bench: Bench) -> Iterator[Figure]:
    """It makes one more update, of the newest commit."""
    update = "sleep 1; echo >>/updates"
    with containers.started("flood", project="flood", update=update) as [container]:
        ours = Hookrunner(bench.work / "superseding")
        with running(ours):
            ours.knows(1)
            Push("ops/flood").send(ours.address, "/hooks/bench")
            until(lambda: _some(ours, "running"), "the first update to run")
            pushes = [Push("ops/flood") for _ in range(PUSHES - 1)]
            last = pushes.pop()
            began = time.monotonic()
            send_all(pushes, ours.address, "/hooks/bench", connections=CONNECTIONS)
            last.send(ours.address, "/hooks/bench")
            until(lambda: ours.containers()[0]["current_gitref"] == last.after, "the newest")
            until(lambda: not _some(ours, "queued") and not _some(ours, "running"), "quiet")
            seconds = time.monotonic() - began
        updates = int(docker("exec", container, "sh", "-c", "wc -l </updates"))
    yield Figure(
        what=f"updates for {PUSHES:,} pushes to one repository while one of 1 s runs",
        against="webhook starts 1,000 processes",
        unit="",
        ours=[updates],
        theirs=[1],
        goal=2,
        bound=3,
    )
    yield Figure(
        what="the same, until all is quiet and the newest commit is served",
        against="1 s of it is the update",
        unit="s",
        ours=[seconds],
        theirs=[1],
        goal=3,
        bound=8,
    )


def _some(server: Hookrunner, status: str) -> bool:
    return bool(server.api("GET", f"/runs?status={status}&limit=1")["items"])
