"""Who sends webhooks too often: addresses without a proof, and sources above their rate."""

import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import structlog
from aiohttp import web
from msgspec import Struct

from hookrunner.config import Rate
from hookrunner.core.buckets import Buckets
from hookrunner.errors import DeliveryError, TooManyError
from hookrunner.service.settings import Settings

log = structlog.get_logger()


class Refusal(Struct, frozen=True, kw_only=True):
    """A request whose proof did not hold, or that was no delivery.

    Attributes:
        address: Who sent it.
        path: Where it was sent, without a secret.
        hint: What to do about it, or None.
    """

    at: datetime
    address: str
    path: str
    reason: str
    hint: str | None = None


REFUSALS = 50
"""Requests that are remembered for whoever sets up a webhook and waits for it."""


class Senders:
    """How often addresses failed to prove themselves, and how much sources sent.

    Args:
        refusals: Takes those that were refused, newest last; bounded by its owner.
    """

    def __init__(self, settings: Settings, refusals: deque[Refusal]) -> None:
        self._refusals = refusals
        self._settings = settings
        self._buckets: dict[str, tuple[Rate, Buckets]] = {}

    @contextmanager
    def watching(self, owner: str, remote: str, path: str) -> Iterator[None]:
        """Count a proof that does not hold, and refuse who failed too often before.

        Args:
            remote: The address, for the log. Who is refused is not logged again.
            path: Where it was sent, without a secret.

        Raises:
            TooManyError: In place of what was raised.
        """
        try:
            yield
        except DeliveryError as error:
            self.check(owner)
            self._bad().add(owner, time.monotonic())
            log.warning("delivery refused", remote=remote, reason=str(error))
            self._refusals.append(
                Refusal(
                    at=datetime.now(UTC),
                    address=remote,
                    path=path,
                    reason=str(error),
                    hint=error.hint,
                )
            )
            raise

    def check(self, owner: str) -> None:
        """Refuse who failed too often.

        Raises:
            TooManyError: They did.
        """
        wait = self._bad().wait(owner, time.monotonic())
        if wait:
            raise TooManyError("too many requests whose proof does not hold", retry_after=wait)

    def take(self, sender: str, rate: Rate | None) -> None:
        """Count what somebody sent who is known.

        Args:
            sender: Such as ``source gitea``.
            rate: What it may send; None is no limit.

        Raises:
            TooManyError: It sends more.
        """
        if rate is None:
            return
        bucket = self._bucket(sender, rate)
        wait = bucket.wait(sender, time.monotonic())
        if wait:
            raise TooManyError(
                f"the {sender} sends more than its rate", retry_after=wait, http_status=503
            )
        bucket.add(sender, time.monotonic())

    def _bad(self) -> Buckets:
        return self._bucket("bad proofs", self._settings.config.limits.bad_proofs)

    def _bucket(self, name: str, rate: Rate) -> Buckets:
        """What counts under a name; another rate begins anew."""
        known = self._buckets.get(name)
        if known is None or known[0] != rate:
            known = self._buckets[name] = rate, Buckets(rate.count, rate.seconds)
        return known[1]


SENDERS: web.AppKey[Senders] = web.AppKey("senders", Senders)
