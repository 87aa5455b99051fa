"""What came in, and what became of it: deliveries, receipts, verdicts."""

from datetime import datetime

import msgspec

from hookrunner.model.pushes import Push


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a push or request reaches one container, and why.

    Attributes:
        container: The container's name.
        rule: The rule of belonging that held: ``configured``, ``git_repo``, ``gitref``,
            ``project``, ``selected``, or empty where none did.
        remedy: What to do where the answer is no and it should be yes, or None.
        skipped: A target in which nothing needs to run, recorded as a skipped step.
    """

    container: str
    container_id: str
    engine: str
    project: str
    target: bool
    reason: str
    rule: str = ""
    remedy: str | None = None
    skipped: bool = False


class PushReceipt(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one push of a delivery.

    Attributes:
        run: The id of the run that it caused, or None where it was ignored.
        verdicts: The targets and the near misses; empty until the inventory is known.
        others: The number of containers that had nothing to do with it.
    """

    push: Push
    run: str | None = None
    ignored: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    others: int = 0


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One webhook request that proved who sent it.

    Attributes:
        secret: The place in the source's list of secrets of the one that fitted.
        body_hash: SHA-256 of the body, hexadecimal: tells a redelivery with a new id.
        repeats: The id of the first delivery that was the same, or None.
        ignored: Why nothing came of the whole delivery, or None.
    """

    id: str
    source: str
    forge: str
    event: str
    received_at: datetime
    body_hash: str
    sender_id: str | None = None
    secret: int = 0
    remote: str | None = None
    repeats: str | None = None
    ignored: str | None = None
    pushes: tuple[PushReceipt, ...] = ()
