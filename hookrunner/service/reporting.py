"""Tell forges what became of their pushes. A report that fails never fails a run.

What a run is to be reported as follows from its record, so that nothing is lost with the
process: of each report that is not at its end the store knows that there is one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping

import structlog
from msgspec.structs import replace

from hookrunner.adapters.outgoing import Sender
from hookrunner.adapters.store import Store
from hookrunner.config import STATUS_APIS
from hookrunner.core.reporting import Report, context, reports
from hookrunner.errors import OutgoingError, StoreError, UsageError
from hookrunner.forges.statuses import STATUSES
from hookrunner.model import CommitStatus, Run, State, Status, Step
from hookrunner.service.feed import Change, RunChange
from hookrunner.service.metrics import Metrics
from hookrunner.service.outbox import Outbox, check
from hookrunner.service.recorder import Recorder
from hookrunner.service.settings import Settings

log = structlog.get_logger()

_RETRY = 1.0
"""Seconds between tries while the store fails."""
_CHAIN = 1000
"""Steps that took one another's places, of which the last is looked for; a guess at a flood."""

Key = tuple[str, str]
"""A run's id and a project."""


class Reporting:
    """Reports on commits, to the sources that have a `status`.

    Args:
        group: Where reports are sent.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        group: asyncio.TaskGroup,
        store: Store,
        recorder: Recorder,
        sender: Sender,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._group = group
        self._metrics = metrics
        self._store = store
        self._recorder = recorder
        self._sender = sender
        self._last: dict[Key, Report] = {}
        self._runs: dict[str, Run] = {}
        self._dirty: set[str] = set()
        self._awaited: defaultdict[str, set[str]] = defaultdict(set)
        self._wake = asyncio.Event()
        self._outboxes: dict[str, Outbox[Report]] = {}

    @property
    def _tokens(self) -> Mapping[str, str]:
        return self._settings.carried.tokens

    def _outbox(self, source: str) -> Outbox[Report]:
        """What is sent to a source; its first report opens it."""
        if source not in self._outboxes:
            self._outboxes[source] = Outbox(
                kind="status",
                to=source,
                deliver=self._deliver,
                metrics=self._metrics,
                on_end=self._sent,
            )
            self._group.create_task(self._outboxes[source].run(), name=f"report to {source}")
        return self._outboxes[source]

    def observe(self, change: Change) -> None:
        """Take a change from the feed."""
        if isinstance(change, RunChange):
            run = change.run
            if run.source in self._tokens and run.push is not None and run.push.after:
                self._mark([run.id])
        elif isinstance(change, Step):
            if change.run in self._runs:
                self._mark([change.run])
            self._mark(self._awaited.get(change.id, ()))

    def _mark(self, runs: Iterable[str]) -> None:
        self._dirty.update(runs)
        if self._dirty:
            self._wake.set()

    async def run(self) -> None:
        """Report for ever."""
        if self._tokens:
            await self._resume()
        while True:
            await self._wake.wait()
            self._wake.clear()
            marked, self._dirty = self._dirty, set()
            await self._recorder.flush()
            for run_id in sorted(marked):
                await self._look(run_id)

    async def _resume(self) -> None:
        """Take up what an earlier process did not bring to its end."""
        try:
            left = await self._store.reports.all()
        except StoreError as error:
            log.error("cannot read", error=str(error), hint=error.hint)  # noqa: TRY400
            return
        for report in left:
            if report.source in self._tokens:
                again = replace(report, state=None)  # whether it arrived nobody knows
                self._last[report.run, report.project] = again
        self._mark({report.run for report in left if report.source in self._tokens})

    async def _look(self, run_id: str) -> None:
        """Work out what is to be reported of a run, record that, and have it sent."""
        try:
            found = await self._store.run(run_id)
            if found is None:
                return
            run, steps = found
            covering = await self._covering(run.id, steps)
            told = reports(run, steps, covering)
            fresh = [one for one in told if self._is_news(one)]
            await self._store.reports.save(fresh)
        except StoreError as error:
            log.error("cannot record", error=str(error), hint=error.hint)  # noqa: TRY400
            await asyncio.sleep(_RETRY)
            self._mark([run_id])
            return
        self._runs[run.id] = run
        for report in fresh:
            self._last[report.run, report.project] = report
            push = run.push
            if push is not None:
                key = (push.repository, push.after, report.project)
                replaced = self._outbox(report.source).put(key, report)
                if replaced is not None and replaced.run != report.run:
                    await self._sent(replaced)  # another run's of the same commit
        if run.status.is_final and not fresh and not self._is_open(run.id):
            self._runs.pop(run.id, None)

    def _is_news(self, report: Report) -> bool:
        known = self._last.get((report.run, report.project))
        if known is None:
            return True
        if report.state is State.pending:
            return known.state is not State.pending
        return (known.state, known.text) != (report.state, report.text)

    def _is_open(self, run_id: str) -> bool:
        return any(run == run_id for run, _ in self._last)

    async def _covering(self, run_id: str, steps: Iterable[Step]) -> dict[str, Step]:
        """Of each superseded step the one that ran instead."""
        found = {}
        for step in steps:
            last = step
            for _ in range(_CHAIN):
                if last.status is not Status.superseded or last.superseded_by is None:
                    break
                after = await self._store.step(last.superseded_by)
                if after is None:
                    break
                last = after
            if last is not step:
                found[step.id] = last
                if not last.status.is_final:
                    self._awaited[last.id].add(run_id)
        return found

    async def _deliver(self, report: Report) -> None:
        """Send one report.

        Raises:
            OutgoingError: It did not arrive, or was refused.
        """
        run = self._runs.get(report.run)
        source = self._settings.config.sources.get(report.source)
        token = self._tokens.get(report.source)
        if run is None or run.push is None or source is None or token is None:
            return
        if source.status is None or source.forge is None:
            return
        forge = STATUSES[source.forge]
        api = source.status.api or STATUS_APIS[source.forge] or ""
        public_url = self._settings.config.public_url
        try:
            request = forge.make(
                api,
                token,
                CommitStatus(
                    repository=run.push.repository,
                    commit=run.push.after or "",
                    ref=run.push.ref,
                    context=context(report.project),
                    state=report.state or State.pending,
                    text=report.text,
                    url=f"{public_url}/runs/{run.id}" if public_url else None,
                ),
            )
        except UsageError as error:
            raise OutgoingError(str(error), is_transient=False) from error
        answer = await self._sender.send(request)
        if not forge.is_there(answer):
            check(answer, f"sources.{report.source}.status.api")

    async def _sent(self, report: Report) -> None:
        """Take it that a report arrived, or was given up."""
        key = (report.run, report.project)
        if report.state is State.pending or self._last.get(key) != report:
            return
        self._last.pop(key, None)
        if not self._is_open(report.run):
            self._runs.pop(report.run, None)
            for waiting in [*self._awaited.values()]:
                waiting.discard(report.run)
            self._awaited = defaultdict(set, {k: v for k, v in self._awaited.items() if v})
        try:
            await self._store.reports.forget(report)
        except StoreError as error:
            log.error("cannot record", error=str(error), hint=error.hint)  # noqa: TRY400
