"""The line in front of each container: one runs, the newest waits, roll-outs hold back."""

from datetime import UTC, datetime, timedelta

import nouns
import pytest
from msgspec.structs import replace

from hookrunner.core.planning import next_number
from hookrunner.core.queue import Queue
from hookrunner.model import (
    OUTCOMES,
    STEP_MAY_BECOME,
    Action,
    Outcome,
    Rollout,
    Status,
    Trigger,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ENDS = [
    *((Status.succeeded, outcome) for outcome in (Outcome.updated, Outcome.current)),
    *(
        (Status.failed, o)
        for o in (Outcome.error, Outcome.invalid, Outcome.behind, Outcome.retry)
    ),
    *((status, None) for status in (Status.timed_out, Status.interrupted, Status.stuck)),
]


def make_step(run, number, container, **more):
    pushed = {"repository": "git.example.net/ops/bind", "ref": "refs/heads/main", "after": run}
    return nouns.make_step(run, number, container, **pushed | more)


def rolled(run, *containers, rollout=Rollout.one_first, **more):
    return [
        make_step(run, n, name, rollout=rollout, held=n > 1, **more)
        for n, name in enumerate(containers, start=1)
    ]


class World:
    """A queue, and every step as it was last recorded."""

    def __init__(self):
        self.queue = Queue(lambda step, than: step.run < than.run)
        self.steps = {}

    def take(self, steps):
        for step in steps:
            known = self.steps.get(step.id)
            if known is not None and known.status is not step.status:
                assert step.status in STEP_MAY_BECOME[known.status], (known, step)
            assert step.outcome in OUTCOMES[step.status], step
            self.steps[step.id] = step

    def add(self, steps):
        self.take(steps)
        self.take(self.queue.add(steps))

    def startable(self, now=NOW, limit=64):
        return self.queue.startable(now, can_start=lambda *_: True, limit=limit)

    def start(self, step):
        self.take(self.queue.start(step))
        running = replace(step, status=Status.running)
        self.queue.running[step.id] = running
        self.take([running])
        return running

    def end(self, step, status, outcome=None, *, hands_on=False, now=NOW):
        number = next_number([s for s in self.steps.values() if s.run == step.run])
        ended = replace(step, status=status, outcome=outcome, held=False)
        changed = self.queue.finish(ended, number=number, now=now, hands_on=hands_on)
        self.take([ended, *changed])

    def statuses(self, run):
        steps = sorted((s for s in self.steps.values() if s.run == run), key=lambda s: s.number)
        return [step.status.value for step in steps]


@pytest.fixture
def world():
    return World()


def test_of_many_pushes_one_runs_and_the_newest_waits(world):
    world.add([make_step("a", 1, "dns")])
    first = world.start(world.startable()[0])
    for run in "bcde":
        world.add([make_step(run, 1, "dns")])

    assert world.startable() == []
    assert list(world.queue.waiting) == ["e-1"]
    assert [world.steps[f"{run}-1"].status for run in "bcd"] == [Status.superseded] * 3

    world.end(first, Status.succeeded, Outcome.updated)
    world.start(world.startable()[0])

    assert {world.steps[f"{run}-1"].superseded_by for run in "bcd"} == {"e-1"}


def test_an_older_push_that_comes_late_joins_the_newer_one(world):
    world.add([make_step("b", 1, "dns")])
    world.add([make_step("a", 1, "dns")])

    assert list(world.queue.waiting) == ["b-1"]
    assert world.steps["a-1"].superseded_by == "b-1"


def test_a_request_joins_a_waiting_push_and_leaves_its_commit_and_adds_its_force(world):
    world.add([make_step("a", 1, "dns")])
    world.add([make_step("b", 1, "dns", trigger=Trigger.manual, force=True, after=None)])

    waiting = world.queue.waiting["a-1"]
    assert (waiting.after, waiting.force) == ("a", True)
    assert world.steps["b-1"].superseded_by == "a-1"


def test_a_push_takes_the_place_of_a_waiting_request_and_keeps_its_force(world):
    world.add([make_step("a", 1, "dns", trigger=Trigger.manual, force=True, after=None)])
    world.add([make_step("b", 1, "dns")])

    assert world.queue.waiting["b-1"].force is True
    assert list(world.queue.waiting) == ["b-1"]


def test_validations_and_other_repositories_have_lines_of_their_own(world):
    world.add([make_step("a", 1, "dns")])
    world.add([make_step("b", 1, "dns", action=Action.validate)])
    world.add([make_step("c", 1, "dns", repository="git.example.net/ops/other")])

    assert len(world.queue.waiting) == 3
    assert len(world.startable()) == 1


def test_a_newer_step_keeps_the_place_in_line_so_that_nobody_starves(world):
    world.add([make_step("a", 1, "noisy")])
    world.add([make_step("b", 1, "quiet")])
    world.add([make_step("c", 1, "noisy")])

    assert [step.id for step in world.startable(limit=1)] == ["c-1"]
    world.start(world.startable(limit=1)[0])
    world.add([make_step("d", 1, "noisy")])
    assert [step.id for step in world.startable(limit=2)] == ["b-1"]


def test_of_a_thousand_that_wait_only_those_are_looked_at_that_have_a_slot(world):
    asked = []

    def can_start(step, _running):
        asked.append(step.id)
        return True

    world.add([make_step("a", n, f"dns{n}") for n in range(1000)])
    assert len(world.queue.startable(NOW, can_start=can_start, limit=3)) == 3
    assert asked == ["a-0", "a-1", "a-2"]

    for step in world.startable(limit=3):
        world.start(step)
    assert not world.queue.startable(NOW, can_start=can_start, limit=3)
    assert len(asked) == 3


def test_a_busy_repository_takes_no_slot_that_a_quiet_one_waits_for(world):
    noisy = [f"noisy{n}" for n in range(20)]
    world.add([make_step("a", n, name) for n, name in enumerate(noisy, start=1)])
    world.add([make_step("b", 1, "quiet", repository="git.example.net/ops/quiet")])

    chosen = [step.container for step in world.startable(limit=4)]
    assert chosen == ["noisy0", "quiet", "noisy1", "noisy2"]

    started = [world.start(step) for step in world.startable(limit=4)]
    world.add([make_step("c", 1, "other", repository="git.example.net/ops/other")])
    world.end(started[0], Status.succeeded, Outcome.updated)
    assert [step.container for step in world.startable(limit=4)] == ["other"]


def test_a_busy_repository_reaches_all_of_its_containers_beside_busy_quiet_ones(world):
    names = [f"noisy{n}" for n in range(20)]
    world.add([make_step("a", n, name) for n, name in enumerate(names, start=1)])
    for n in range(100):
        repositories = [f"git.example.net/ops/quiet{m}" for m in range(4)]
        for m, repository in enumerate(repositories):
            world.add([make_step(f"b{n:03}", m, f"quiet{m}", repository=repository)])
        for step in [world.start(step) for step in world.startable(limit=4)]:
            world.end(step, Status.succeeded, Outcome.updated)

    assert world.statuses("a") == ["succeeded"] * 20


def test_one_goes_first_and_the_others_follow_in_parallel(world):
    world.add(rolled("a", "x", "y", "z"))

    assert [step.container for step in world.startable()] == ["x"]
    world.end(world.start(world.startable()[0]), Status.succeeded, Outcome.updated)

    assert [step.container for step in world.startable()] == ["y", "z"]


def test_serial_goes_one_after_the_other(world):
    world.add(rolled("a", "x", "y", "z", rollout=Rollout.serial))
    order = []
    while startable := world.startable():
        [step] = startable
        order.append(step.container)
        world.end(world.start(step), Status.succeeded, Outcome.updated)

    assert order == ["x", "y", "z"]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (Status.failed, Outcome.invalid),
        (Status.failed, Outcome.error),
        (Status.timed_out, None),
    ],
)
def test_a_first_that_fails_stops_the_roll_out(world, status, outcome):
    world.add(rolled("a", "x", "y", "z"))

    world.end(world.start(world.startable()[0]), status, outcome)

    assert world.statuses("a") == [status.value, "cancelled", "cancelled"]
    assert "x went first" in world.steps["a-2"].reason


@pytest.mark.parametrize(
    ("status", "outcome", "hands_on"),
    [
        (Status.skipped, Outcome.current, False),
        (Status.stuck, None, False),
        (Status.failed, Outcome.error, True),
        (Status.failed, Outcome.retry, False),
    ],
)
def test_a_first_that_says_nothing_about_the_others_hands_on(world, status, outcome, hands_on):
    world.add(rolled("a", "x", "y", "z"))

    step = world.startable()[0]
    started = step if status is Status.skipped else world.start(step)
    world.end(started, status, outcome, hands_on=hands_on)

    assert [step.container for step in world.startable()] == ["y"]


def test_while_the_retry_of_a_first_that_is_behind_waits_the_others_wait(world):
    world.add(rolled("a", "x", "y"))

    world.end(world.start(world.startable()[0]), Status.failed, Outcome.behind)

    assert world.startable() == []
    assert world.queue.next_retry() == NOW + timedelta(seconds=30)
    later = NOW + timedelta(seconds=31)
    [retry] = world.startable(later)
    world.end(world.start(retry), Status.succeeded, Outcome.updated, now=later)
    assert [step.container for step in world.startable(later)] == ["y"]


def test_retries_come_after_30_s_2_min_and_10_min_and_then_no_more(world):
    world.add([make_step("a", 1, "dns")])
    now, delays = NOW, []
    while startable := world.startable(now):
        world.end(world.start(startable[0]), Status.failed, Outcome.retry, now=now)
        at = world.queue.next_retry()
        if at is None:
            break
        delays.append((at - now).total_seconds())
        now = at

    assert delays == [30, 120, 600]
    assert world.statuses("a") == ["failed"] * 4


def test_a_person_is_not_retried_for(world):
    world.add([make_step("a", 1, "dns", trigger=Trigger.manual)])

    world.end(world.start(world.startable()[0]), Status.failed, Outcome.retry)

    assert not world.queue.waiting


def test_under_steady_pushes_one_first_still_reaches_every_container(world):
    world.add(rolled("a", "x", "y"))
    for run in "bcdef":
        leads = [step for step in world.startable() if step.container == "x"]
        started = [world.start(step) for step in leads]
        world.add(rolled(run, "x", "y"))
        for step in started:
            world.end(step, Status.succeeded, Outcome.updated)

    reached = [step for step in world.startable() if step.container == "y"]
    assert len(reached) == 1
    world.end(world.start(reached[0]), Status.succeeded, Outcome.updated)
    while startable := world.startable():
        world.end(world.start(startable[0]), Status.succeeded, Outcome.updated)
    assert not world.queue.held
    assert world.steps["f-2"].status is Status.succeeded


def test_a_held_step_waits_for_what_took_the_place_of_its_first(world):
    world.add(rolled("a", "x", "y"))
    world.add(rolled("b", "x", "y"))

    assert world.steps["a-1"].status is Status.superseded
    assert [step.id for step in world.startable()] == ["b-1"]
    world.end(world.start(world.startable()[0]), Status.succeeded, Outcome.updated)

    assert [step.id for step in world.startable()] == ["b-2"]
    assert world.steps["a-2"].superseded_by == "b-2"


def test_a_cancelled_first_stops_its_own_run_and_lets_others_go_on(world):
    world.add(rolled("a", "x", "y"))
    world.add(rolled("b", "x", "z"))

    world.end(world.startable()[0], Status.cancelled)

    assert world.statuses("b") == ["cancelled", "cancelled"]
    assert [step.id for step in world.startable()] == ["a-2"]


def test_where_somebody_holds_the_first_another_goes_first(world):
    world.add(rolled("a", "x", "y", "z"))

    world.take(world.queue.hand_on(lambda step: step.container in "xy"))

    assert [step.id for step in world.startable()] == ["a-1", "a-3"]
    assert list(world.queue.held) == ["a-2"]
    world.end(world.start(world.queue.waiting["a-3"]), Status.failed, Outcome.invalid)
    assert world.statuses("a") == ["queued", "cancelled", "failed"]


def test_a_follower_that_was_cancelled_does_not_go_first(world):
    world.add(rolled("a", "x", "y", "z"))
    world.end(world.queue.held["a-2"], Status.cancelled)

    world.take(world.queue.hand_on(lambda step: step.container == "x"))

    assert [step.id for step in world.startable()] == ["a-1", "a-3"]


def test_where_all_are_held_the_order_stays(world):
    world.add(rolled("a", "x", "y"))

    assert world.queue.hand_on(lambda step: True) == []  # noqa: ARG005
    assert world.queue.hand_on(lambda step: False) == []  # noqa: ARG005
    assert list(world.queue.held) == ["a-2"]


def restored(world):
    """The same world after a restart: only what was recorded is known."""
    after = World()
    after.steps = dict(world.steps)
    is_open = {s.run for s in after.steps.values() if not s.status.is_final}
    steps = sorted(after.steps.values(), key=lambda s: (s.run, s.number))
    after.take(
        after.queue.restore([s for s in steps if s.run in is_open], list(after.steps.values()))
    )
    return after


def test_after_a_restart_whoever_joined_a_step_is_told_what_ran(world):
    for run in "abc":
        world.add([make_step(run, 1, "dns")])

    world = restored(world)
    world.start(world.startable()[0])

    assert [world.steps[f"{run}-1"].superseded_by for run in "ab"] == ["c-1", "c-1"]


def test_after_a_restart_held_steps_wait_for_what_took_the_place_of_their_first(world):
    world.add(rolled("a", "x", "y"))
    world.add(rolled("b", "x", "z"))

    world = restored(world)
    assert [step.id for step in world.startable()] == ["b-1"]
    world.end(world.start(world.startable()[0]), Status.succeeded, Outcome.updated)

    assert [step.id for step in world.startable()] == ["a-2", "b-2"]


def test_a_held_step_that_nobody_leads_any_more_goes_after_a_restart(world):
    world.add(rolled("a", "x", "y", "z"))
    world.take([replace(world.steps["a-1"], status=Status.cancelled)])

    world = restored(world)

    assert [step.id for step in world.startable()] == ["a-2"]
    assert world.steps["a-3"].held
