"""A followed run as text, server-sent events, or one JSON object a line."""

import codecs
from collections import defaultdict
from typing import Any, Protocol

import msgspec

from hookrunner.core.terminal import TerminalFilter
from hookrunner.model import Run, Status, Step, Stream
from hookrunner.service.following import (
    Event,
    Gap,
    Heartbeat,
    Output,
    PhaseStarted,
    Result,
    StepChanged,
)
from hookrunner.web.views import Views, phase_view, summary

JSON = dict[str, Any]

_LINE_LIMIT = 8192
"""Characters of a line that are waited for before it is shown with its container's name."""


class Rendering(Protocol):
    """A form in which a run is told."""

    content_type: str

    def render(self, event: Event) -> bytes:
        """Write one event; nothing where the form has no word for it."""


class TextRendering:
    """What the container printed, as people see it in a terminal."""

    content_type = "text/plain"

    def __init__(self, views: Views, steps: list[Step]) -> None:
        self._views = views
        self._prefixed = len({(step.engine, step.container) for step in steps}) > 1
        self._filters: defaultdict[tuple[str, Stream], TerminalFilter] = defaultdict(
            TerminalFilter
        )
        self._lines: dict[tuple[str, Stream], str] = {}
        self._ends_line = True

    def render(self, event: Event) -> bytes:
        """Write one event."""
        if isinstance(event, Output):
            key = (event.step.id, event.piece.stream)
            text = self._filters[key].feed(event.piece.data)
            return self._shown(event.step, event.piece.stream, text)
        if isinstance(event, StepChanged) and event.step.status.is_final:
            return self._rest(event.step)
        if isinstance(event, StepChanged) and (hold := self._views.hold(event.step)):
            name = self._views.name(event.step.engine, event.step.container)
            why = self._views.masked(str(hold))
            return self._line(f"hookrunner: {name} is {why}; it waits for the release")
        if isinstance(event, Gap):
            return self._line(f"hookrunner: {event.size} bytes were not kept")
        if isinstance(event, Heartbeat):
            return b"\n" if self._ends_line else b""
        if isinstance(event, Result):
            return self._result(event)
        return b""

    def _shown(self, step: Step, stream: Stream, text: str) -> bytes:
        if not text:
            return b""
        if not self._prefixed:
            self._ends_line = text.endswith("\n")
            return text.encode()
        *lines, rest = (self._lines.pop((step.id, stream), "") + text).split("\n")
        if len(rest) > _LINE_LIMIT:
            lines, rest = [*lines, rest], ""
        if rest:
            self._lines[step.id, stream] = rest
        name = self._views.name(step.engine, step.container)
        return "".join(f"{name} | {line}\n" for line in lines).encode()

    def _rest(self, step: Step) -> bytes:
        """Write what is left of a step's unfinished lines."""
        shown = b""
        for stream in Stream:
            text = self._filters[step.id, stream].rest()
            if text or (step.id, stream) in self._lines:
                shown += self._shown(step, stream, text + ("\n" if self._prefixed else ""))
        return shown

    def _line(self, text: str) -> bytes:
        start = "" if self._ends_line else "\n"
        self._ends_line = True
        return f"{start}{text}\n".encode()

    def _result(self, result: Result) -> bytes:
        told = [
            self._line(f"hookrunner: {self._why(step)}")
            for step in result.steps
            if step.reason and step.status not in {Status.succeeded, Status.superseded}
        ]
        for run, step in result.ran_instead:
            told.append(self._line(f"hookrunner: run {run.id} took its place: {_end(step)}"))
        return b"".join([*told, self._line(_last_line(result.run, list(result.steps)))])

    def _why(self, step: Step) -> str:
        name = self._views.name(step.engine, step.container)
        return f"{name} {_end(step)}: {self._views.masked(step.reason)}"


def _end(step: Step) -> str:
    return f"{step.status} ({step.outcome})" if step.outcome else step.status.value


def _last_line(run: Run, steps: list[Step]) -> str:
    return f"hookrunner: run {run.id} {summary(run, steps)}"


class _Objects:
    """What the machine-readable forms share: an event as a name and an object."""

    def __init__(self, views: Views) -> None:
        self._views = views
        self._decoders: dict[tuple[str, Stream], codecs.IncrementalDecoder] = {}

    def told(self, event: Event) -> tuple[str, int | None, JSON]:
        """The event's name, the offset to go on from, and the object."""
        if isinstance(event, Output):
            return "output", event.piece.end, self._output(event)
        if isinstance(event, StepChanged):
            view = {"offset": event.offset, "step": self._views.step(event.step)}
            return "step", event.offset, view
        if isinstance(event, PhaseStarted):
            view = self._place(event.step, event.offset) | msgspec.to_builtins(
                phase_view(event.phase)
            )
            return "phase", event.offset, view
        if isinstance(event, Gap):
            view = self._place(event.step, event.offset) | {"bytes": event.size}
            return "gap", event.offset + event.size, view
        if isinstance(event, Result):
            return "result", None, self._result(event)
        return "heartbeat", None, {}

    def _place(self, step: Step, offset: int) -> JSON:
        name = self._views.name(step.engine, step.container)
        return {"offset": offset, "step": step.id, "container": name}

    def _output(self, event: Output) -> JSON:
        key = (event.step.id, event.piece.stream)
        if key not in self._decoders:
            self._decoders[key] = codecs.getincrementaldecoder("utf-8")("replace")
        text = self._decoders[key].decode(event.piece.data)
        place = self._place(event.step, event.piece.offset)
        return place | {"stream": event.piece.stream, "data": text}

    def _result(self, result: Result) -> JSON:
        view = self._views.result(result.run, result.steps, result.ran_instead)
        told: JSON = msgspec.to_builtins(view)
        return told


class EventsRendering:
    """Server-sent events.

    Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
    """

    content_type = "text/event-stream"

    def __init__(self, views: Views) -> None:
        self._objects = _Objects(views)

    def render(self, event: Event) -> bytes:
        """Write one event; its id is the offset to go on from."""
        if isinstance(event, Heartbeat):
            return b": heartbeat\n\n"
        name, offset, view = self._objects.told(event)
        line = f"id: {offset}\n" if offset is not None else ""
        return f"{line}event: {name}\ndata: ".encode() + msgspec.json.encode(view) + b"\n\n"


class LinesRendering:
    """One JSON object a line."""

    content_type = "application/x-ndjson"

    def __init__(self, views: Views) -> None:
        self._objects = _Objects(views)

    def render(self, event: Event) -> bytes:
        """Write one event."""
        name, _, view = self._objects.told(event)
        return msgspec.json.encode({"type": name} | view) + b"\n"
