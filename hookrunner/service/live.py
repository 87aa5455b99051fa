"""The runs that are not over, or in which a step is stuck.

What their steps are now, and what follows for the run.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from msgspec.structs import replace

from hookrunner.adapters.spool import Spool
from hookrunner.core.outcome import Standing
from hookrunner.model import Run, Status, Step
from hookrunner.service.broadcast import Broadcast
from hookrunner.service.clock import Clock
from hookrunner.service.execution import RunRecord
from hookrunner.service.feed import Feed, Moved, RunChange
from hookrunner.service.recorder import Recorder


class _LiveRun:
    def __init__(self, run: Run) -> None:
        self.run = run
        self.standing = Standing()
        self.record: RunRecord | None = None
        self.clock = Clock(run.created_at)

    @property
    def steps(self) -> Mapping[str, Step]:
        return self.standing.steps


class LiveRuns:
    """Every change of a step passes here: to the record, to the run, to the readers."""

    def __init__(
        self,
        *,
        recorder: Recorder,
        spool: Spool,
        broadcast: Broadcast,
        feed: Feed,
    ) -> None:
        self._recorder = recorder
        self._spool = spool
        self._broadcast = broadcast
        self._feed = feed
        self._runs: dict[str, _LiveRun] = {}

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._runs

    def __iter__(self) -> Iterator[str]:
        return iter(list(self._runs))

    def add(self, run: Run, steps: Iterable[Step]) -> None:
        """Take a run that is recorded; one that is here already gets more steps."""
        live = self._runs.setdefault(run.id, _LiveRun(run))
        live.run = run
        for step in steps:
            live.standing.take(step)
        self._feed.tell(RunChange(run, tuple(live.steps.values())))
        self._settle(live)

    def run(self, run_id: str) -> Run:
        """A run that is not over."""
        return self._runs[run_id].run

    def steps(self, run_id: str) -> list[Step]:
        """The steps of a run that is not over, as they are now."""
        live = self._runs.get(run_id)
        return list(live.steps.values()) if live else []

    def now(self, step: Step) -> Step:
        """A step of a run that is not over, as it is now."""
        return self._runs[step.run].steps[step.id]

    def snapshot(
        self, run_id: str, progress: Callable[[Step], Step]
    ) -> tuple[Run, list[Step]] | None:
        """A run that is not over, with its steps as `progress` knows them; else None."""
        live = self._runs.get(run_id)
        if live is None:
            return None
        return live.run, [progress(step) for step in live.steps.values()]

    def record(self, run_id: str) -> RunRecord:
        """Where a run's output goes."""
        live = self._runs[run_id]
        if live.record is None:
            live.record = RunRecord(lambda: self._spool.end(run_id))
        return live.record

    def take(self, steps: Iterable[Step]) -> None:
        """Record changed steps, and work out what they mean for their runs."""
        touched: dict[str, _LiveRun] = {}
        for told in steps:
            step = told
            if step.status.is_final and step.finished_at is None:
                ended = Clock(step.started_at or step.created_at).now()
                step = replace(step, finished_at=ended)
            self._recorder.put(steps=[step])
            self._feed.tell(step, *([Moved()] if step.status.is_final else []))
            live = self._runs.get(step.run)
            if live is not None:
                live.standing.take(step)
                touched[step.run] = live
        for live in touched.values():
            self._settle(live)

    def _settle(self, live: _LiveRun) -> None:
        """Work out where a run stands, and let go of it once nothing of it can change."""
        run = live.run
        if run.matched:
            status = live.standing.status
            over = status.is_final
            if status is not run.status:
                finished_at = live.clock.now() if over else None
                live.run = replace(run, status=status, finished_at=finished_at)
                self._recorder.put(runs=[live.run])
                self._feed.tell(RunChange(live.run, tuple(live.steps.values())))
            if over and not _has_stuck(live):
                self._recorder.then(partial(self._let_go, run.id))
                if status is not Status.superseded:
                    self._recorder.hurry()
        self._broadcast.moved(run.id)

    def withdraw(self, run_id: str) -> bool:
        """Cancel a run that waits for the inventory; tell whether it did."""
        live = self._runs.get(run_id)
        if live is None or live.run.matched:
            return False
        live.run = replace(
            live.run, matched=True, status=Status.cancelled, finished_at=live.clock.now()
        )
        self._recorder.put(runs=[live.run])
        self._feed.tell(RunChange(live.run, ()))
        self._recorder.then(partial(self._let_go, run_id))
        self._recorder.hurry()
        self._broadcast.moved(run_id)
        return True

    def _let_go(self, run_id: str) -> None:
        """Forget a run, now that the store knows all of it."""
        live = self._runs.get(run_id)
        if live is not None and live.run.finished_at is not None and not _has_stuck(live):
            del self._runs[run_id]
            self._broadcast.forget(run_id)


def _has_stuck(live: _LiveRun) -> bool:
    return any(step.status is Status.stuck for step in live.steps.values())
