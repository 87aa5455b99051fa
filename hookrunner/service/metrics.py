"""hookrunner's own figures, as Prometheus reads them.

What is counted is counted here, as it happens; what just is, `hookrunner.service.gauges`
looks up when somebody asks. No label's value is from a payload: projects, sources and engines
are operators' words, all else is one of a few.
"""

from collections.abc import Iterable
from datetime import UTC, datetime

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
)

from hookrunner import __version__
from hookrunner.model import Action, Outcome, Probe, Run, Status, Step
from hookrunner.service.feed import Change, RunChange

_DURATIONS = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Seconds: an exec takes 0.06 at least, a step 10 min at most unless it is told otherwise."""
_WRITES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
"""Seconds: a sync takes one millisecond on a good disk, and 2.5 s on one that is ill."""


class Metrics:
    """Counts what happens.

    Args:
        sources: The names of the configured sources.
        engines: The names of the configured engines.

    Attributes:
        registry: All figures, those that others register included.
        followers: Streams that are followed now.
        connections: Those that are open now.
    """

    def __init__(self, *, sources: Iterable[str], engines: Iterable[str]) -> None:
        self.registry = CollectorRegistry()
        self._began = datetime.now(UTC)
        self._open_steps: set[str] = set()
        self._open_runs: set[str] = set()
        self._deliveries = Counter(
            "hookrunner_deliveries",
            "Requests to the webhooks' door, by their source (empty where none is proved)"
            " and the HTTP status of the answer.",
            ("source", "answer"),
            registry=self.registry,
        )
        self._runs = Counter(
            "hookrunner_runs",
            "Runs that ended, once for each of their projects.",
            ("project", "action", "trigger", "status"),
            registry=self.registry,
        )
        self._steps = Counter(
            "hookrunner_steps",
            "Steps that ended; the outcome is empty where the status says all.",
            ("project", "action", "status", "outcome"),
            registry=self.registry,
        )
        self._run_seconds = Histogram(
            "hookrunner_run_seconds",
            "Seconds from the acceptance of a run to its end.",
            ("action",),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self._step_seconds = Histogram(
            "hookrunner_step_seconds",
            "Seconds that a step ran.",
            ("project", "action"),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self._wait_seconds = Histogram(
            "hookrunner_step_wait_seconds",
            "Seconds that a step waited for its turn.",
            ("action",),
            buckets=_DURATIONS,
            registry=self.registry,
        )
        self._write_seconds = Histogram(
            "hookrunner_store_write_seconds",
            "Seconds until what was to be recorded was on the disk.",
            buckets=_WRITES,
            registry=self.registry,
        )
        self._write_failures = Counter(
            "hookrunner_store_failures",
            "Records that could not be written.",
            registry=self.registry,
        )
        self._engine_losses = Counter(
            "hookrunner_engine_losses",
            "How often an engine was lost: it did not answer, or its events ended.",
            ("engine",),
            registry=self.registry,
        )
        self._engine_events = Counter(
            "hookrunner_engine_events",
            "Events of containers that an engine told.",
            ("engine",),
            registry=self.registry,
        )
        self._sent = Counter(
            "hookrunner_outgoing",
            "What was told to others, by how that ended: failed ones are tried again.",
            ("kind", "to", "result"),
            registry=self.registry,
        )
        self._calls = Counter(
            "hookrunner_container_calls",
            "Calls of `container --monitor` and `--metrics`, by how they ended.",
            ("call", "result"),
            registry=self.registry,
        )
        self._polls = Counter(
            "hookrunner_polls",
            "Looks at what branches a git server has, by how they ended.",
            ("source", "result"),
            registry=self.registry,
        )
        self.followers = Gauge(
            "hookrunner_followers",
            "Streams of output and of changes that are followed now.",
            registry=self.registry,
        )
        self.connections = Gauge(
            "hookrunner_connections",
            "Open connections of all listening addresses, the control socket aside.",
            registry=self.registry,
        )
        version = Info("hookrunner", "The program.", registry=self.registry)
        version.info({"version": __version__})
        ProcessCollector(registry=self.registry)
        for probe in Probe:
            self._calls.labels(probe, "ended")
        for source in sources:
            for answer in ("202", "200"):
                self._deliveries.labels(source, answer)
        for answer in ("401", "429"):
            self._deliveries.labels("", answer)
        for engine in engines:
            self._engine_losses.labels(engine)
            self._engine_events.labels(engine)

    def expect(self, project: str) -> None:
        """Show what may go wrong in a project at 0, before it does.

        Prometheus sees no increase in a series that begins with 1.
        """
        for outcome in ("behind", "error", "invalid"):
            self._steps.labels(project, Action.update, Status.failed, outcome)
        self._steps.labels(project, Action.validate, Status.failed, Outcome.invalid)
        for action in Action:
            self._steps.labels(project, action, Status.timed_out, "")

    def answered(self, source: str, status: int) -> None:
        """Count a request to the webhooks' door.

        Args:
            source: The one that was proved; empty where none was.
            status: Of the answer.
        """
        self._deliveries.labels(source, str(status)).inc()

    def polled(self, source: str, *, is_failed: bool) -> None:
        """Count a look at what branches a git server has."""
        for result, more in (("ok", not is_failed), ("failed", is_failed)):
            self._polls.labels(source, result).inc(more)

    def written(self, seconds: float, failed: bool) -> None:
        """Count a write to the store."""
        self._write_seconds.observe(seconds)
        if failed:
            self._write_failures.inc()

    def sent(self, kind: str, to: str, result: str) -> None:
        """Count something that was told to others.

        Args:
            kind: ``status``, ``notification``, ``chat``.
            to: The receiver's name in the configuration.
            result: ``sent``, ``failed``, ``given up``.
        """
        self._sent.labels(kind, to, result).inc()

    def called(self, call: str, result: str) -> None:
        """Count a call of ``container --monitor`` or ``--metrics``."""
        self._calls.labels(call, result).inc()

    def lost(self, engine: str) -> None:
        """Count the loss of an engine."""
        self._engine_losses.labels(engine).inc()

    def told(self, engine: str) -> None:
        """Count an event of an engine."""
        self._engine_events.labels(engine).inc()

    def observe(self, change: Change) -> None:
        """Take a change from the feed; runs and steps are counted once, when they end."""
        if isinstance(change, RunChange):
            self._take_run(change.run, change.steps)
        elif isinstance(change, Step):
            self._take_step(change)

    def _take_run(self, run: Run, steps: Iterable[Step]) -> None:
        known = run.id in self._open_runs
        for step in steps:
            if not _is_over(step):
                self._open_steps.add(step.id)
            elif step.id in self._open_steps:
                self._take_step(step)
            elif not known and step.created_at == run.created_at >= self._began:
                self._count_step(step)  # one that was over before it could start
        if not run.status.is_final:
            self._open_runs.add(run.id)
        elif known or run.created_at >= self._began:
            self._open_runs.discard(run.id)
            self._count_run(run, steps)

    def _take_step(self, step: Step) -> None:
        if not _is_over(step):
            self._open_steps.add(step.id)
        elif step.id in self._open_steps:
            self._open_steps.discard(step.id)
            self._count_step(step)

    def _count_run(self, run: Run, steps: Iterable[Step]) -> None:
        for project in {step.project for step in steps} or {""}:
            self._runs.labels(project, run.action, run.trigger, run.status).inc()
        if run.finished_at is not None:
            taken = (run.finished_at - run.created_at).total_seconds()
            self._run_seconds.labels(run.action).observe(taken)

    def _count_step(self, step: Step) -> None:
        outcome = step.outcome or ""
        self._steps.labels(step.project, step.action, step.status, outcome).inc()
        if step.started_at is None:
            return
        due = max(step.created_at, step.not_before or step.created_at)
        waited = max(0.0, (step.started_at - due).total_seconds())
        self._wait_seconds.labels(step.action).observe(waited)
        if step.finished_at is not None:
            taken = (step.finished_at - step.started_at).total_seconds()
            self._step_seconds.labels(step.project, step.action).observe(taken)


def _is_over(step: Step) -> bool:
    """Whether nothing of a step can change any more."""
    return step.status.is_final and step.status is not Status.stuck
