"""Learn how a command ended whose stream was lost.

The container is asked first: its wrapper keeps the exit code. What the engine says counts only
where a cut stream cannot have made it say so.
"""

import asyncio

import msgspec

from hookrunner.adapters.engine import Engine
from hookrunner.config import Commands
from hookrunner.core import engine_api, processes
from hookrunner.core.outcome import NOT_EXECUTABLE, NOT_FOUND
from hookrunner.errors import ContainerGoneError, EngineError, EngineUnavailableError
from hookrunner.gate import table
from hookrunner.model import Container

UNBELIEVED = frozenset({NOT_EXECUTABLE, NOT_FOUND})
"""What an engine says after a stream was cut, whatever the command did, and may still do."""
SUSPICIOUS = UNBELIEVED | {None, 137, 143}
"""Exit codes that a command gets when its container is stopped: not started, KILL, TERM."""
_POLL = (1.0, 5.0)
"""Seconds before the first and the last of repeated looks at a command that runs: each is an
exec, which costs the engine 55 ms and leaves some bytes in its memory (containerd #13561)."""
_STOPPING = 2.0
"""Seconds in which an engine says that a container stopped whose processes it ended."""
_TRIES = 10
"""How often a container that cannot be asked, as one that is just going, is asked again."""
_TIMEOUT = 30.0
"""Seconds that asking may take; it reads a few files."""
_NO_WORD = "it left no word of how it ended"


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """How an exec ended.

    Attributes:
        exit_code: None where nobody knows.
        gitref: What the container said it serves, or None.
        error: Why the exit code is not known, in words.
        is_gone: The container was not there, or did not run.
        is_complete: All of the output arrived.
        never_ran: Nothing of the command was executed.
    """

    exit_code: int | None = None
    gitref: str | None = None
    error: str | None = None
    is_gone: bool = False
    is_complete: bool = True
    never_ran: bool = False


class Recovery:
    """Asks after one command.

    Args:
        exec_id: The engine's id of its exec, or empty where that is not known.
        container_started: When its container had started, in the engine's words, or None.
        own: What the operator says of its project's commands.
        was_refused: The engine said, as output, that it could not start it.
    """

    def __init__(
        self,
        engine: Engine,
        container: Container,
        step_id: str,
        *,
        exec_id: str,
        container_started: str | None,
        own: Commands,
        was_refused: bool,
    ) -> None:
        self._engine = engine
        self._container = container
        self._step_id = step_id
        self._exec_id = exec_id
        self._container_started = container_started
        self._command = table.recovery(own)
        self._was_refused = was_refused

    async def recover(self, *, age: float) -> Ended:
        """Wait until the command ended, and tell how.

        Args:
            age: Seconds since it started, at least.
        """
        clock = asyncio.get_running_loop().time
        born = clock() - age
        tries, silent, pause = _TRIES, 0, _POLL[0]
        while True:
            try:
                ended = await self._ask_or_gone(clock() - born)
            except EngineUnavailableError:
                ended = None
            except EngineError as error:
                ended = Ended(error=str(error), is_complete=False)
            if ended is not None and ended.is_gone:
                return ended
            if ended is not None and ended.exit_code is not None:
                return ended
            silent = silent + 1 if ended is not None and ended.error == _NO_WORD else 0
            if ended is not None and (silent > 1 or not tries):
                return await self._judge(ended)
            tries -= ended is not None
            await asyncio.sleep(pause)
            pause = min(1.5 * pause, _POLL[1]) if ended is None else _POLL[0]

    async def container_went(self) -> bool:
        """Whether the container stopped, maybe to start again, and took the command along.

        The engine ends the command first, and says of the container later.
        """
        for _ in range(10):
            if await self._is_absent() or await self._was_restarted():
                return True
            await asyncio.sleep(_STOPPING / 10)
        return False

    async def _was_restarted(self) -> bool:
        """Whether the container runs for another time; False where that cannot be known."""
        if self._container_started is None:
            return False
        return await self._engine.started_at(self._container.id) != self._container_started

    async def may_run(self, age: float) -> bool:
        """Whether something runs in the container that may be the command's.

        Args:
            age: Seconds since it started, at least.
        """
        service, found = await self._engine.processes(self._container.id)
        return bool(processes.possible(found, service=service, age=age))

    async def gone(self, exit_code: int | None) -> Ended:
        """What to say of a command whose container took it along."""
        if exit_code in UNBELIEVED and self._was_refused:
            return Ended(error="its container stopped before it started", never_ran=True)
        if (kept := await self._kept()) is not None:
            return kept
        why = f"its container {await self._what_happened()}"
        return Ended(error=why, is_gone=True, is_complete=False)

    async def _kept(self) -> Ended | None:
        """What the wrapper kept in a container in which nothing can be executed any more."""
        for record in engine_api.RECORDS if self._container.wrapped else ():
            try:
                text = await self._engine.read_file(self._container.id, record)
            except (ContainerGoneError, EngineError, EngineUnavailableError):
                continue
            step, _, rest = text.decode("utf-8", "replace").partition(" ")
            found = processes.recovered(f"ended {rest.replace('-', '')}")
            if step == self._step_id and found is not None:
                return Ended(exit_code=found[0], gitref=found[1], is_complete=False)
        return None

    async def _what_happened(self) -> str:
        """Tell a stop from what begins with one: wait a little for what follows."""
        try:
            for _ in range(10):
                if await self._engine.list_containers([self._container.id]):
                    return "was restarted while it ran"
                await self._engine.inspect_container(self._container.id)
                await asyncio.sleep(_STOPPING / 10)
        except ContainerGoneError:
            return "was removed while it ran"
        except (EngineError, EngineUnavailableError):
            pass
        return "stopped while it ran"

    async def _judge(self, ended: Ended) -> Ended:
        """Say what became of a command that does not run and left no word."""
        try:
            state = await self._engine.inspect_exec(self._exec_id)
            code = None if state.running else state.exit_code
        except ContainerGoneError:  # or the exec alone is forgotten
            code = None
        except (EngineError, EngineUnavailableError):
            return ended
        try:
            if code in SUSPICIOUS and await self.container_went():
                return await self.gone(code)
        except ContainerGoneError:
            return await self.gone(code)
        except (EngineError, EngineUnavailableError):
            return ended
        if code is None or code in UNBELIEVED:
            return ended
        return Ended(exit_code=code, is_complete=False)

    async def _ask_or_gone(self, age: float) -> Ended | None:
        try:
            return await self._ask(age)
        except ContainerGoneError:
            return await self.gone(None) if await self._is_absent() else None

    async def _ask(self, age: float) -> Ended | None:
        """Ask what became of the command; None while it runs."""
        if not self._container.wrapped:
            return await self._ask_engine(age)
        code, text = await self._engine.run(
            self._container.id,
            self._command.argv,
            environment={"HOOKRUNNER_STOP": self._step_id},
            user=self._command.user,
            timeout=_TIMEOUT,
        )
        told = text.decode("utf-8", "replace").strip()
        if told == "alive":
            return None
        found = processes.recovered(told)
        if found is None or code != 0:
            why = _NO_WORD if told == "gone" else told
            return Ended(error=why or f"exit {code}", is_complete=False)
        return Ended(exit_code=found[0], gitref=found[1], is_complete=False)

    async def _ask_engine(self, age: float) -> Ended | None:
        """Ask the engine, where no shell keeps the code; None while the command may run."""
        try:
            state = await self._engine.inspect_exec(self._exec_id)
            if state.running:
                return None
            if state.exit_code in SUSPICIOUS and await self.container_went():
                return await self.gone(state.exit_code)
            if state.exit_code is not None and state.exit_code not in UNBELIEVED:
                return Ended(exit_code=state.exit_code, is_complete=False)
        except ContainerGoneError:  # or the exec alone is forgotten
            if await self._is_absent():
                raise
        if await self.may_run(age):
            return None
        return Ended(error=_NO_WORD, is_complete=False)

    async def _is_absent(self) -> bool:
        """Whether the container does not run; a paused one does."""
        return not await self._engine.list_containers([self._container.id])
