"""Why a step waits: what the page says is what the dispatcher goes by."""

from dataclasses import dataclass

import pytest
from browsing import live_run
from msgspec.structs import replace

from hookrunner.model import Status

pytestmark = pytest.mark.process  # a server each: a third of a second

SHARED = {"keys": {"checkout": "/srv/data"}, "mounts": {"/srv": "zones"}}


@dataclass
class Waiting:
    """A step that waits, and what may be in its way."""

    world: object

    def __post_init__(self):
        self.container = self.world.container("bind-1", **SHARED)
        self.run, running = live_run(self.container)
        self.step = replace(running, status=Status.queued, started_at=None)

    def beside(self, name, project="bind", **values):
        """Another step, which runs in a container of its own."""
        run, step = live_run(self.world.container(name, project, **values))
        services = self.world.services
        services.dispatcher._live.add(run, [step])
        services.dispatcher._queue.running[step.id] = step
        return step

    def away(self):
        self.world.services.watchers["local"].is_connected = False

    def gone(self):
        self.world.services.inventory.remove("local", self.container.id)

    def paused(self):
        self.world.services.inventory.put(replace(self.container, state="paused"))

    def shared(self):
        self.beside("bind-2", **SHARED)

    def full_project(self):
        self.beside("bind-2")

    def stuck(self):
        step = self.beside("bind-2", **SHARED)
        self.world.services.dispatcher._queue.running.clear()
        self.world.services.dispatcher._stuck.add(
            step, self.world.container("bind-2", **SHARED)
        )

    def full(self):
        for number in range(4):
            self.beside(f"mail-{number}", "mail")

    def later_in_its_roll_out(self):
        self.step = replace(self.step, held=True)


@pytest.mark.parametrize(
    ("obstacle", "why"),
    [
        ("away", "the engine local does not answer"),
        ("gone", "bind-1 does not run"),
        ("paused", "bind-1 is paused"),
        ("shared", "bind-2, which shares its checkout, is at work"),
        ("stuck", "a step is stuck there, or in a container with the same checkout"),
        ("full_project", "1 steps of bind run already (max_parallel: 1)"),
        ("full", "4 steps run already (max_parallel: 4)"),
        ("later_in_its_roll_out", "one container of bind goes first"),
    ],
)
async def test_a_step_that_waits_says_what_is_in_its_way(make_world, obstacle, why):
    more = "projects: {bind: {max_parallel: 1}}" if obstacle == "full_project" else ""
    world = await make_world(more)
    services = world.services
    services.watchers["local"].is_connected = True
    waiting = Waiting(world)
    getattr(waiting, obstacle)()

    services.dispatcher.submit(waiting.run, [waiting.step])

    assert services.dispatcher.why_it_waits(waiting.step) == why
    for path in ("/", f"/runs/{waiting.run.id}"):
        assert why in (await world.page(path))[2], path
    _, [now] = services.dispatcher.snapshot(waiting.run.id)
    assert now.status is Status.queued
