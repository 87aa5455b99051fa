"""Text for people: made safe for a terminal, laid out in columns.

Whatever a container or forge says may try to move the cursor, set the title or write
over what was there (CWE-150). Of all that only colours get through, each up to the end of
its line; the rest becomes visible. The post-receive hook has the same filter of its own,
since it runs where hookrunner is not installed.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from hookrunner.core.unseen import CONTROLS, DIRECTIONS
from hookrunner.units import format_duration

_SGR = r"\x1b\[[0-9;:]{0,64}m"
"""Select Graphic Rendition: colours, bold, underlined. The length is a guess.

Source: ECMA-48, 8.3.117, https://ecma-international.org/publications-and-standards/standards/ecma-48/
"""
_UNFINISHED = re.compile(r"(?:\r|\x1b(?:\[[0-9;:]{0,64})?)\Z")
_UNSAFE = re.compile(rf"({_SGR})|(\r\n?|\n)|[{CONTROLS}{DIRECTIONS}\ud800-\udfff]")
_RESET = "\x1b[0m"
_RESETS = {_RESET, "\x1b[m"}
_BYTE = 0x100
GITREF_DIGITS = 12
"""Digits of a commit that people are shown: what git itself needs for the Linux kernel."""
STATUS_STYLES = {
    "succeeded": "green",
    "failed": "red",
    "timed_out": "red",
    "interrupted": "red",
    "stuck": "red",
    "running": "cyan",
    "cancelled": "yellow",
    "behind": "yellow",
    "dirty": "yellow",
    "warning": "yellow",
    "critical": "red",
    "unknown": "yellow",
}
"""The colours of words that say how something stands."""


class TerminalFilter:
    """Makes text safe as it comes, wherever it is cut.

    Args:
        colour: Colours are kept; without, they are dropped.
    """

    def __init__(self, *, colour: bool) -> None:
        self._colour = colour
        self._coloured = False
        self._rest = ""

    def feed(self, text: str) -> str:
        """The safe form of the next part, but for an unfinished sequence at its end."""
        text = self._rest + text
        held = _UNFINISHED.search(text)
        self._rest = text[held.start() :] if held else ""
        return _UNSAFE.sub(self._replace, text[: held.start()] if held else text)

    def close(self) -> str:
        """What is left, and the end of a colour that is still on."""
        rest, self._rest = _UNSAFE.sub(self._replace, self._rest), ""
        return rest + self._end_colour()

    def _end_colour(self) -> str:
        was, self._coloured = self._coloured, False
        return _RESET if was else ""

    def _replace(self, match: re.Match[str]) -> str:
        found = match[0]
        if match[1]:
            if not self._colour:
                return ""
            self._coloured = found not in _RESETS
            return found
        if match[2]:  # a lone carriage return too: a line is never written over
            return self._end_colour() + "\n"
        return _escaped(found)


def safe(text: str) -> str:
    """Make a whole text safe: of control sequences only colours are left.

    The server's text stream lets the same sequences pass, and drops what is made visible here.

    Source:
        After websockets' command line,
        https://github.com/python-websockets/websockets/blob/main/src/websockets/cli.py
    """
    terminal = TerminalFilter(colour=has_colour())
    return terminal.feed(text) + terminal.close()


def cell(value: object) -> str:
    """Make a value safe for one line of a table: no colours, no line ends; None is empty."""
    if value is None:
        return ""
    terminal = TerminalFilter(colour=False)
    text = terminal.feed(str(value)) + terminal.close()
    return text.replace("\n", "\\n").replace("\t", "\\t")


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < _BYTE else f"\\u{code:04x}"


def is_terminal() -> bool:
    """Somebody reads along: stdout is a terminal."""
    return sys.stdout.isatty()


def has_colour() -> bool:
    """Colours are wanted on stdout.

    Source:
        https://no-color.org
    """
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def console() -> Console:
    """What tables and progress are drawn on; takes no markup out of texts."""
    return Console(markup=False, highlight=False, emoji=False)


def write_bytes(data: bytes) -> None:
    """Write to stdout at once, byte for byte."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def write_json(data: bytes) -> None:
    """Write JSON to stdout as it is, with one line end behind it."""
    write_bytes(data.rstrip(b"\n") + b"\n")


def note(text: str) -> None:
    """Write a line for people to stderr."""
    click.echo(cell(text), err=True)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under their headings: ruled by the terminal's width, in full on a pipe."""
    cells = [[cell(value) for value in row] for row in rows]
    lines = [list(columns), *cells]
    widths = [max(cell_len(line[place]) for line in lines) for place in range(len(columns))]
    if is_terminal():
        wide = {place for place, width in enumerate(widths) if width > _ID}
        fixed = sum(width for place, width in enumerate(widths) if place not in wide)
        left = console().width - fixed - 2 * (len(widths) - 1)
        if left < sum(min(widths[place], _NARROWEST) for place in wide):
            _blocks(columns, cells)
            return
        drawn = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
        for place, column in enumerate(columns):
            drawn.add_column(column, overflow="fold", no_wrap=place not in wide)
        for row in cells:
            drawn.add_row(*(Text(text, style=style_of(text)) for text in row))
        console().print(drawn)
        return
    for line in lines:
        padded = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join(padded).rstrip())


def _blocks(columns: Sequence[str], cells: Iterable[Sequence[str]]) -> None:
    """Write rows where the columns do not fit beside each other: a line for each cell."""
    indent = max(len(column) for column in columns) + 2
    for number, row in enumerate(cells):
        drawn = Table.grid(padding=(0, 2, 0, 0))
        drawn.add_column(width=indent - 2, style="bold")
        drawn.add_column(overflow="fold")
        for column, text in zip(columns, row, strict=True):
            if text:
                drawn.add_row(column, Text(text, style=style_of(text)))
        if number:
            console().print()
        console().print(drawn)


_ID = 26
"""Characters of an id: a column as wide as that stays whole, a wider one is folded."""
_NARROWEST = 24
"""Characters that a column has at least; narrower ones had a word a line. A guess."""


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Write names and values, one pair a line, without those that are empty."""
    shown = [(name, cell(value)) for name, value in pairs]
    shown = [(name, value) for name, value in shown if value]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        line = Text.assemble((f"{name:{width}}  ", "bold"), (value, style_of(value)))
        show(line)


def show(line: Text) -> None:
    """Write a line, with its styles if stdout is a terminal."""
    if is_terminal():
        console().print(line, soft_wrap=True)
    else:
        click.echo(line.plain)


def show_lines(*lines: str) -> None:
    """Write lines of our own words, made safe."""
    for line in lines:
        show(Text(cell(line)))


def style_of(text: str) -> str:
    """The colour for a text that begins with a status."""
    return STATUS_STYLES.get(text.split(" ", 1)[0].rstrip(",:"), "")


def short(gitref: str | None) -> str:
    """The first digits of a commit; empty if there is none."""
    return (gitref or "")[:GITREF_DIGITS]


def parse_instant(text: str | None) -> datetime | None:
    """Read a time as the API writes it; None if there is none, or it is of another form."""
    try:
        at = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return at.replace(tzinfo=UTC) if at and at.tzinfo is None else at


def ago(text: str | None, now: datetime) -> str:
    """How long ago a time was, in its largest unit; empty if there is none."""
    at = parse_instant(text)
    if at is None:
        return ""
    seconds = max((now - at).total_seconds(), 0.0)
    for unit in (86400, 3600, 60, 1):
        if seconds >= unit:
            return f"{format_duration(seconds // unit * unit)} ago"
    return "just now"


def local(text: str | None) -> str:
    """A time of the API in this machine's zone, to the second."""
    at = parse_instant(text)
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S %z") if at else ""


def duration(seconds: float | None) -> str:
    """A length of time; empty if there is none."""
    return "" if seconds is None else f"{seconds:.1f} s"


def step_result(step: dict[str, object] | None) -> str:
    """How a step stands, in a word or two: its outcome, where there is one."""
    if not step:
        return ""
    status, outcome = str(step.get("status") or ""), step.get("outcome")
    return f"{status} ({outcome})" if outcome else status
