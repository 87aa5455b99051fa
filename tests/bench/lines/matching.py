"""Finding those that a push is for, among very many."""

import asyncio
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime

from msgspec.structs import replace

from bench import containers
from bench.figures import Figure
from bench.setting import Bench
from hookrunner.adapters.engine import Engine
from hookrunner.config import Config, Source
from hookrunner.core.history import History, known_push
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known, match
from hookrunner.model import Action, Container, Metadata, Push

SOURCE = Source(secrets=(), repositories=("ops/*",))
CALLS = 2000
"""Of a round."""


def measure(bench: Bench) -> Iterator[Figure]:
    """Ten thousand containers of 2,000 projects, made from what is said of a real one."""
    with containers.started("match", project="match") as [container]:
        real = asyncio.run(_look(container))
    few, many = _known(real, 10, 2), _known(real, 10_000, 2_000)
    times: dict[int, list[float]] = {10: [], 10_000: []}
    for _ in range(bench.amount(20, 10)):
        for count, known, projects in ((10, few, 2), (10_000, many, 2_000)):
            times[count].append(_round(known, projects))
    what = "matching a push, of 10,000 containers of 2,000 projects"
    yield Figure(
        what=what,
        against="of 10 containers of 2 projects (5 of them match, as there)",
        unit="µs",
        ours=times[10_000],
        theirs=times[10],
        goal=2.0,
        bound=3.0,
    )
    yield Figure(
        what=what,
        against="100 µs",
        unit="µs",
        ours=times[10_000],
        theirs=[1],
        goal=100,
        bound=300,
    )


async def _look(container: str) -> Container:
    async with Engine.connect("local", os.environ["DOCKER_HOST"], streams=1) as engine:
        [found] = await engine.list_containers([container])
        return found


def _known(real: Container, count: int, projects: int) -> Known:
    inventory = Inventory({})
    for number in range(count):
        project = f"project-{number % projects}"
        url = f"https://git.example.net/ops/{project}.git"
        inventory.put(
            replace(
                real,
                id=f"{number:064x}",
                name=f"{project}-{number}",
                metadata=Metadata(keys={"project": project, "git_repo": url}),
                methods=frozenset(Action),
                current_gitref=f"{0:040x}",
            )
        )
    history = History(
        known_push(
            _push(number % projects, number // projects),
            key=f"git.example.net/ops/project-{number % projects}",
            push_id=f"{number:026d}",
            delivery=f"{number:026d}",
            at=datetime.now(UTC),
        )
        for number in range(3 * projects)
    )
    return Known(config=Config(), inventory=inventory, history=history, bindings={})


def _push(project: int, number: int) -> Push:
    return Push(
        repository=f"ops/project-{project}",
        ref="refs/heads/main",
        urls=(f"https://git.example.net/ops/project-{project}.git",),
        before=f"{number:040x}",
        after=f"{number + 1:040x}",
        commits=(f"{number + 1:040x}",),
        default_branch="main",
    )


def _round(known: Known, projects: int) -> float:
    """Microseconds a match, of pushes to all projects in turn: no two in a row are alike."""
    pushes = [_push(number % projects, 100 + number) for number in range(CALLS)]
    began = time.perf_counter()
    for push in pushes:
        found = match(push, SOURCE, known)
    took = time.perf_counter() - began
    if len(found.targets) != 5:
        raise RuntimeError(f"{len(found.targets)} targets")
    return took / CALLS * 1e6
