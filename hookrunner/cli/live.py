"""What a terminal shows of a run while it goes on.

Of one container the output as it comes. Of several a line each that says where it
stands, and the output of those that fail.
"""

from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Self

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from hookrunner.cli.output import FAILED, summary, write_text
from hookrunner.cli.terminal import (
    STATUS_STYLES,
    TerminalFilter,
    cell,
    console,
    duration,
    has_colour,
    safe,
    step_result,
)

TAIL = 50
"""Lines of output that are shown of a container that failed; a guess."""
LINE = 4096
"""Characters of a line that are kept; a guess."""
STDERR = "\x1b[33m"
"""Yellow: red would look like failure, and git tells its progress there."""
RESET = "\x1b[0m"
FRAMES = 8
"""Redrawings in a second; a guess."""
OVER = {"succeeded", "skipped", "cancelled", "superseded", *FAILED}


@dataclass
class _Row:
    """A container, and where its newest step stands."""

    container: str
    step: dict[str, Any] = field(default_factory=dict)
    phase: str = ""
    line: str = ""
    rest: str = ""
    started: float | None = None
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    spinner: Spinner = field(default_factory=lambda: Spinner("dots", style="cyan"))


class LiveRun:
    """Shows a run by its NDJSON objects; a context manager, which restores the terminal.

    Attributes:
        run: The run's id, once an object names it.
        status: The run's status at its end; None until then.
    """

    def __init__(self) -> None:
        self.run: str | None = None
        self.status: str | None = None
        self._console = console()
        self._live: Live | None = None
        self._rows: dict[str, _Row] = {}
        self._filters: dict[str, TerminalFilter] = {}
        self._stream: str | None = None
        self._at_start = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end_single()
        if self._live:
            self._live.stop()
            self._live = None

    def feed(self, item: dict[str, Any]) -> None:
        """Show what one object says; a kind that is not known is left out."""
        match item.get("type"):
            case "step":
                self._step(item.get("step") or {})
            case "phase":
                self._row(item.get("container")).phase = cell(item.get("title"))
            case "output":
                self._output(item)
            case "gap":
                text = f"... {item.get('bytes')} bytes are not there ...\n"
                self._output({**item, "stream": "stderr", "data": text})
            case "result":
                self.run = str(item.get("run"))
                self.status = str(item.get("status"))
                self.__exit__()
                style = STATUS_STYLES.get(self.status, "")
                self._console.print(Text(cell(summary(item)), style=style), soft_wrap=True)

    def _row(self, container: object) -> _Row:
        name = str(container or "")
        if name not in self._rows:
            self._rows[name] = _Row(name)
            if len(self._rows) > 1 and not self._live:
                self._end_single()
                self._live = Live(
                    console=self._console,
                    refresh_per_second=FRAMES,
                    get_renderable=self._table,
                )
                self._live.start()
        return self._rows[name]

    def _step(self, step: dict[str, Any]) -> None:
        self.run = str(step.get("run") or self.run or "") or None
        row = self._row(step.get("container"))
        if row.step.get("id") != step.get("id"):
            row.phase = row.line = row.rest = ""
            row.started = None
            row.tail.clear()
        row.step = step
        status = step.get("status")
        if status == "running" and row.started is None:
            row.started = monotonic()
        if status in FAILED and self._live:
            self._show_failure(row)
        reason = step.get("reason")
        if status in OVER and reason and not self._live:
            self._end_single()
            write_text(f"{cell(row.container)}: {cell(step_result(step))}: {cell(reason)}\n")

    def _output(self, item: dict[str, Any]) -> None:
        row = self._row(item.get("container"))
        text = str(item.get("data") or "")
        stream = str(item.get("stream"))
        if self._live:
            *lines, row.rest = (row.rest + text).split("\n")
            row.rest = row.rest[-LINE:]
            row.tail.extend(line[-LINE:] for line in lines)
            shown = [line for line in lines if line.strip()]
            row.line = cell(shown[-1].strip()[:LINE]) if shown else row.line
            return
        if stream not in self._filters:
            self._filters[stream] = TerminalFilter(colour=has_colour())
        if self._stream not in {None, stream} and not self._at_start:
            write_text("\n")
        made_safe = self._filters[stream].feed(text)
        if made_safe:
            self._stream, self._at_start = stream, made_safe.endswith("\n")
        write_text(_painted(made_safe) if stream == "stderr" else made_safe)

    def _end_single(self) -> None:
        """Write what the filters hold back, and end an unfinished line."""
        rest = "".join(terminal.close() for terminal in self._filters.values())
        self._filters.clear()
        if self._stream is not None and (rest or not self._at_start):
            write_text(f"{rest}\n")
        self._stream, self._at_start = None, True

    def _show_failure(self, row: _Row) -> None:
        """Print the end of a container's output above the table."""
        name = cell(row.container)
        lines = [*row.tail, row.rest] if row.rest else list(row.tail)
        for line in lines:
            text = Text.from_ansi(safe(line.rstrip("\r")).replace("\n", " "))
            self._console.print(Text.assemble((f"{name} | ", "dim"), text), soft_wrap=True)
        reason = row.step.get("reason")
        said = f"{step_result(row.step)}" + (f": {reason}" if reason else "")
        self._console.print(Text(f"{name} | {cell(said)}", style="red"), soft_wrap=True)

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, pad_edge=False, expand=True)
        for column in ("mark", "container", "result", "time"):
            table.add_column(column, no_wrap=True)
        table.add_column("line", no_wrap=True, overflow="ellipsis", ratio=1)
        for row in list(self._rows.values()):  # drawn by a thread of rich's
            status = str(row.step.get("status") or "queued")
            style = STATUS_STYLES.get(status, "")
            running = status == "running"
            seconds = row.step.get("seconds")
            if running and row.started is not None:
                seconds = monotonic() - row.started
            told = [row.phase, row.line if row.line != f">> {row.phase}" else ""]
            last = " - ".join(word for word in told if word and running)
            table.add_row(
                row.spinner if running else Text(_mark(status), style=style),
                Text(cell(row.container)),
                Text(cell(step_result(row.step)), style=style),
                Text(duration(seconds)),
                Text(last or cell(row.step.get("reason")), style="dim"),
            )
        return table


def _mark(status: str) -> str:
    if status == "succeeded":
        return "✓"
    return "✗" if status in FAILED else "·"


def _painted(text: str) -> str:
    """Text in the colour of stderr, line by line, where colours are wanted."""
    if not has_colour():
        return text
    lines = text.splitlines(keepends=True)
    return "".join(
        STDERR + line.removesuffix("\n") + RESET + ("\n" if line.endswith("\n") else "")
        for line in lines
    )
