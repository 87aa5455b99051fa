"""One call of ``container --monitor`` or ``--metrics``, ended with all that it started."""

import asyncio
from datetime import UTC, datetime
from enum import StrEnum

import msgspec

from hookrunner.adapters.engine import Engine
from hookrunner.config import Commands
from hookrunner.core import exposition
from hookrunner.gate import table
from hookrunner.model import Container, Probe
from hookrunner.service.stopping import Stopping
from hookrunner.service.visits import Visits
from hookrunner.units import new_id

LIMITS = {Probe.monitor: 16 * 2**10, Probe.metrics: exposition.TEXT_LIMIT}
"""Bytes of output: a plug-in prints a line, some print pages behind it."""
_GRACE = 2.0
"""Seconds between TERM and KILL for a call that did not end: it looks, and saves nothing."""
_SLACK = 5.0
"""Seconds by which its processes are taken to be older than they are: the host rounds."""


class Way(StrEnum):
    """How a call ended."""

    ended = "ended"
    timed_out = "timed out"
    flooded = "flooded"  # it printed too much
    gave_way = "gave way"  # to a step


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a call.

    Attributes:
        code: The exit code; None where it did not end by itself, or never began.
        output: What it printed on stdout.
    """

    way: Way
    code: int | None = None
    output: bytes = b""


class Call:
    """A call that is made once, and may leave something behind that has to be stopped.

    Args:
        own: What the operator says of the container's project.

    Attributes:
        left: Why what it left behind is not known to be dead; None where nothing is left.
    """

    def __init__(
        self, engine: Engine, container: Container, probe: Probe, *, own: Commands
    ) -> None:
        self.left: str | None = None
        self._engine = engine
        self._container = container
        self._probe = probe
        self._own = own
        self._id = new_id(datetime.now(UTC))
        self._began = 0.0
        self._stopping = Stopping(engine, container.id, self._id, is_wrapped=container.wrapped)

    async def make(self, *, timeout: float, visits: Visits) -> Reply:  # noqa: ASYNC109 - a result
        """Ask; nobody is in the container, and no step starts there meanwhile.

        Args:
            timeout: Seconds that it may take.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: The container is not there, or paused.
            EngineError: The engine refuses.
        """
        self._began = asyncio.get_running_loop().time()
        deadline = asyncio.timeout(timeout)
        with visits.visit(self._container, deadline):
            try:
                async with deadline:
                    reply = await self._execute(timeout)
            except TimeoutError:
                is_wanted = visits.is_wanted(self._container)
                reply = Reply(way=Way.gave_way if is_wanted else Way.timed_out)
            if reply.way is not Way.ended:
                await self.stop()
        return reply

    async def _execute(self, timeout: float) -> Reply:  # noqa: ASYNC109 - only the outer one counts
        command, limit = table.probe(self._probe, self._own), LIMITS[self._probe] + 1
        code, output = await self._engine.run(
            self._container.id,
            command.argv,
            environment={"HOOKRUNNER_STEP": self._id},
            user=command.user,
            timeout=2 * timeout,
            limit=limit,
            ends_at_limit=True,
        )
        if len(output) == limit:
            return Reply(way=Way.flooded)
        return Reply(way=Way.ended, code=code, output=output)

    async def stop(self) -> None:
        """Stop all that it started; `left` says whether that worked."""
        age = asyncio.get_running_loop().time() - self._began
        self.left = await self._stopping.stop(age=age + _SLACK, grace=_GRACE)
