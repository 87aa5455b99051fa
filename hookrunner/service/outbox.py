"""What is to be sent elsewhere: the newest of each kind, one after the other, until it is."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar
from urllib.parse import urlsplit

import structlog

from hookrunner.errors import OutgoingError
from hookrunner.model import Answer
from hookrunner.service.metrics import Metrics

log = structlog.get_logger()
T = TypeVar("T")

_FIRST, _LAST = 5.0, 600.0
"""Seconds before the first and the last of repeated tries: a restart of a forge takes half a
minute, and its upgrade an hour."""
_PATIENCE = 86400.0
"""Seconds after which nobody wants to know any more, a guess."""
_NO = frozenset({401, 403, 404})
_LATER = frozenset({408, 409, 425, 429}) | _NO
"""Answers after which it is tried again: a token is renewed, a mirror catches up."""
_SHOWN = 200
"""Characters of an answer that a message repeats."""
_FULL = 10_000
"""Things that wait at most, some 5 MB; the oldest go first."""


def check(answer: Answer, key: str) -> None:
    """Make sure that what was sent was taken.

    Args:
        key: What of the configuration says where it was sent, for the hint.

    Raises:
        OutgoingError: It was not.
    """
    if answer.status < 300:  # noqa: PLR2004
        return
    if answer.status < 400:  # noqa: PLR2004
        host = urlsplit(answer.location or "").hostname
        raise OutgoingError(
            f"it answers {answer.status}, that is, asks elsewhere ({host}), which is not done",
            hint=f"set {key} to where it really is",
            is_transient=False,
        )
    said = " ".join(answer.text.split())[:_SHOWN]
    raise OutgoingError(
        f"it answers {answer.status}: {said}",
        hint="has the token the right, and is it still good?" if answer.status in _NO else None,
        is_transient=answer.status in _LATER or answer.status >= 500,  # noqa: PLR2004
        retry_after=answer.retry_after,
    )


class _Entry(Generic[T]):
    def __init__(self, item: T, now: float) -> None:
        self.item = item
        self.since = now
        self.due = now
        self.tries = 0


class Outbox(Generic[T]):
    """Sends things to one receiver.

    What cannot be sent is tried again, ever more rarely, for a day. Nobody waits for it.

    Args:
        kind: What is sent, for the log and the figures.
        to: The receiver's name in the configuration.
        deliver: Sends one; raises OutgoingError.
        on_end: Called with what was sent, or given up.
    """

    def __init__(
        self,
        *,
        kind: str,
        to: str,
        deliver: Callable[[T], Awaitable[None]],
        metrics: Metrics,
        on_end: Callable[[T], Awaitable[None]] | None = None,
    ) -> None:
        self._kind = kind
        self._to = to
        self._deliver = deliver
        self._metrics = metrics
        self._on_end = on_end
        self._waiting: dict[Hashable, _Entry[T]] = {}
        self._wake = asyncio.Event()

    def put(self, key: Hashable, item: T) -> T | None:
        """Send this instead of what waits under the key, which is given back."""
        before = self._waiting.pop(key, None)
        self._waiting[key] = _Entry(item, asyncio.get_running_loop().time())
        if len(self._waiting) > _FULL:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            log.warning("given up", kind=self._kind, to=self._to, reason="too many wait")
        self._wake.set()
        return before.item if before is not None else None

    async def run(self) -> None:
        """Send for ever."""
        clock = asyncio.get_running_loop().time
        while True:
            self._wake.clear()
            key = min(self._waiting, key=lambda one: self._waiting[one].due, default=None)
            wait = None if key is None else self._waiting[key].due - clock()
            if key is not None and wait is not None and wait <= 0:
                await self._send(key, self._waiting[key])
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def _send(self, key: Hashable, entry: _Entry[T]) -> None:
        now = asyncio.get_running_loop().time()
        try:
            await self._deliver(entry.item)
        except OutgoingError as error:
            is_over = not error.is_transient or now - entry.since > _PATIENCE
            self._metrics.sent(self._kind, self._to, "given up" if is_over else "failed")
            if not is_over:
                delay = min(_LAST, _FIRST * 2**entry.tries) * random.uniform(0.8, 1.2)  # noqa: S311
                entry.tries += 1
                entry.due = now + max(delay, min(error.retry_after or 0.0, _LAST))
            if is_over or entry.tries == 1:
                log.warning(
                    "given up" if is_over else "not sent, tried again",
                    kind=self._kind,
                    to=self._to,
                    error=str(error),
                    hint=error.hint,
                )
            if not is_over:
                return
        else:
            self._metrics.sent(self._kind, self._to, "sent")
        if self._waiting.get(key) is entry:
            del self._waiting[key]
        if self._on_end is not None:
            await self._on_end(entry.item)
