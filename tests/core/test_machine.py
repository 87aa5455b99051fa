"""Anything in any order, with the real queue, plans, history and outcomes: what holds."""

from datetime import UTC, datetime, timedelta

import nouns
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from hookrunner.config import Project
from hookrunner.core.eligibility import nothing_to_do
from hookrunner.core.history import History, known_push
from hookrunner.core.outcome import conclude, run_status
from hookrunner.core.planning import Planned, next_number, plan
from hookrunner.core.queue import Queue, by_history
from hookrunner.model import (
    OUTCOMES,
    RUN_MAY_BECOME,
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
KEY = "git.example.net/ops/bind"
REF = "refs/heads/main"
PROJECTS = {"x": "bind", "y": "bind", "z": "bind", "w": "www"}
TRIGGERS = (Trigger.manual, Trigger.schedule, Trigger.catch_up)


class Machine(RuleBasedStateMachine):
    """A git server, four containers, and all that hookrunner decides between them."""

    def __init__(self):
        super().__init__()
        self.ticks = 0
        self.ids = 0
        self.tip = "c0"
        self.commits = ["c0"]
        self.on_the_way = []
        self.delivered = []
        self.history = History()
        self.queue = Queue(by_history(self.history))
        self.steps = {}
        self.runs = {}
        self.arrived = {}
        self.started = {}
        self.holds = set()
        self.took_place = []
        self.containers = {name: self.container(name, "c0") for name in PROJECTS}

    def now(self):
        return NOW + timedelta(seconds=self.ticks)

    def new_id(self, kind):
        self.ids += 1
        return f"{kind}{self.ids:06}"

    def container(self, name, gitref):
        return nouns.make_container(
            name,
            {"project": PROJECTS[name]},
            id=f"{name}-{self.new_id('i')}",
            created_at=self.now(),
            current_gitref=gitref,
        )

    def take(self, steps):
        runs = set()
        for step in steps:
            known = self.steps.get(step.id)
            if known is None:
                assert step.status in {Status.queued, Status.skipped}, step
            elif known.status is not step.status:
                assert step.status in STEP_MAY_BECOME[known.status], (known, step)
                if step.status is Status.superseded:
                    self.took_place.append(step)
            assert step.outcome in OUTCOMES[step.status], step
            assert not (step.held and step.status is not Status.queued), step
            self.steps[step.id] = step
            runs.add(step.run)
        while self.took_place:
            old = self.took_place.pop()
            by = self.steps[old.superseded_by]
            if old.trigger is by.trigger is Trigger.push:
                assert not self.history.is_older(KEY, REF, by.after, old.after), (old, by)
        for run in runs:
            status = run_status(self.of_run(run))
            before = self.runs.get(run, Status.queued)
            assert status is before or status in RUN_MAY_BECOME[before], (before, status)
            self.runs[run] = status

    def of_run(self, run):
        return sorted((s for s in self.steps.values() if s.run == run), key=lambda s: s.number)

    def begin(self, trigger, names, *, push=None, rollout=Rollout.one_first, force=False):
        self.ticks += 1
        run = Run(
            id=self.new_id("r"),
            trigger=trigger,
            action=Action.update,
            created_at=self.now(),
            push=push,
        )
        targets = [
            Planned(
                container=self.containers[name],
                project=Project(rollout=rollout),
                repository=KEY,
                held=name in self.holds,
                idle=self.idle(self.containers[name], push.after, force) if push else None,
            )
            for name in names
        ]
        steps = plan(run, targets, force=force, now=self.now())
        steps = [replace(step, id=self.new_id("s")) for step in steps]
        self.runs[run.id] = Status.queued
        self.arrived |= {step.id: self.ticks for step in steps}
        self.take(steps)
        self.take(self.queue.add(steps))

    def idle(self, container, after, force):
        return nothing_to_do(
            container,
            Action.update,
            repository=KEY,
            ref=REF if after else None,
            after=after,
            history=self.history,
            force=force,
        )

    def is_held(self, step):
        return step.container in self.holds

    def startable(self, limit=3):
        self.take(self.queue.hand_on(self.is_held))
        return self.queue.startable(
            self.now(), can_start=lambda step, _: not self.is_held(step), limit=limit
        )

    def end(self, step, **how):
        hands_on = how.pop("hands_on", False)
        ended = replace(step, finished_at=self.now(), **how)
        number = next_number(self.of_run(step.run))
        changed = self.queue.finish(ended, number=number, now=self.now(), hands_on=hands_on)
        renamed = {step.id for step in changed if step.id not in self.steps}
        self.arrived |= dict.fromkeys(renamed, self.ticks)
        self.take([ended, *changed])

    def begin_step(self, step):
        self.ticks += 1
        self.take(self.queue.start(step))
        container = self.containers[step.container]
        idle = self.idle(container, step.after, step.force)
        if idle is not None:
            self.end(step, status=Status.skipped, outcome=idle.outcome)
            return None
        running = replace(
            step,
            status=Status.running,
            started_at=self.now(),
            container_id=container.id,
            gitref_before=container.current_gitref,
        )
        self.queue.running[step.id] = running
        self.started[step.id] = self.ticks
        self.take([running])
        return running

    def end_step(self, step, exit_code):
        self.ticks += 1
        container = self.containers[step.container]
        is_there = container.id == step.container_id
        gitref = self.tip if exit_code == 0 else None
        found = conclude(
            step.action,
            exit_code,
            gitref_before=step.gitref_before,
            gitref=gitref,
            asked=step.after is not None,
            is_served=self.history.serves(gitref, KEY, REF, step.after),
        )
        if is_there:
            served = gitref if found.status is Status.succeeded else container.current_gitref
            self.containers[step.container] = replace(
                container,
                current_gitref=served,
                dirty=found.status is not Status.succeeded,
            )
        self.end(step, status=found.status, outcome=found.outcome, exit_code=exit_code)

    @rule(data=st.data(), back=st.booleans())
    def push(self, data, back):
        before = self.tip
        if back and len(self.commits) > 2:
            self.tip = data.draw(st.sampled_from([c for c in self.commits if c != before]))
        else:
            self.tip = f"c{len(self.commits)}"
            self.commits.append(self.tip)
        self.on_the_way.append(
            Push(
                repository="ops/bind",
                ref=REF,
                before=before,
                after=self.tip,
                commits=(self.tip,),
            )
        )

    @precondition(lambda self: self.on_the_way)
    @rule(data=st.data(), rollout=st.sampled_from(Rollout))
    def deliver(self, data, rollout):
        place = data.draw(st.integers(0, len(self.on_the_way) - 1))
        push = self.on_the_way.pop(place)
        known = known_push(push, key=KEY, push_id=self.new_id("p"), delivery="d", at=self.now())
        self.delivered.append((push, known))
        self.history.add(known)
        self.begin(Trigger.push, PROJECTS, push=push, rollout=rollout)

    @precondition(lambda self: self.delivered)
    @rule(data=st.data())
    def redeliver(self, data):
        push, known = data.draw(st.sampled_from(self.delivered))
        self.history.add(known)
        self.begin(Trigger.push, PROJECTS, push=push)

    @rule(
        names=st.sets(st.sampled_from(sorted(PROJECTS)), min_size=1),
        trigger=st.sampled_from(TRIGGERS),
        force=st.booleans(),
    )
    def ask(self, names, trigger, force):
        self.begin(trigger, sorted(names), force=force)

    @rule(data=st.data())
    def start(self, data):
        if startable := self.startable():
            self.begin_step(data.draw(st.sampled_from(startable)))

    @rule(data=st.data())
    def start_in_vain(self, data):
        if startable := self.startable():
            step = data.draw(st.sampled_from(startable))
            self.take(self.queue.start(step))
            self.take(self.queue.put_back(step))

    @precondition(lambda self: self.queue.running)
    @rule(data=st.data(), exit_code=st.sampled_from([0, 0, 0, 1, 65, 75, 78]))
    def finish(self, data, exit_code):
        step = data.draw(st.sampled_from(list(self.queue.running.values())))
        self.end_step(step, exit_code)

    @precondition(lambda self: self.queue.running)
    @rule(
        data=st.data(),
        status=st.sampled_from([Status.timed_out, Status.stuck, Status.interrupted]),
    )
    def stop(self, data, status):
        self.ticks += 1
        step = data.draw(st.sampled_from(list(self.queue.running.values())))
        self.end(step, status=status)

    @precondition(lambda self: any(self.queue))
    @rule(data=st.data())
    def cancel(self, data):
        step = data.draw(st.sampled_from(list(self.queue)))
        self.ticks += 1
        self.end(step, status=Status.cancelled, held=False)

    @rule(name=st.sampled_from(sorted(PROJECTS)))
    def hold_or_release(self, name):
        self.holds ^= {name}

    @rule(data=st.data())
    def replace_container(self, data):
        name = data.draw(st.sampled_from(sorted(PROJECTS)))
        old = self.containers[name]
        gitref = data.draw(st.sampled_from([None, *self.commits]))
        self.containers[name] = self.container(name, gitref)
        for step in list(self.queue.running.values()):
            if step.container_id == old.id:
                self.ticks += 1
                self.end(step, status=Status.failed, outcome=Outcome.error, hands_on=True)

    @rule(data=st.data())
    def crash_and_restart(self, data):
        pushes = sorted((known for _, known in self.delivered), key=lambda known: known.id)
        self.history = History(pushes)
        self.queue = Queue(by_history(self.history))
        is_open = {step.run for step in self.steps.values() if not self.is_over(step)}
        everything = sorted(self.steps.values(), key=lambda step: (step.run, step.number))
        mine = [step for step in everything if step.run in is_open]
        self.take(self.queue.restore(mine, everything))
        for step in list(self.queue.running.values()):
            if data.draw(st.booleans()):  # else it is found again, and goes on
                self.end(step, status=Status.interrupted)

    @rule(minutes=st.integers(1, 11))
    def wait(self, minutes):
        self.ticks += 60 * minutes

    @staticmethod
    def is_over(step):
        return step.status not in {Status.queued, Status.running}

    def end_of_chain(self, step):
        while step.status is Status.superseded:
            assert step.superseded_by in self.steps, step
            step = self.steps[step.superseded_by]
        return step

    @invariant()
    def at_most_one_step_runs_in_a_container(self):
        running = [step.container for step in self.queue.running.values()]
        assert len(running) == len(set(running))

    @invariant()
    def at_most_one_waits_for_each_action_and_repository(self):
        lines = [(s.container, s.action, s.repository) for s in self.queue.waiting.values()]
        assert len(lines) == len(set(lines))

    @invariant()
    def what_is_not_over_is_in_the_queue_as_it_is_recorded(self):
        assert {s.id for s in self.queue} == {
            step.id for step in self.steps.values() if not self.is_over(step)
        }
        assert all(self.steps[step.id] == step for step in self.queue)

    @invariant()
    def a_step_is_covered_by_one_that_started_after_it_was_asked_for(self):
        for step in self.steps.values():
            last = self.end_of_chain(step)
            if last.id in self.started:
                assert self.started[last.id] > self.arrived[step.id], (step, last)
            assert last.container == step.container

    def teardown(self):
        self.holds.clear()
        self.finish_all()
        before, self.tip = self.tip, "the last one"
        push = Push(
            repository="ops/bind", ref=REF, before=before, after=self.tip, commits=(self.tip,)
        )
        known = known_push(push, key=KEY, push_id="q", delivery="d", at=self.now())
        self.history.add(known)
        self.begin(Trigger.push, PROJECTS, push=push)
        self.finish_all()
        assert not any(self.queue), list(self.queue)
        assert {c.current_gitref for c in self.containers.values()} == {self.tip}

    def finish_all(self):
        for _ in range(300):
            self.ticks += 700
            for step in self.startable(limit=64):
                if self.queue.waiting.get(step.id) == step:
                    self.begin_step(step)
            running = list(self.queue.running.values())
            for step in running:
                self.end_step(step, 0)
            if not running and not self.queue.waiting:
                break


TestMachine = Machine.TestCase
TestMachine.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=40
)


@pytest.mark.soak
class TestMachineAtLength(Machine.TestCase):
    """The same, far longer than each change can wait for."""

    settings = settings(TestMachine.settings, max_examples=2000)
