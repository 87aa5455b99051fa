"""From what the program knows to what the API says of it (`hookrunner.web.shapes`)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET
from msgspec.structs import replace

from hookrunner.core.holds import Hold
from hookrunner.core.inventory import Inventory
from hookrunner.core.masking import mask_value
from hookrunner.core.matching import Known
from hookrunner.core.outcome import FAILURES, last_tries
from hookrunner.core.standing import standing
from hookrunner.model import (
    Container,
    Delivery,
    Monitored,
    Outcome,
    Phase,
    PushReceipt,
    Run,
    Status,
    Step,
    Verdict,
)
from hookrunner.service.holding import Holding
from hookrunner.service.settings import Settings
from hookrunner.web import shapes


def seconds(start: datetime | None, end: datetime | None) -> float | None:
    """How long something took, rounded to the millisecond; None while it is not over."""
    if start is None or end is None:
        return None
    return round((end - start).total_seconds(), 3)


class Views:
    """Turns values into what the API answers.

    Args:
        settings: Knows by which URL callers reach this server, and what is masked where
            others wrote the text: containers, forges, callers.
    """

    def __init__(self, inventory: Inventory, holding: Holding, *, settings: Settings) -> None:
        self._inventory = inventory
        self._holding = holding
        self._settings = settings

    def masked(self, value: Any) -> Any:
        """A text, or a value with texts, without the secrets that are known."""
        return mask_value(value, self._settings.masker)

    def run_url(self, run_id: str) -> str:
        """Where a run can be looked at."""
        return f"{self._settings.config.public_url or ''}/api/v1/runs/{run_id}"

    def name(self, engine: str, container: str) -> str:
        """A container's name, with the host in front where names repeat."""
        return self._inventory.label(engine, container)

    def hold(self, step: Step) -> Hold | None:
        """The hold for which a step waits, or None."""
        return self._holding.of_step(step) if step.status is Status.queued else None

    def run(self, run: Run, steps: Sequence[Step]) -> shapes.Run:
        """One run with its steps in order."""
        push = run.push
        return shapes.Run(
            id=run.id,
            status=run.status,
            trigger=run.trigger,
            action=run.action,
            repository=push.repository if push else None,
            ref=push.ref if push else None,
            before=push.before if push else None,
            after=push.after if push else None,
            pusher=self.masked(push.pusher) if push else None,
            requested_by=run.requested_by,
            reason=self.masked(run.reason),
            delivery=run.delivery,
            source=run.source,
            created_at=run.created_at,
            finished_at=run.finished_at,
            seconds=seconds(run.created_at, run.finished_at),
            url=self.run_url(run.id),
            steps=[self.step(step) for step in sorted(steps, key=lambda s: s.number)],
        )

    def step(self, step: Step) -> shapes.Step:
        """One step."""
        return shapes.Step(
            id=step.id,
            run=step.run,
            container=self.name(step.engine, step.container),
            host=step.engine,
            project=step.project or None,
            image=step.image,
            action=step.action,
            status=step.status,
            outcome=step.outcome,
            exit_code=step.exit_code,
            reason=self.masked(str(self.hold(step) or "") or step.reason),
            gitref=step.gitref,
            gitref_before=step.gitref_before,
            attempt=step.attempt,
            not_before=step.not_before,
            created_at=step.created_at,
            started_at=step.started_at,
            finished_at=step.finished_at,
            seconds=seconds(step.started_at, step.finished_at),
            phases=[
                phase_view(replace(phase, title=self.masked(phase.title)))
                for phase in step.phases
            ],
            output_bytes=step.output_bytes,
            truncated=step.truncated,
            superseded_by=step.superseded_by,
        )

    def stuck(self, step: Step) -> shapes.Stuck:
        """What is stuck, for whoever looks after it."""
        return shapes.Stuck(
            container=self.name(step.engine, step.container),
            host=step.engine,
            run=step.run,
            step=step.id,
            since=step.finished_at,
            reason=self.masked(step.reason),
        )

    def container(
        self, container: Container, known: Known, last_step: Step | None, *, whole: bool
    ) -> shapes.Container:
        """One container of the inventory.

        Args:
            whole: With all of the metadata, ancestors and origins included.
        """
        compared, validity = standing(container, known), container.validity
        metadata = dict(container.metadata.keys) if container.metadata else {}
        problems = list(container.metadata.problems) if container.metadata else []
        origins = dict(container.metadata.origins) if container.metadata else {}
        if not whole:
            metadata.pop("ancestors", None)
        return shapes.Container(
            id=container.id,
            name=self.name(container.engine, container.name),
            host=container.engine,
            project=container.project or None,
            image=container.image,
            image_id=container.image_id,
            state=container.state,
            health=container.health,
            created_at=container.created_at,
            gitref=container.gitref,
            current_gitref=container.current_gitref,
            pushed_gitref=compared.pushed_gitref,
            behind=compared.behind,
            behind_since=compared.behind_since,
            valid=validity.valid if validity else None,
            valid_since=validity.since if validity else None,
            monitor=self.monitor(container.monitored),
            image_behind=compared.image_behind,
            dirty=container.dirty,
            held=(container.engine, container.name) in self._holding.places(),
            git_repo=self.masked(container.git_repo),
            git_branch=container.git_branch,
            methods=sorted(container.methods),
            metadata=self.masked(metadata),
            runtime=self.masked(dict(container.runtime.keys)),
            problems=self.masked(problems),
            last_step=self.step(last_step) if last_step else None,
            origins=origins | container.runtime.origins if whole else UNSET,
        )

    def monitor(self, told: Monitored | None) -> Monitored | None:
        """How a container says that it is."""
        if told is None:
            return None
        changes = (replace(one, text=self.masked(one.text)) for one in told.changes)
        return replace(told, text=self.masked(told.text), changes=tuple(changes))

    def verdict(self, verdict: Verdict) -> shapes.Verdict:
        """One verdict."""
        return shapes.Verdict(
            container=self.name(verdict.engine, verdict.container),
            host=verdict.engine,
            project=verdict.project or None,
            target=verdict.target,
            skipped=verdict.skipped,
            reason=self.masked(verdict.reason),
            remedy=self.masked(verdict.remedy),
        )

    def targets(self, verdicts: Sequence[Verdict]) -> list[shapes.Target]:
        """The verdicts that say yes, as the reply to a webhook has them."""
        return [
            shapes.Target(
                container=self.name(verdict.engine, verdict.container),
                project=verdict.project or None,
                reason=self.masked(verdict.reason),
            )
            for verdict in verdicts
            if verdict.target
        ]

    def receipt(self, receipt: PushReceipt) -> shapes.Receipt:
        """What became of one push."""
        push = receipt.push
        return shapes.Receipt(
            repository=push.repository,
            ref=push.ref,
            before=push.before,
            after=push.after,
            run=receipt.run,
            ignored=self.masked(receipt.ignored),
            targets=self.targets(receipt.verdicts),
            others=receipt.others,
        )

    def delivery(self, delivery: Delivery) -> shapes.Delivery:
        """One delivery with all of its verdicts."""
        first = next((r for r in delivery.pushes if r.run), None)
        shown = first or (delivery.pushes[0] if delivery.pushes else None)
        verdicts = [self.verdict(v) for receipt in delivery.pushes for v in receipt.verdicts]
        return shapes.Delivery(
            id=delivery.id,
            source=delivery.source,
            forge=delivery.forge,
            event=delivery.event,
            sender_id=delivery.sender_id,
            secret=delivery.secret,
            remote=delivery.remote,
            repeats=delivery.repeats,
            received_at=delivery.received_at,
            repository=shown.push.repository if shown else None,
            ref=shown.push.ref if shown else None,
            after=shown.push.after if shown else None,
            run=first.run if first else None,
            ignored=self.masked(ignored_reason(delivery)),
            pushes=[self.receipt(receipt) for receipt in delivery.pushes],
            verdicts=verdicts,
        )

    def accepted(self, delivery: Delivery) -> shapes.Accepted:
        """The reply to a webhook that causes at least one run."""
        receipts = [self.receipt(receipt) for receipt in delivery.pushes]
        run, targets = next((one.run, one.targets) for one in receipts if one.run is not None)
        return shapes.Accepted(
            delivery=delivery.id,
            run=run,
            url=self.run_url(run),
            targets=targets,
            pushes=receipts,
        )

    def result(
        self, run: Run, steps: Sequence[Step], ran_instead: Sequence[tuple[Run, Step]]
    ) -> shapes.Result:
        """How a run ended, for a stream's last event.

        Args:
            ran_instead: The runs that took the place of superseded steps, with those steps.
        """
        return shapes.Result(
            run=run.id,
            status=run.status,
            seconds=seconds(run.created_at, run.finished_at),
            summary=summary(run, steps),
            steps=[
                shapes.StepResult(
                    step=step.id,
                    container=self.name(step.engine, step.container),
                    status=step.status,
                    outcome=step.outcome,
                    exit_code=step.exit_code,
                    seconds=seconds(step.started_at, step.finished_at),
                    reason=self.masked(step.reason),
                )
                for step in steps
            ],
            ran_instead=[
                shapes.RanInstead(
                    run=other.id, step=step.id, status=step.status, outcome=step.outcome
                )
                for other, step in ran_instead
            ],
        )


def ignored_reason(delivery: Delivery) -> str | None:
    """Why nothing came of a delivery; None where something did."""
    if delivery.ignored is not None:
        return delivery.ignored
    if any(receipt.run is not None for receipt in delivery.pushes):
        return None
    return "; ".join(receipt.ignored or "" for receipt in delivery.pushes) or "no pushes"


def phase_view(phase: Phase) -> shapes.Phase:
    """One phase."""
    return shapes.Phase(
        title=phase.title,
        started_at=phase.started_at,
        seconds=None if phase.seconds is None else round(phase.seconds, 3),
    )


_GOOD = frozenset({Outcome.updated, Outcome.unknown, Outcome.valid})


def summary(run: Run, steps: Sequence[Step]) -> str:
    """The words behind a run's id on the last line of its text stream."""
    last = last_tries(steps)
    done = sum(step.outcome in _GOOD for step in last)
    bad = sum(step.status in FAILURES for step in last)
    verb = "valid" if run.action == "validate" else "updated"
    took = seconds(run.created_at, run.finished_at) or 0.0
    return f"{run.status}: {done} {verb}, {bad} failed in {took:.1f} s"
