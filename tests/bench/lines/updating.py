"""From a signed push to the end of the update that it causes, in one container."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench import containers
from bench.figures import Figure
from bench.pushes import Push
from bench.servers import Hookrunner, Webhook, running
from bench.setting import Bench

WEBHOOK = "webhook 2.8.0 running docker exec"
FLOOR = "the same exec by hand, over a kept connection"


def trivial(bench: Bench) -> Iterator[Figure]:
    """An update that is `true`: all that is left is the way there."""
    with containers.started("true", project="true") as [container]:
        yield from _compare(
            bench,
            container,
            project="true",
            what="push to end of update (`true`)",
            prepare=lambda: "",
            rounds=bench.amount(60, 15),
            goals=(0.80, 1.10),
            bounds=(0.95, 1.4),
        )


def name_server(bench: Bench) -> Iterator[Figure]:
    """A real one: fetch, validate, reload BIND."""
    directory = bench.work / "bind"
    directory.mkdir()
    server = containers.NameServer(directory)
    try:
        yield from _compare(
            bench,
            server.id,
            project="bind",
            what="push to end of update (BIND: fetch, validate, reload)",
            prepare=server.push,
            rounds=bench.amount(20, 6),
            goals=(0.95, 1.05),
            bounds=(1.05, 1.15),
        )
    finally:
        server.close()


def _compare(
    bench: Bench,
    container: str,
    *,
    project: str,
    what: str,
    prepare: Callable[[], str],
    rounds: int,
    goals: tuple[float, float],
    bounds: tuple[float, float],
) -> Iterator[Figure]:
    """Take turns.

    Args:
        prepare: Makes the next commit, if there is to be one.
    """
    place: Path = bench.work / f"update-{project}"
    ours = Hookrunner(place / "hookrunner")
    command = (shutil.which("docker") or "docker", "exec", container, "container", "--update")
    theirs = Webhook(place / "webhook", command, waits=True)

    def push() -> None:
        answer = Push(f"ops/{project}", after=commit).send(
            ours.address, "/hooks/bench?stream=1"
        )
        if b"succeeded: 1 updated" not in answer:
            raise RuntimeError(answer.decode())

    ways: Mapping[str, Callable[[], object]] = {
        "ours": push,
        "webhook": lambda: Push(f"ops/{project}").send(theirs.address, "/hooks/bench"),
        "floor": lambda: containers.execute_update(bench.engine, container, project=project),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    with running(ours, theirs):
        ours.knows(1)
        for number in range(-3, rounds):  # the first ones do not count
            turn = number % len(ways)
            for name in [*ways][turn:] + [*ways][:turn]:
                commit = prepare()
                began = time.perf_counter()
                ways[name]()
                if number >= 0:
                    times[name].append((time.perf_counter() - began) * 1000)
    for against, name, goal, bound in zip(
        (WEBHOOK, FLOOR), ("webhook", "floor"), goals, bounds, strict=True
    ):
        yield Figure(
            what=what,
            against=against,
            unit="ms",
            ours=times["ours"],
            theirs=times[name],
            goal=goal,
            bound=bound,
        )
