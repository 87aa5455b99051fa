"""Deliveries that come more than once: by a sender's retry, or by a person who means it."""

from collections.abc import Sequence

from hookrunner.adapters.store import Similar, Store
from hookrunner.core.outcome import run_status
from hookrunner.model import Decoded, Delivery, Status
from hookrunner.service.arrivals import Arrival, Earlier
from hookrunner.service.dispatcher import Dispatcher

_UNSUCCESSFUL = frozenset({Status.failed, Status.cancelled})


class Duplicates:
    """Tells duplicates, one delivery of an id or a body after the other."""

    def __init__(self, store: Store, dispatcher: Dispatcher) -> None:
        self._store = store
        self._dispatcher = dispatcher
        self._waiting: dict[str, list[Arrival]] = {}

    def begin(self, arrival: Arrival) -> bool:
        """Whether a delivery may go on: else it waits for the end of one of its id or body."""
        keys = _keys(arrival)
        for key in keys:
            if key in self._waiting:
                self._waiting[key].append(arrival)
                return False
        for key in keys:
            self._waiting[key] = []
        return True

    def end(self, arrival: Arrival) -> list[Arrival]:
        """Take a delivery's end; give those that waited for it, which are to begin."""
        return [one for key in _keys(arrival) for one in self._waiting.pop(key)]

    async def look(self, arrivals: Sequence[Arrival]) -> None:
        """Find out what is known of those before each; all with one question to the store.

        Raises:
            StoreError: It cannot be read.
        """
        pushed = [one for one in arrivals if one.decoded.pushes]
        if not pushed:
            return
        asked = [
            Similar(
                source=one.proof.source,
                sender_id=one.decoded.sender_id,
                body_hash=one.proof.body_hash,
            )
            for one in pushed
        ]
        found = await self._store.similar_deliveries(asked)
        for arrival, firsts in zip(pushed, found, strict=True):
            if firsts:
                reasons = [await self._refused(first, arrival.decoded) for first in firsts]
                refused = next((reason for reason in reasons if reason is not None), None)
                arrival.earlier = Earlier(firsts[0], refused)

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


def _keys(arrival: Arrival) -> list[str]:
    """By what others are the same; what is no push is nobody's duplicate."""
    decoded, proof = arrival.decoded, arrival.proof
    if not decoded.pushes:
        return []
    keys = [f"{proof.source}\nbody {proof.body_hash}"]
    if decoded.sender_id is not None:
        keys.append(f"{proof.source}\nid {decoded.sender_id}")
    return keys
