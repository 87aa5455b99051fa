"""Which runs may go: what is past a bound, the oldest first, never what is still needed."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import msgspec

from hookrunner.config import Retention


class Past(msgspec.Struct, frozen=True, kw_only=True):
    """A run, as far as it matters whether it may go.

    Attributes:
        is_needed: It is not over, a step in it is stuck, or it has the last step of a
            container.
    """

    id: str
    created_at: datetime
    is_needed: bool


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """What there is of everything.

    Attributes:
        runs: How many.
        size: Bytes of all output.
    """

    runs: int
    size: int


def is_past(run_at: datetime, kept: Kept, bounds: Retention, now: datetime) -> bool:
    """Whether the oldest of what is kept is past one of the bounds."""
    is_old = now - run_at > timedelta(seconds=bounds.age)
    return is_old or kept.runs > bounds.runs or kept.size > bounds.size


def expired(
    runs: Sequence[Past],
    kept: Kept,
    bounds: Retention,
    *,
    sizes: Mapping[str, int],
    now: datetime,
) -> tuple[list[str], Kept]:
    """Choose the runs that go.

    Args:
        runs: The oldest ones, oldest first.
        kept: What there is, these included.
        sizes: Bytes of output by run; those without any are left out.

    Returns:
        Their ids, oldest first, and what there is without them.
    """
    gone = []
    for run in runs:
        if run.is_needed:
            continue
        if not is_past(run.created_at, kept, bounds, now):
            break
        gone.append(run.id)
        kept = Kept(runs=kept.runs - 1, size=kept.size - sizes.get(run.id, 0))
    return gone, kept
