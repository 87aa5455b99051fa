"""The log of what was refused, at a bounded rate: whoever is refused may try a lot."""

import asyncio

import structlog

from hookrunner.adapters.peers import Peer
from hookrunner.core.buckets import Buckets

log = structlog.get_logger()

BURST, SECONDS = 60, 60.0
"""Refusals that are logged at once, and the time in which as many more are: a guess at what
somebody reads. What is beyond is counted."""
_SHOWN = 300


class Refusals:
    """Logs refusals; those that are too many are counted, and the next line says how many."""

    def __init__(self) -> None:
        self._bucket = Buckets(BURST, SECONDS)
        self._left_out = 0

    def note(self, reason: str, *, method: str, target: str, peer: Peer | None) -> None:
        """Log a refusal.

        Args:
            peer: Who asked; None where that is not known.
        """
        now = asyncio.get_running_loop().time()
        if self._bucket.wait("", now) > 0:
            self._left_out += 1
            return
        self._bucket.add("", now)
        more = {"left_out": self._left_out} if self._left_out else {}
        self._left_out = 0
        log.warning(
            "refused",
            reason=reason[:_SHOWN],
            method=method[:_SHOWN],
            target=target.encode("ascii", "backslashreplace").decode()[:_SHOWN],
            **(peer._asdict() if peer is not None else {}),
            **more,
        )
