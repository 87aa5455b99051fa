"""When something comes that comes at intervals, so that many of it do not come at once.

Each thing has a place of its own within the interval, told by its name alone: nothing needs
to be kept for it, and neither a restart nor a new neighbour moves it.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from math import floor

LATE = 600.0
"""Seconds within which comes what was missed while hookrunner was down, where its interval is
not shorter: soon, and not all in one moment. A guess."""


def next_place(name: str, every: float, after: datetime) -> datetime:
    """The first time after an instant at which something is due.

    Args:
        every: Seconds.
    """
    offset = _share(name) * every
    rounds = floor((after.timestamp() - offset) / every) + 1
    return datetime.fromtimestamp(offset + rounds * every, UTC)


def due_at(name: str, every: float, *, last: datetime, began: datetime) -> datetime:
    """When something is due once more.

    Args:
        every: Seconds.
        last: When it was last begun.
        began: When hookrunner started: what it missed before comes soon after that.
    """
    due = next_place(name, every, last)
    if due > began:
        return due
    return began + timedelta(seconds=_share(name) * min(every, LATE))


def _share(name: str) -> float:
    """A number from 0 to below 1 for a name: as good as random, and always the same."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48
