"""What can be configured of operation: the certificate, monitoring, what is kept, the log."""

from enum import StrEnum
from typing import Annotated

import msgspec

from hookrunner.config.marks import Duration, Form, Range, Size
from hookrunner.config.values import parse_path

MIB, GIB = 2**20, 2**30
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0


class Tls(msgspec.Struct, frozen=True, kw_only=True):
    """The server's own certificate, for those who have no proxy.

    Attributes:
        certificate: A PEM file, with the chain behind the server's own.
        key: A PEM file without a password.
    """

    certificate: Annotated[str, Form(parse_path)]
    key: Annotated[str, Form(parse_path)]


class Monitoring(msgspec.Struct, frozen=True, kw_only=True):
    """How often containers are asked how they are, and for their metrics.

    Attributes:
        every: Seconds between calls of ``container --monitor`` in a container; None: never.
            A minute, as Prometheus has it, and what people find quick at night.
        metrics_every: Seconds between calls of ``container --metrics``, however often
            somebody reads what it said; None: never.
        timeout: Seconds that either may take. 10 s, as monitoring plug-ins and Prometheus
            have it; an update waits for it at most a second.
    """

    every: Annotated[float, Duration(1.0, DAY)] | None = MINUTE
    metrics_every: Annotated[float, Duration(1.0, DAY)] | None = MINUTE
    timeout: Annotated[float, Duration(1.0, MINUTE)] = 10.0


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long what is over stays: what is past any of the bounds goes, the oldest first.

    What something still rests on stays in any case (`hookrunner.core.retention`).

    Attributes:
        age: Seconds after which runs and deliveries go. 90 days: a quarter can be looked
            back on.
        runs: How many runs stay. 100,000 with their steps are some 400 MB.
        size: Bytes of all output that stay. 10 GiB is a guess: a thousand of the largest.
        validations: Seconds after which validations go that nobody asked for and that did not
            fail; `runs` does not count them. A day: 500 containers, validated every 5 min,
            make 144,000, some 300 MB.
        audit: Seconds after which entries of the audit log go. 400 days: a year, and a
            month to look at it.
    """

    age: Annotated[float, Duration(HOUR, 36500 * DAY)] = 90 * DAY
    runs: Annotated[int, Range(100, 100_000_000)] = 100_000
    size: Annotated[int, Size(1 * MIB, 1024 * GIB)] = 10 * GIB
    validations: Annotated[float, Duration(HOUR, 36500 * DAY)] = DAY
    audit: Annotated[float, Duration(DAY, 36500 * DAY)] = 400 * DAY


class LogLevel(StrEnum):
    """The least important messages that are still written."""

    debug = "debug"
    info = "info"
    warning = "warning"
    error = "error"


class LogFormat(StrEnum):
    """How messages are written: ``auto`` is console on a terminal, else JSON."""

    auto = "auto"
    json = "json"
    console = "console"


class Log(msgspec.Struct, frozen=True, kw_only=True):
    """The program's own messages.

    Attributes:
        level: ``info``: what came in, what ran and how it ended.
        format: ``auto``: console on a terminal, else JSON.
    """

    level: LogLevel = LogLevel.info
    format: LogFormat = LogFormat.auto
