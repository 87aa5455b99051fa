"""Deliveries that come more than once: by a sender's retry, or by a person who means it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from hookrunner.adapters.store import Store
from hookrunner.core.outcome import run_status
from hookrunner.model import Decoded, Delivery, Status
from hookrunner.service.dispatcher import Dispatcher

_UNSUCCESSFUL = frozenset({Status.failed, Status.cancelled})


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """How a delivery proved itself.

    Attributes:
        secret: The place of the fitting secret in the source's list.
        body_hash: SHA-256 of the body, hexadecimal.
        remote: The sender's address, or None.
    """

    source: str
    secret: int
    body_hash: str
    remote: str | None = None


class Earlier(msgspec.Struct, frozen=True):
    """What is known of a delivery that looks like one that came before.

    Attributes:
        first: The earlier one, or None.
        refused: Why this one is a duplicate, or None where it is to run.
    """

    first: Delivery | None = None
    refused: str | None = None

    @property
    def repeats(self) -> str | None:
        """The id of the very first of them, or None."""
        return (self.first.repeats or self.first.id) if self.first else None


class Duplicates:
    """Tells duplicates, one delivery of an id or a body after the other."""

    def __init__(self, store: Store, dispatcher: Dispatcher) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._locks: dict[str, asyncio.Lock] = {}
        self._users: dict[str, int] = {}

    @asynccontextmanager
    async def checked(self, decoded: Decoded, proof: Proof) -> AsyncIterator[Earlier]:
        """Look for earlier deliveries, and keep others of the same id or body waiting."""
        if not decoded.pushes:
            yield Earlier()
            return
        keys = {f"{proof.source}\nbody {proof.body_hash}"}
        if decoded.sender_id is not None:
            keys.add(f"{proof.source}\nid {decoded.sender_id}")
        async with AsyncExitStack() as stack:
            for key in sorted(keys):  # in one order, so that nobody waits in a circle
                await stack.enter_async_context(self._alone(key))
            found = await self._store.similar_deliveries(
                proof.source, sender_id=decoded.sender_id, body_hash=proof.body_hash
            )
            reasons = [await self._refused(one, decoded) for one in found]
            refused = next((reason for reason in reasons if reason is not None), None)
            yield Earlier(found[0] if found else None, refused)

    @asynccontextmanager
    async def _alone(self, key: str) -> AsyncIterator[None]:
        lock = self._locks.setdefault(key, asyncio.Lock())
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with lock:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._locks[key]

    async def _refused(self, first: Delivery, decoded: Decoded) -> str | None:
        """Say why a delivery is a duplicate, or None where it is to run.

        One of the same id is, unless the first's run failed or was cancelled or it reached
        no container: people press "Redeliver" exactly then. One of the same body is while
        the first waits or runs. A retry that waits runs now.
        """
        same_id = decoded.sender_id is not None and first.sender_id == decoded.sender_id
        reached = unsuccessful = False
        for receipt in first.pushes:
            if receipt.run is None:
                continue
            found = self._dispatcher.snapshot(receipt.run) or await self._store.run(receipt.run)
            if found is None:
                continue
            run, steps = found
            if run.finished_at is None:
                self._dispatcher.hurry(steps)
                return f"duplicate of delivery {first.id}, which waits or runs"
            reached = reached or bool(steps)
            unsuccessful = unsuccessful or run_status(steps) in _UNSUCCESSFUL
        if same_id and reached and not unsuccessful:
            return f"duplicate of delivery {first.id}, which was carried out"
        return None
