"""Follow a run: what it printed from any offset on, what it prints now, and how it ends.

Everything is read from the record, also while it grows, so that a reader who comes late, or
again, sees the same as one who was there; and nothing that runs ever waits for a reader.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from hookrunner.adapters.spool import Spool, SpoolReader
from hookrunner.adapters.store import Store
from hookrunner.core.masking import LOOKBACK, Masker
from hookrunner.core.phases import PhaseReader
from hookrunner.core.record import Kept, Piece
from hookrunner.errors import NotFoundError
from hookrunner.model import Phase, Run, Status, Step
from hookrunner.service.broadcast import Broadcast
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.settings import Settings
from hookrunner.service.turns import Turns

HEARTBEAT = 15.0
"""Seconds of silence after which a follower hears that the connection lives. Proxies cut at
30 s (Heroku) or 60 s (nginx)."""
_CHUNK = (1 << 16, 1 << 18)
"""Bytes that are read from the record at once, and for each reader held in memory: with many
readers, and with few. Each reading goes through a thread, which costs what 20 KiB do."""
_TOGETHER = 1 << 23
"""Bytes that all readers hold together, before each gets less."""


class StepChanged(msgspec.Struct, frozen=True):
    """A step has another status."""

    offset: int
    step: Step


class PhaseStarted(msgspec.Struct, frozen=True):
    """A phase of a step started."""

    offset: int
    step: Step
    phase: Phase


class Output(msgspec.Struct, frozen=True):
    """A step printed something; secrets are masked."""

    piece: Piece
    step: Step


class Gap(msgspec.Struct, frozen=True):
    """Bytes that the record does not hold: from `offset` on, `size` of them."""

    offset: int
    size: int
    step: Step


class Heartbeat(msgspec.Struct, frozen=True):
    """Nothing happened for a while."""


class Result(msgspec.Struct, frozen=True):
    """The run is over.

    Attributes:
        ran_instead: The runs that took the place of superseded steps, with those steps.
    """

    run: Run
    steps: Sequence[Step]
    ran_instead: Sequence[tuple[Run, Step]] = ()


Event = StepChanged | PhaseStarted | Output | Gap | Heartbeat | Result


class Following:
    """Lets any number of readers follow runs.

    Args:
        settings: Knows what is masked in output.
    """

    def __init__(
        self,
        *,
        store: Store,
        spool: Spool,
        dispatcher: Dispatcher,
        broadcast: Broadcast,
        settings: Settings,
    ) -> None:
        self._store = store
        self._spool = spool
        self._dispatcher = dispatcher
        self._broadcast = broadcast
        self._settings = settings
        self._followers = 0
        self._turns = Turns(lambda: bool(dispatcher.running), lambda: broadcast.count)

    async def find(self, run_id: str) -> tuple[Run, list[Step]]:
        """A run with its steps as they are now.

        Raises:
            NotFoundError: There is none of that id.
        """
        found = self._dispatcher.snapshot(run_id) or await self._store.run(run_id)
        if found is None:
            raise NotFoundError(f"there is no run {run_id}")
        return found

    async def follow(
        self, run_id: str, *, offset: int = 0, live: bool = True
    ) -> AsyncIterator[Event]:
        """Tell everything about a run from an offset of its record on.

        Args:
            live: Go on until the run is over; else end with what there is.

        Raises:
            NotFoundError: There is no such run.
            StoreError: The record cannot be read.
        """
        async for event in self._follow(run_id, None, offset=offset, live=live):
            yield event
        run, steps = await self.find(run_id)
        ran_instead: list[tuple[Run, Step]] = []
        if run.finished_at is not None:
            for step in steps:
                async for event in self._instead(step, ran_instead, live=live):
                    yield event
            yield Result(run, steps, ran_instead)

    async def _instead(
        self, step: Step, ran_instead: list[tuple[Run, Step]], *, live: bool
    ) -> AsyncIterator[Event]:
        """Follow what runs instead of a superseded step, whatever takes the place of that.

        Args:
            ran_instead: Gets the last of them.
        """
        at: tuple[Run, Step] | None = None
        while step.status is Status.superseded and step.superseded_by:
            successor = await self._successor(step)
            if successor is None:
                break
            async for event in self._follow(successor.run, successor.id, offset=0, live=live):
                yield event
            run, steps = await self.find(successor.run)
            step = _by_id(steps)[successor.id]
            at = run, step
        if at is not None:
            ran_instead.append(at)

    async def bytes_of(self, run_id: str, step_id: str, stream: str) -> AsyncIterator[bytes]:
        """Read one stream of one step, as far as it is there, with secrets masked."""
        _, steps = await self.find(run_id)
        reader = self._spool.reader(run_id, {})
        masker = Masker(self._settings.known_secrets)
        try:
            for step in steps:
                if step.status.is_final:
                    reader.finish(step.id, _kept(step))
            more = True
            while more:
                async with self._turns.turn():
                    pieces = await asyncio.to_thread(reader.read, offset=0, limit=_CHUNK[0])
                more = sum(len(piece.data) for piece in pieces) >= _CHUNK[0]
                for piece in pieces:
                    if (piece.step, piece.stream) == (step_id, stream):
                        for shown in masker.feed(piece):
                            yield shown.data
            for shown in masker.rest():
                yield shown.data
        finally:
            reader.close()

    def end_of(self, run_id: str) -> int:
        """The offset behind the last byte of a run's record. Blocks."""
        return self._spool.end(run_id)

    async def _successor(self, step: Step) -> Step | None:
        """The step that ran instead of a superseded one."""
        at: Step | None = step
        while at is not None and at.status is Status.superseded and at.superseded_by:
            at = await self._store.step(at.superseded_by)
        return at

    async def _follow(
        self, run_id: str, only: str | None, *, offset: int, live: bool
    ) -> AsyncIterator[Event]:
        """Follow the steps of one run, or only one of them, without their successors."""
        await self.find(run_id)
        reader = self._spool.reader(run_id, {})
        telling = _Telling(self._settings.known_secrets, offset, only)
        self._followers += 1
        was_printed = -1
        try:
            while True:
                version = self._broadcast.version(run_id)
                run, steps = await self.find(run_id)
                for event in telling.take_steps(steps, final=False):
                    yield event
                printed = sum(step.output_bytes for step in steps)
                if printed != was_printed:  # to look whether there is more takes a thread
                    was_printed = printed
                    async for event in self._read(run_id, reader, telling, steps):
                        yield event
                relevant = [step for step in steps if only in {None, step.id}]
                over = run.finished_at is not None or (
                    only is not None and all(step.status.is_final for step in relevant)
                )
                if over or not live:
                    for event in telling.rest():
                        yield event
                for event in telling.take_steps(steps, final=True):
                    yield event
                if over or not live:
                    return
                try:
                    async with asyncio.timeout(HEARTBEAT):
                        await self._broadcast.wait(run_id, beyond=version)
                except TimeoutError:
                    yield Heartbeat()
        finally:
            self._followers -= 1
            reader.close()

    async def _read(
        self, run_id: str, reader: SpoolReader, telling: "_Telling", steps: Sequence[Step]
    ) -> AsyncIterator[Event]:
        """Read all that is there."""
        for step in steps:
            if step.status.is_final:
                reader.finish(step.id, _kept(step))
        start = max(0, telling.offset - LOOKBACK)
        more = True
        while more:
            events: list[Event] = []
            async with self._turns.turn():
                limit = min(_CHUNK[1], max(_CHUNK[0], _TOGETHER // self._followers))
                pieces = await asyncio.to_thread(reader.read, offset=start, limit=limit)
                if any(not telling.knows(piece) for piece in pieces):
                    _, newer = await self.find(run_id)
                    events += telling.take_steps(newer, final=False)
                for piece in pieces:
                    events += telling.take_piece(piece)
            more = sum(len(piece.data) for piece in pieces) >= limit
            for event in _joined(events):
                yield event


class _Telling:
    """What one reader was told, and what comes next for it."""

    def __init__(self, secrets: Sequence[bytes], offset: int, only: str | None) -> None:
        self.offset = offset
        self._only = only
        self._masker = Masker(secrets)
        self._phases: dict[str, PhaseReader] = {}
        self._told: dict[str, Status] = {}
        self._steps: dict[str, Step] = {}
        self._started = False

    def take_steps(self, steps: Sequence[Step], *, final: bool) -> list[Event]:
        """Tell of statuses that changed: an end only after all of the output."""
        self._steps |= _by_id(steps)
        events: list[Event] = []
        for step in steps:
            if self._only not in {None, step.id} or step.status.is_final is not final:
                continue
            if self._told.get(step.id) is not step.status:
                self._told[step.id] = step.status
                events.append(StepChanged(self.offset, step))
        return events

    def knows(self, piece: Piece) -> bool:
        """Whether the step of a piece was told of."""
        return piece.step in self._steps

    def take_piece(self, piece: Piece) -> list[Event]:
        """Tell what a piece of the record says."""
        if self._only not in {None, piece.step} or not self.knows(piece):
            return []
        return [event for shown in self._masker.feed(piece) for event in self._show(shown)]

    def rest(self) -> list[Event]:
        """Tell what waited for more to come."""
        return [event for shown in self._masker.rest() for event in self._show(shown)]

    def _show(self, piece: Piece) -> list[Event]:
        step = self._steps[piece.step]
        at = datetime.fromtimestamp(piece.at, UTC)
        phases = self._phases.setdefault(piece.step, PhaseReader())
        started = phases.feed(piece.stream, piece.data, at)
        if piece.end <= self.offset:
            return []
        events: list[Event] = []
        if piece.offset < self.offset:
            piece = piece.part(self.offset - piece.offset, len(piece.data))
        elif piece.offset > self.offset and self._only is None:
            events.append(Gap(self.offset, piece.offset - self.offset, step))
        events += [PhaseStarted(piece.offset, step, phase) for phase in started]
        events.append(Output(piece, step))
        self.offset = piece.end
        return events


def _joined(events: Iterable[Event]) -> Iterator[Event]:
    """Put what one stream printed in a row together, for readers that are behind.

    With 500 of them, to send each line apart took twice the CPU in all. An event stays so
    short that a reader who goes on from the last whole one has not much to read again.
    """
    row: list[Output] = []
    for event in events:
        if row and not (isinstance(event, Output) and _goes_on(row, event)):
            yield _one(row)
            row = []
        if isinstance(event, Output):
            row.append(event)
        else:
            yield event
    if row:
        yield _one(row)


def _goes_on(row: Sequence[Output], output: Output) -> bool:
    first, last, piece = row[0].piece, row[-1].piece, output.piece
    is_same = (piece.step, piece.stream, piece.offset) == (last.step, last.stream, last.end)
    return is_same and piece.end - first.offset <= _CHUNK[0]


def _one(row: Sequence[Output]) -> Output:
    if len(row) == 1:
        return row[0]
    data = b"".join([output.piece.data for output in row])
    return Output(msgspec.structs.replace(row[0].piece, data=data), row[-1].step)


def _kept(step: Step) -> Kept:
    return Kept(limit=step.output_limit, total=step.output_bytes)


def _by_id(steps: Sequence[Step]) -> dict[str, Step]:
    return {step.id: step for step in steps}
