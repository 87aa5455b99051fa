"""A run's output on its way to stdout: as it is on a pipe, made safe on a terminal."""

import codecs
from collections.abc import AsyncIterator
from typing import Any

from hookrunner.cli.terminal import TerminalFilter, has_colour, is_terminal, write_bytes

LAST_LINE = 4096
"""Bytes that are remembered of the last line: far more than the line about the result."""
FAILED = {"failed", "timed_out", "interrupted", "stuck"}
"""The statuses of steps that count as failed in the line about the result."""


async def copy(chunks: AsyncIterator[bytes]) -> str:
    """Write a stream to stdout as it comes.

    Returns:
        Its last line that is not empty.
    """
    raw = not is_terminal()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    terminal = TerminalFilter(colour=has_colour())
    tail = b""
    async for chunk in chunks:
        tail = (tail + chunk)[-LAST_LINE:]
        if raw:
            write_bytes(chunk)
        else:
            write_text(terminal.feed(decoder.decode(chunk)))
    if not raw:
        write_text(terminal.feed(decoder.decode(b"", final=True)) + terminal.close())
    return tail.rstrip(b"\n").rpartition(b"\n")[2].decode("utf-8", "replace")


def write_text(text: str) -> None:
    """Write text that is safe already to stdout, at once."""
    if text:
        write_bytes(text.encode("utf-8", "replace"))


def summary(result: dict[str, Any]) -> str:
    """The last line of a run's text, from the object ``result``."""
    return f"hookrunner: run {result.get('run')} {result.get('summary')}"
