"""Deliveries between their proof and their record."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence

import msgspec

from hookrunner.core.history import KnownPush
from hookrunner.model import Decoded, Delivery, Run, Step


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


class Arrival:
    """A delivery that is being taken, and in the end what came of it.

    Attributes:
        earlier: What is known of those before it.
        delivery: What is to be recorded of it, once that is worked out.
        work: The runs that come of it, each with its steps.
        pushes: Those that are known from now on.
        error: Why it could not be taken, or None.
    """

    __slots__ = (
        "_answer",
        "decoded",
        "delivery",
        "earlier",
        "error",
        "proof",
        "pushes",
        "work",
    )

    def __init__(self, decoded: Decoded, proof: Proof) -> None:
        self.decoded = decoded
        self.proof = proof
        self.earlier = Earlier()
        self.delivery: Delivery | None = None
        self.work: list[tuple[Run, list[Step]]] = []
        self.pushes: list[KnownPush] = []
        self.error: Exception | None = None
        self._answer: asyncio.Future[Delivery] = asyncio.get_running_loop().create_future()

    async def taken(self) -> Delivery:
        """Wait until it is recorded; it is taken also if the caller stops waiting.

        Raises:
            StoreError: It could not be recorded; nothing happens.
        """
        return await self._answer

    def settle(self) -> None:
        """Tell who waits what came of it."""
        if self._answer.done():
            return  # the sender left
        if self.delivery is not None and self.error is None:
            self._answer.set_result(self.delivery)
        else:
            self._answer.set_exception(self.error or RuntimeError("it was not taken"))


def each(arrivals: Iterable[Arrival], do: Callable[[Arrival], None]) -> None:
    """Do something for each that did not fail; where it cannot be done, that one fails."""
    for arrival in arrivals:
        if arrival.error is None:
            try:
                do(arrival)
            except Exception as error:  # noqa: BLE001 - who waits for it is told
                arrival.error = error


async def together(
    arrivals: Sequence[Arrival], do: Callable[[Sequence[Arrival]], Awaitable[None]]
) -> None:
    """Do something for all at once, and for each alone where that fails.

    So nobody's delivery fails because of another one that came with it. Those that failed
    before are left out.

    Args:
        do: What does all of it or nothing.
    """
    ready = [one for one in arrivals if one.error is None]
    try:
        if ready:
            await do(ready)
    except Exception as error:  # noqa: BLE001 - who waits for it is told
        if len(ready) == 1:
            ready[0].error = error
            return
        for one in ready:
            await together([one], do)
