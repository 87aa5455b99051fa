"""From targets to steps, and how what was planned comes to its end in any order."""

from datetime import UTC, datetime, timedelta

import nouns
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from hookrunner.config import Project
from hookrunner.core.eligibility import Idle
from hookrunner.core.planning import (
    RETRY_DELAYS,
    Planned,
    follow_up,
    next_number,
    plan,
    soon,
    try_again,
)
from hookrunner.core.queue import Queue
from hookrunner.model import (
    OUTCOMES,
    STEP_MAY_BECOME,
    Action,
    Outcome,
    Push,
    Rollout,
    Run,
    Status,
    Trigger,
)

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = ["git.example.net/ops/bind", "git.example.net/ops/zones"]
REF = "refs/heads/main"


def make_target(name, *, project="bind", health=None, rollout=Rollout.one_first, **more):
    container = nouns.make_container(
        name, {"project": project}, health=health, current_gitref="a" * 40
    )
    settled = Project(rollout=rollout, timeout=5.0, output_limit=1 << 17)
    return Planned(container=container, project=settled, **more)


def make_run(*, action=Action.update, trigger=Trigger.push, run="run", after="b" * 40):
    push = (
        Push(repository="ops/bind", ref=REF, after=after) if trigger is Trigger.push else None
    )
    return Run(id=run, trigger=trigger, action=action, created_at=NOW, push=push)


def planned(*targets, force=False, **run):
    return plan(make_run(**run), targets, force=force, now=NOW)


def order(steps):
    return [(step.container, step.held) for step in steps]


def test_the_first_by_name_goes_first_and_holds_the_others_back():
    steps = planned(make_target("c"), make_target("a"), make_target("b"))

    assert order(steps) == [("a", False), ("b", True), ("c", True)]
    assert [step.number for step in steps] == [1, 2, 3]


def test_a_healthy_one_goes_first():
    steps = planned(
        make_target("a", health="unhealthy"),
        make_target("b", health="starting"),
        make_target("d", health="healthy"),
        make_target("c", health="healthy"),
    )

    assert [step.container for step in steps] == ["c", "d", "a", "b"]


@pytest.mark.parametrize(
    ("rollout", "action", "held"),
    [
        (Rollout.one_first, Action.update, [False, True, True]),
        (Rollout.serial, Action.update, [False, True, True]),
        (Rollout.parallel, Action.update, [False, False, False]),
        (Rollout.one_first, Action.validate, [False, False, False]),
    ],
)
def test_a_roll_out_holds_back_updates_and_nothing_else(rollout, action, held):
    steps = planned(*(make_target(n, rollout=rollout) for n in "abc"), action=action)

    assert [step.held for step in steps] == held


def test_projects_do_not_wait_for_one_another():
    steps = planned(make_target("a"), make_target("b"), make_target("c", project="www"))

    assert order(steps) == [("a", False), ("b", True), ("c", False)]


def test_a_skipped_one_holds_nobody_back_and_says_why():
    idle = make_target("a", idle=Idle("it already serves b", is_current=True))

    first, second, third = planned(idle, make_target("b"), make_target("c"))

    assert (first.status, first.outcome) == (Status.skipped, Outcome.current)
    assert (first.reason, first.finished_at) == ("it already serves b", NOW)
    assert order([second, third]) == [("b", False), ("c", True)]


def test_a_step_carries_what_its_push_and_project_say():
    [step] = planned(make_target("a", repository=KEYS[0]), force=True)

    assert (step.ref, step.after, step.force) == (REF, "b" * 40, True)
    assert (step.timeout, step.output_limit, step.repository) == (5.0, 1 << 17, KEYS[0])
    assert planned(make_target("a"), trigger=Trigger.manual)[0].after is None


@pytest.mark.parametrize("outcome", [Outcome.retry, Outcome.behind])
def test_it_is_tried_again_after_30_s_2_min_and_10_min(outcome):
    [step] = planned(make_target("a"))
    delays = []
    while step is not None:
        ended = replace(step, status=Status.failed, outcome=outcome, exit_code=75, gitref="x")
        step = follow_up(ended, number=step.number + 1, now=NOW)
        if step is not None:
            delays.append((step.not_before - NOW).total_seconds())
            assert (step.status, step.outcome, step.exit_code) == (Status.queued, None, None)
            assert step.gitref is None

    assert tuple(delays) == RETRY_DELAYS == (30, 120, 600)


@pytest.mark.parametrize("trigger", list(Trigger))
def test_only_people_retry_for_themselves(trigger):
    [step] = planned(make_target("a"), trigger=trigger)
    ended = replace(step, status=Status.failed, outcome=Outcome.retry)

    again = follow_up(ended, number=2, now=NOW)

    assert (again is None) is (trigger in {Trigger.manual, Trigger.chat})


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        (status, outcome)
        for status in Status
        if status.is_final
        for outcome in sorted(OUTCOMES[status], key=str)
        if outcome not in {"retry", "behind"}
    ],
)
def test_nothing_else_but_interrupted_is_tried_again(status, outcome):
    [step] = planned(make_target("a"), trigger=Trigger.manual)

    again = follow_up(replace(step, status=status, outcome=outcome), number=2, now=NOW)

    assert (again is not None) is (status is Status.interrupted)
    if again is not None:
        assert (again.not_before, again.attempt) == (None, 1)


def test_what_was_put_back_and_superseded_points_to_who_ran_instead():
    queue = Queue(lambda step, than: step.run < than.run)
    a, b, c = (
        planned(make_target("x", repository=KEYS[0]), run=run, after=run)[0] for run in "abc"
    )
    queue.add([a])
    queue.add([b])
    queue.start(b)
    queue.add([c])

    queue.put_back(b)
    changed = queue.start(queue.waiting[c.id])

    assert {step.id: step.superseded_by for step in changed if step.id == a.id} == {a.id: c.id}


ENDS = [
    (status, outcome)
    for status in STEP_MAY_BECOME[Status.running]
    for outcome in OUTCOMES[status]
    if outcome is not Outcome.valid
]


class RollOuts(RuleBasedStateMachine):
    """Pushes to two repositories, requests and ends of every kind, in any order."""

    def __init__(self):
        super().__init__()
        self.queue = Queue(lambda step, than: step.after is not None and step.run < than.run)
        self.steps = {}
        self.now = NOW
        self.clock = 0
        self.came, self.started, self.newest = {}, {}, {}

    def take(self, steps):
        for step in steps:
            known = self.steps.get(step.id)
            if known is not None and known.status is not step.status:
                assert step.status in STEP_MAY_BECOME[known.status], (known, step)
            assert step.outcome in OUTCOMES[step.status], step
            self.steps[step.id] = step

    @rule(
        names=st.sets(st.sampled_from("wxyz"), min_size=1),
        rollout=st.sampled_from(Rollout),
        repository=st.sampled_from(KEYS),
        trigger=st.sampled_from([Trigger.push, Trigger.push, Trigger.manual, Trigger.catch_up]),
        action=st.sampled_from([Action.update, Action.update, Action.validate]),
        force=st.booleans(),
    )
    def ask(self, *, names, rollout, repository, trigger, action, force):
        action = Action.update if trigger is Trigger.push else action
        self.clock += 1
        run = f"r{self.clock:05}"
        steps = planned(
            *(make_target(n, rollout=rollout, repository=repository) for n in names),
            force=force,
            run=run,
            after=run,
            trigger=trigger,
            action=action,
        )
        for step in steps:
            self.came[step.id] = self.clock
            if trigger is Trigger.push:
                self.newest[step.container, repository] = step.id
        self.take(steps)
        self.take(self.queue.add(steps))

    def startable(self):
        return self.queue.startable(self.now, can_start=lambda *_: True, limit=3)

    def begin(self, step):
        self.clock += 1
        self.started[step.id] = self.clock
        self.take(self.queue.start(step))
        self.queue.running[step.id] = running = replace(step, status=Status.running)
        self.take([running])

    def end(self, step, status, outcome=None, *, hands_on=False):
        number = next_number([s for s in self.steps.values() if s.run == step.run])
        ended = replace(step, status=status, outcome=outcome, held=False)
        changed = self.queue.finish(ended, number=number, now=self.now, hands_on=hands_on)
        self.take([ended, *changed])

    @rule(data=st.data())
    def start(self, data):
        if startable := self.startable():
            self.begin(data.draw(st.sampled_from(startable)))

    @rule(data=st.data(), end=st.sampled_from(ENDS), hands_on=st.booleans())
    def finish(self, data, end, hands_on):
        if running := list(self.queue.running.values()):
            self.end(data.draw(st.sampled_from(running)), *end, hands_on=hands_on)

    @rule(data=st.data(), status=st.sampled_from([Status.cancelled, Status.skipped]))
    def give_up(self, data, status):
        queued = list(self.queue.waiting.values())
        queued += self.queue.held.values() if status is Status.cancelled else []
        if queued:
            self.end(data.draw(st.sampled_from(queued)), status)

    @rule()
    def hurry(self):
        self.take(self.queue.hurry(list(self.queue.waiting)))

    @rule(seconds=st.sampled_from([1, 31, 601]))
    def wait(self, seconds):
        self.now += timedelta(seconds=seconds)

    @invariant()
    def one_runs_in_a_container_and_one_waits_of_each_action_and_repository(self):
        running = [step.container for step in self.queue.running.values()]
        waiting = [(s.container, s.action, s.repository) for s in self.queue.waiting.values()]

        assert len(running) == len(set(running))
        assert len(waiting) == len(set(waiting))

    @invariant()
    def what_is_not_over_is_in_the_queue_and_what_is_held_follows_somebody(self):
        alive = {one for one, step in self.steps.items() if not step.status.is_final}
        followed = {
            follower
            for lead, followers in self.queue._followers.items()
            if lead in self.queue.waiting or lead in self.queue.running
            for follower in followers
        }

        assert alive == {one for one in self.steps if one in self.queue}
        assert set(self.queue.held) <= followed

    def teardown(self):
        for _ in range(300):
            self.now += timedelta(minutes=11)
            for step in self.startable():
                self.begin(step)
            for step in list(self.queue.running.values()):
                self.end(step, Status.succeeded, Outcome.updated)
        assert not any((self.queue.waiting, self.queue.running, self.queue.held))
        assert not any((self.queue._followers, self.queue._absorbed))
        for came in self.newest.values():
            self.is_covered(came)

    def is_covered(self, newest):
        """The newest push ran, or what took its place ran after it came, or it was refused."""
        step = self.steps[newest]
        seen = {step.id}
        while step.status is Status.superseded:
            step = self.steps[step.superseded_by]
            assert step.id not in seen, "superseded in a circle"
            seen.add(step.id)
        given_up = step.status in {Status.cancelled, Status.skipped}
        assert given_up or self.started[step.id] > self.came[newest], step


TestRollOuts = RollOuts.TestCase
TestRollOuts.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=40
)


@pytest.mark.parametrize("ahead", [-10.0, 0.0, 600.0])
def test_a_retry_keeps_its_time_over_a_restart(make_step, ahead):
    step = make_step("r", 1, "dns", not_before=NOW + timedelta(seconds=ahead))

    assert soon(step, NOW) == step


def test_a_retry_that_the_clock_left_hours_ahead_is_due_within_the_longest_delay(make_step):
    step = make_step("r", 1, "dns", not_before=NOW + timedelta(hours=2))

    assert soon(step, NOW).not_before == NOW + timedelta(seconds=max(RETRY_DELAYS))


def test_trying_again_makes_one_step_for_each_container_that_failed(make_step):
    first = make_step("run", 1, "a", status=Status.failed, outcome=Outcome.error)
    retried = make_step(
        "run",
        3,
        "a",
        status=Status.succeeded,
        outcome=Outcome.updated,
    )
    bad = make_step(
        "run", 2, "b", status=Status.timed_out, attempt=4, rollout=Rollout.one_first
    )
    rest = make_step("run", 4, "c", status=Status.cancelled, rollout=Rollout.one_first)
    fine = make_step("run", 5, "d", status=Status.skipped)

    made = try_again([first, bad, retried, rest, fine], asked_by="token ci", now=NOW)

    assert [(s.container, s.number, s.status, s.attempt, s.held) for s in made] == [
        ("b", 6, Status.queued, 1, False),
        ("c", 7, Status.queued, 1, True),
    ]
    assert try_again([retried, fine], asked_by="token ci", now=NOW) == []
