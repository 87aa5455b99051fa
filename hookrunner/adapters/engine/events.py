"""The lines of an engine's event stream, decoded.

Bytes in, events out: no socket and no clock.
"""

from collections.abc import Iterator

import msgspec

from hookrunner.core.engine_api import EVENTS
from hookrunner.errors import EngineError
from hookrunner.model import EngineEvent

MAX_LINE = 4 * 2**20
"""The longest event, in bytes. An event carries the container's labels, and those may carry
whole metadata documents; how long those get is a guess."""


class _Actor(msgspec.Struct, rename="pascal"):
    id: str = msgspec.field(name="ID")


class _Event(msgspec.Struct):
    action: str = msgspec.field(name="Action")
    actor: _Actor = msgspec.field(name="Actor")
    time_nano: int = msgspec.field(name="timeNano")


class EventParser:
    """Takes the lines of an event stream apart, however its bytes are cut.

    Source:
        https://docs.docker.com/reference/api/engine/version/v1.41/#tag/System/operation/SystemEvents
    """

    def __init__(self) -> None:
        self._decoder = msgspec.json.Decoder(_Event)
        self._line = bytearray()

    def feed(self, data: bytes) -> Iterator[EngineEvent]:
        """Take the next bytes.

        Raises:
            EngineError: A line is no event, or longer than `MAX_LINE`.
        """
        *ends, rest = data.split(b"\n")
        for end in ends:
            self._extend(end)
            line = bytes(self._line)
            self._line.clear()
            if line.strip():
                yield from self._decode(line)
        self._extend(rest)

    def _extend(self, part: bytes) -> None:
        if len(self._line) + len(part) > MAX_LINE:
            raise EngineError(f"the engine sent an event of more than {MAX_LINE} bytes")
        self._line += part

    def _decode(self, line: bytes) -> Iterator[EngineEvent]:
        try:
            event = self._decoder.decode(line)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise EngineError(f"the engine sent what is no event: {error}") from error
        action = event.action.partition(":")[0]  # "health_status: healthy"
        if action in EVENTS:
            at = event.time_nano / 1e9
            yield EngineEvent(action=action, container_id=event.actor.id, at=at)
