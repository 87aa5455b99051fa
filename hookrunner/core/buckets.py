"""Count what somebody does in a time, for any number of somebodies, in bounded memory."""

from collections import OrderedDict

import msgspec

_KEYS_MOST = 10_000
"""Somebodies that are remembered, a guess: 2 MB. Who is forgotten begins anew."""


class _Level(msgspec.Struct):
    amount: float
    at: float


class Buckets:
    """A bucket for each key, that each event fills by one, and that leaks evenly.

    Args:
        count: Events that a bucket holds.
        seconds: The time in which a full one is empty again.
    """

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._rate = count / seconds
        self._levels: OrderedDict[str, _Level] = OrderedDict()

    def add(self, key: str, now: float) -> None:
        """Count an event; a full bucket stays full.

        Args:
            now: Seconds of any clock that never goes back.
        """
        level = self._levels.setdefault(key, _Level(0.0, now))
        level.amount = min(self._left(level, now) + 1.0, float(self._count))
        level.at = now
        self._levels.move_to_end(key)
        if len(self._levels) > _KEYS_MOST:
            self._levels.popitem(last=False)

    def wait(self, key: str, now: float) -> float:
        """Seconds until the bucket has room for another event; 0 where it has."""
        level = self._levels.get(key)
        if level is None:
            return 0.0
        return max(0.0, (self._left(level, now) + 1.0 - self._count) / self._rate)

    def _left(self, level: _Level, now: float) -> float:
        return max(0.0, level.amount - (now - level.at) * self._rate)
