"""How the program's own messages are written: one line each, facts as keys, to stderr."""

import logging
import sys
from contextlib import suppress
from typing import TextIO

import structlog

from hookrunner.config import Log, LogFormat


def configure(log: Log) -> None:
    """Set the level and the format for the whole process."""
    console = log.format is LogFormat.console or (
        log.format is LogFormat.auto and sys.stderr.isatty()
    )
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            # The default shows the values of local variables, secrets among them.
            exception_formatter=structlog.dev.plain_traceback,
        )
        if console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info if not console else _printable,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(log.level.value),
        logger_factory=structlog.WriteLoggerFactory(file=_Standard(sys.stderr)),  # type: ignore[arg-type]
        cache_logger_on_first_use=False,  # a reload may change the level
    )
    logging.getLogger("asyncio").setLevel(logging.ERROR)


class _Standard:
    """Standard error. A line that nobody takes is lost, and nothing else with it.

    Whoever read it may be gone (``| tee``, a journal that crashed), or the disk be full: that
    must neither refuse a delivery nor end a step.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> None:
        """Write, if that can be."""
        with suppress(OSError):
            self._file.write(text)

    def flush(self) -> None:
        """Have it written, if that can be."""
        with suppress(OSError):
            self._file.flush()


def _printable(
    _logger: object, _name: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Let no text of a container or a forge command the terminal: JSON escapes it anyway."""
    return {
        key: ascii(value) if isinstance(value, str) and not value.isprintable() else value
        for key, value in event.items()
    }
