"""Which step may start next: one line in front of each container.

A reducer. At most one step runs in a container; of each action and repository at most one
waits there, the newest. Steps that a roll-out holds back are in no line yet: they follow
another step, and are released, passed on or cancelled when that one ends.
Every method returns the steps that it changed, so that the caller can record them.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from heapq import heapify, heappop, heappush
from itertools import chain

from msgspec.structs import replace

from hookrunner.core.history import History
from hookrunner.core.planning import follow_up
from hookrunner.core.succession import ends_of
from hookrunner.core.waiting import Waiting, is_due, line_of
from hookrunner.model import Outcome, Rollout, Status, Step, Trigger

IsOlder = Callable[[Step, Step], bool]
"""Whether the first step's push came before the second's."""


def by_history(history: History) -> IsOlder:
    """Compare steps by what is known of the ref, else by the order in which they were asked."""

    def is_older(step: Step, than: Step) -> bool:
        if step.repository == than.repository and step.ref == than.ref and step.ref is not None:
            if history.is_older(step.repository, step.ref, step.after, than.after):
                return True
            if history.is_older(step.repository, step.ref, than.after, step.after):
                return False
        return step.run < than.run

    return is_older


class Queue:
    """All steps that wait or run.

    Args:
        is_older: Tells which of two pushes came first.

    Attributes:
        waiting: The released steps in the order in which they may start, by id.
        running: Those that run, by id.
        held: Those that a roll-out holds back, by id.
    """

    def __init__(self, is_older: IsOlder) -> None:
        self._is_older = is_older
        self.waiting = Waiting()
        self.running: dict[str, Step] = {}
        self.held: dict[str, Step] = {}
        self._followers: dict[str, list[str]] = {}
        self._absorbed: dict[str, list[Step]] = {}

    def __iter__(self) -> Iterator[Step]:
        return chain(self.waiting.values(), self.running.values(), self.held.values())

    def __contains__(self, step_id: str) -> bool:
        return step_id in self.waiting or step_id in self.running or step_id in self.held

    def add(self, steps: Iterable[Step]) -> list[Step]:
        """Take the queued steps of one run, in their order.

        Returns:
            The steps that changed by it: superseded ones, and those that took more force.
        """
        changed: list[Step] = []
        leads: dict[str, str] = {}
        for step in steps:
            if step.status is not Status.queued:
                continue
            if step.held and step.project in leads:
                self._hold(step, behind=leads[step.project])
            else:
                leads[step.project] = self._enqueue(replace(step, held=False), changed)
        return changed

    def _hold(self, step: Step, *, behind: str) -> None:
        """Take a held step that waits for another one, which is in a line or runs."""
        self.held[step.id] = step
        self._followers.setdefault(behind, []).append(step.id)

    def restore(self, steps: Iterable[Step], others: Iterable[Step] = ()) -> list[Step]:
        """Take up what an earlier process left, before anything starts.

        Args:
            steps: All steps of the runs that are not over, by run and number.
            others: Steps of other runs that tell who took whose place: those that one of
                `steps` was superseded by, or that were superseded by one of them.

        Returns:
            The steps that changed by it.
        """
        everything = list(steps)
        changed: list[Step] = []
        known = {step.id: step for step in (*others, *everything)}
        for step in everything:
            if step.status is Status.running:
                self.running[step.id] = step
            elif step.status is Status.queued and not step.held:
                self._enqueue(step, changed)
        told = {step.id: step for step in changed}
        known |= told
        ends = ends_of(known)
        for step in known.values():
            if step.id in told:
                continue  # it is absorbed already
            if step.status is Status.superseded and ends[step.id] in self.waiting:
                self._absorbed.setdefault(ends[step.id], []).append(step)
        self._restore_held(everything, known, ends, changed)
        return changed

    def _restore_held(
        self,
        everything: Sequence[Step],
        known: dict[str, Step],
        ends: Mapping[str, str],
        changed: list[Step],
    ) -> None:
        """Let held steps wait for the live one of their run, or release the first of them."""
        live = self.waiting.keys() | self.running.keys()
        leads = {
            (step.run, step.project): ends[step.id]
            for step in everything
            if ends[step.id] in live
        }
        for step in everything:
            if step.status is not Status.queued or not step.held:
                continue
            lead = leads.get((step.run, step.project))
            if lead is not None:
                self._hold(step, behind=ends_of(known, lead)[lead])
                continue
            new = [replace(step, held=False)]
            leads[step.run, step.project] = self._enqueue(new[0], new)
            known |= {one.id: one for one in new}
            changed += new

    def _enqueue(self, step: Step, changed: list[Step]) -> str:
        """Put a released step into its container's line; return the id of who now goes."""
        rival = self._rival(step)
        if rival is None:
            self.waiting.put(step)
            return step.id
        is_newer = step.trigger is Trigger.push and not self._is_older(step, rival)
        if is_newer or (rival.is_routine and not step.is_routine):
            winner = replace(step, force=step.force or rival.force)
            self.waiting.take_place(rival, winner)
            loser = rival
        else:
            winner = replace(
                rival,
                force=rival.force or step.force,
                not_before=None,
                ref=rival.ref if rival.after else step.ref,
                after=rival.after or step.after,
                repository=rival.repository or step.repository,
            )
            self.waiting.put(winner)
            loser = step
        superseded = replace(
            loser,
            status=Status.superseded,
            superseded_by=winner.id,
            reason="a newer step took its place" if loser is rival else "joined a waiting step",
            held=False,
        )
        changed += [superseded, winner]
        self._absorb(superseded, winner.id)
        self._follow(loser.id, winner.id)
        return winner.id

    def _rival(self, step: Step) -> Step | None:
        """The step that already waits for the same action and repository."""
        for other in self.waiting.rivals(step):
            if other.repository == step.repository or "" in {other.repository, step.repository}:
                return other
        return None

    def _absorb(self, superseded: Step, winner: str) -> None:
        """Remember whose place a step took: this one's, and of all whose it had taken."""
        both = self._absorbed.pop(superseded.id, []), self._absorbed.pop(winner, [])
        few, many = sorted(both, key=len)  # one of them may be thousands
        many += [*few, superseded]
        self._absorbed[winner] = many

    def _follow(self, old: str, new: str) -> None:
        """Let those who wait for one step wait for another."""
        if old in self._followers:
            self._followers.setdefault(new, []).extend(self._followers.pop(old))

    def startable(
        self, now: datetime, *, can_start: Callable[[Step, list[Step]], bool], limit: int
    ) -> list[Step]:
        """Choose the steps that may start, in order.

        Of those that wait, the repository that has the fewest steps running goes first, so
        that a busy one takes no slot that a quiet one waits for; then whoever waits longest.
        What is routine comes last, and gets half of the slots at most.

        Args:
            can_start: Whether a step may start next to those that run: engine there, project's
                limit, no shared checkout.
            limit: How many may run at once in all.
        """
        running = list(self.running.values())
        chosen: list[Step] = []
        if len(running) >= limit:
            return chosen
        busy = {line_of(step) for step in running}
        shares = Counter(_share(step) for step in running if not step.is_routine)
        routine = routine_slots(limit) - sum(step.is_routine for step in running)
        groups: defaultdict[tuple[bool, str], deque[tuple[int, Step]]] = defaultdict(deque)
        for place, step in enumerate(self.waiting.values()):
            if line_of(step) not in busy and is_due(step, now):
                groups[step.is_routine, _share(step)].append((place, step))
        heap = [(key[0], shares[key[1]], group[0][0], key) for key, group in groups.items()]
        heapify(heap)
        while heap and len(running) < limit:
            is_routine, count, _, key = heappop(heap)
            if is_routine and routine <= 0:
                break
            group, share = groups[key], key[1]
            if count == shares[share]:
                _, step = group.popleft()
                if line_of(step) not in busy and can_start(step, running):
                    routine -= is_routine
                    chosen.append(step)
                    running.append(step)
                    busy.add(line_of(step))
                    shares[share] += not is_routine
            if group:
                heappush(heap, (is_routine, shares[share], group[0][0], key))
        return chosen

    def hand_on(self, is_held: Callable[[Step], bool]) -> list[Step]:
        """Let another step go first where the first of a roll-out is held by somebody.

        Where all of its followers are held too, the order stays.

        Args:
            is_held: Whether a step's container is to be left alone.
        """
        changed: list[Step] = []
        leads = [self.waiting[i] for i in self._followers if i in self.waiting]
        for first in [step for step in leads if is_held(step)]:
            ids = self._followers.get(first.id, ())
            followers = [self.held[i] for i in ids if i in self.held]
            for run in dict.fromkeys((step.run, step.project) for step in followers):
                group = [step for step in followers if (step.run, step.project) == run]
                free = [step for step in group if not is_held(step)]
                if free:
                    gone = {step.id for step in group}
                    self._followers[first.id] = [
                        i for i in self._followers[first.id] if i not in gone
                    ]
                    rest = [step for step in group if step is not free[0]]
                    self._release([free[0], *rest], changed, one=True)
        return changed

    def next_retry(self) -> datetime | None:
        """The earliest time at which a waiting retry may start."""
        return min((s.not_before for s in self.waiting.values() if s.not_before), default=None)

    def start(self, step: Step) -> list[Step]:
        """Mark a waiting step as running.

        Args:
            step: As it runs: with its container's id and its start.

        Returns:
            The steps that it ran instead of, with its id.
        """
        self.waiting.remove(step.id)
        self.running[step.id] = step
        absorbed = self._absorbed.get(step.id, [])
        return [
            replace(s, superseded_by=step.id) for s in absorbed if s.superseded_by != step.id
        ]

    def put_back(self, step: Step) -> list[Step]:
        """Let a step that could not be started wait again; return the steps that changed."""
        changed: list[Step] = []
        if self.running.pop(step.id, None) is not None:
            self._enqueue(step, changed)
        return changed

    def hurry(self, step_ids: Iterable[str]) -> list[Step]:
        """Let retries that wait run now."""
        changed = []
        for step_id in step_ids:
            step = self.waiting.get(step_id)
            if step is not None and step.not_before is not None:
                changed.append(replace(step, not_before=None))
                self.waiting.put(changed[-1])
        return changed

    def finish(
        self, step: Step, *, number: int, now: datetime, hands_on: bool = False
    ) -> list[Step]:
        """Take a step's end.

        Args:
            step: In its final state.
            number: The next free number of its run, for a retry.
            hands_on: Its container is not there, or the step did not run: the next goes first.

        Returns:
            The steps that changed or are new: a retry, and those that followed it.
        """
        self.running.pop(step.id, None)
        self.waiting.remove(step.id)
        self.held.pop(step.id, None)
        self._absorbed.pop(step.id, None)
        changed: list[Step] = []
        again = follow_up(step, number=number, now=now)
        followers = [self.held[i] for i in self._followers.pop(step.id, []) if i in self.held]
        heir = step.id
        if again is not None:
            changed.append(again)
            heir = self._enqueue(again, changed)
        if not followers:
            return changed
        if again is not None and step.outcome is not Outcome.retry:
            self._followers.setdefault(heir, []).extend(f.id for f in followers)
            return changed
        if step.status is Status.succeeded:
            self._release(followers, changed, one=False)
        elif hands_on or step.outcome is Outcome.retry or step.status in _PASSING:
            self._release(followers, changed, one=True)
        else:
            self._stop(step, followers, changed, now)
        return changed

    def _release(self, followers: list[Step], changed: list[Step], *, one: bool) -> None:
        """Let held steps go: all of a run's project, or only the next that leads the others."""
        groups: dict[tuple[str, str], list[Step]] = {}
        for step in followers:
            groups.setdefault((step.run, step.project), []).append(step)
        for group in groups.values():
            count = 1 if one or group[0].rollout is Rollout.serial else len(group)
            heir = ""
            for step in group[:count]:
                released = replace(self.held.pop(step.id), held=False)
                changed.append(released)
                heir = self._enqueue(released, changed)
            for step in group[count:]:
                self._followers.setdefault(heir, []).append(step.id)

    def _stop(
        self, failed: Step, followers: list[Step], changed: list[Step], now: datetime
    ) -> None:
        """Cancel what a failed first holds back in its own run; others go on."""
        others = []
        for step in followers:
            if step.run != failed.run and failed.status is Status.cancelled:
                others.append(step)
                continue
            del self.held[step.id]
            how = failed.outcome or failed.status
            changed.append(
                replace(
                    step,
                    status=Status.cancelled,
                    held=False,
                    finished_at=now,
                    reason=f"not started, since {failed.container} went first and ended {how}",
                )
            )
        self._release(others, changed, one=True)


_PASSING = frozenset({Status.skipped, Status.stuck})
"""How a first may end so that the next goes first."""


def routine_slots(limit: int) -> int:
    """How many of the slots may be taken by what is routine."""
    return max(1, limit // 2)


def _share(step: Step) -> str:
    """Whose part of the slots a step uses."""
    return step.repository or f"project {step.project}"
