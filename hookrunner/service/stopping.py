"""Stop all processes of a step, and know that they are dead.

TERM, a grace, KILL. One script does it in the container (`hookrunner.core.processes.STOP`), as
root and then as every user whose processes root could not look into: a capability that would
let it is missing in most containers, and a privileged exec is refused by some engines.
"""

import asyncio
from collections.abc import Iterable

from hookrunner.adapters.engine import Engine
from hookrunner.core import processes
from hookrunner.errors import ContainerGoneError, EngineError, EngineUnavailableError
from hookrunner.gate import table

GRACE = 10.0
"""Seconds between TERM and KILL, as `docker stop` has it."""
_INSISTING = 4.0
"""Seconds after the grace in which KILL is sent again, and what could not be looked into is
looked at again; a guess."""
_MARGIN = 15.0
"""Seconds that a look may take in a busy container, beyond what it waits; a guess."""
_PAUSE = 0.2
_ROOT = "0:0"
_MAX_SEEN = 4000
"""Processes that one look tells the next of: Linux takes 128 KiB of a variable."""
_MAX_USERS = 32
"""Users as whom a container is looked into; a guess."""


class Stopping:
    """Stops what a step left in a container, however often it is asked to.

    Args:
        is_wrapped: A shell is there to look for its processes with.
    """

    def __init__(
        self, engine: Engine, container_id: str, step_id: str, *, is_wrapped: bool
    ) -> None:
        self._engine = engine
        self._container_id = container_id
        self._step_id = step_id
        self._is_wrapped = is_wrapped
        self._users = [_ROOT]
        self._seen: set[str] = set()
        self._unread: dict[str, str] = {}
        self._read: set[str] = set()

    async def stop(self, *, age: float, grace: float) -> str | None:
        """Stop all processes of the step.

        Args:
            age: Seconds since it started, at least.
            grace: Seconds between TERM and KILL.

        Returns:
            None once they are dead, else why that cannot be said.
        """
        try:
            if not self._is_wrapped:
                return await self._none_is_left(age)
            return await self._stop(age, grace)
        except ContainerGoneError:
            return await self._is_there()
        except (EngineError, EngineUnavailableError) as error:
            return str(error)

    async def _stop(self, age: float, grace: float) -> str | None:
        clock = asyncio.get_running_loop().time
        self._unread, self._read = {}, set()
        await self._look("TERM", age, until=0.0)
        end = clock() + grace
        while True:  # one look is never enough: it may meet a process in the middle of an exec
            alive = await self._look("KILL", age, until=end)
            self._seen = alive
            if not alive and not self._unread:
                return None
            if clock() > end + _INSISTING:
                break
            await asyncio.sleep(_PAUSE)
        if alive:
            return f"could not stop it: still alive: {_pids(alive)}"
        users = ", ".join(sorted(set(self._unread.values())))
        return (
            "cannot tell whether these are its processes, as nobody may look into them:"
            f" {_pids(self._unread)} (of user {users})"
        )

    async def _look(self, signal: str, age: float, *, until: float) -> set[str]:
        """Signal what is found, as each user; return what is still alive.

        Args:
            until: When the grace is over, by the loop's clock.
        """
        alive: set[str] = set()
        for user in self._users:  # grows meanwhile
            wait = max(0.0, until - asyncio.get_running_loop().time())
            code, text = await self._engine.run(
                self._container_id,
                table.STOP.argv,
                environment={
                    "HOOKRUNNER_STOP": self._step_id,
                    "HOOKRUNNER_SIGNAL": signal,
                    "HOOKRUNNER_WAIT": str(round(wait)),
                    "HOOKRUNNER_AGE": str(int(age) + 1),
                    "HOOKRUNNER_SEEN": " ".join(sorted(self._seen)[:_MAX_SEEN]),
                },
                user=user,
                timeout=wait + _MARGIN,
            )
            told = text.decode("utf-8", "replace")
            look = processes.looked(told) if code == 0 else None
            if look is None:
                if user != _ROOT:
                    continue  # what only this user may look into stays unread
                why = " ".join(told.split())[:200]
                raise EngineError(f"could not stop it: {why or f'exit {code}'}")
            alive |= look.alive
            self._seen |= look.alive
            self._read |= set(self._unread) - set(look.unread)
            self._unread = {p: owner for p, owner in look.unread.items() if p not in self._read}
            new = sorted(set(self._unread.values()) - set(self._users) - {""})
            self._users += new[: _MAX_USERS - len(self._users)]
        return alive

    async def _none_is_left(self, age: float) -> str | None:
        """Without a shell nothing can be stopped; but all may be over by now."""
        service, found = await self._engine.processes(self._container_id)
        left = processes.possible(found, service=service, age=age)
        if not left:
            return None
        return (
            "its image has no shell to stop it with; on the engine's host these may be its"
            f" processes: {_pids(map(str, left))}"
        )

    async def _is_there(self) -> str | None:
        """A container that is gone took its processes along; a paused one did not."""
        try:
            found = await self._engine.list_containers([self._container_id])
        except (EngineError, EngineUnavailableError) as error:
            return str(error)
        return f"its container is {found[0].state}" if found else None


def _pids(found: Iterable[str]) -> str:
    pids = sorted({int(process.partition(":")[0]) for process in found})
    return " ".join(map(str, pids[:10])) + (" ..." if len(pids) > 10 else "")  # noqa: PLR2004
