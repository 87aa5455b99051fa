"""Time as it passes: what the machine's clock said once, and no jump of it since.

Clocks are set: by NTP, by a person, by a host that wakes up. What is shown to people starts
at the wall clock; how long something took, and what is due when, is counted from there by
the monotonic clock.
"""

import time
from datetime import UTC, datetime, timedelta


class Clock:
    """A time of day that goes on evenly.

    Args:
        earliest: The first time that it tells is not before this one.
    """

    def __init__(self, earliest: datetime | None = None) -> None:
        now = datetime.now(UTC)
        self._start = now if earliest is None else max(now, earliest)
        self._ticks = time.monotonic()

    def now(self) -> datetime:
        """The start, and what passed since."""
        return self._start + timedelta(seconds=time.monotonic() - self._ticks)
