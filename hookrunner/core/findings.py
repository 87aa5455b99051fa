"""What ``hookrunner check`` finds: right, worth knowing, or wrong, each with a remedy."""

from enum import StrEnum

import msgspec


class Level(StrEnum):
    """How much a finding matters."""

    ok = "ok"
    note = "note"
    wrong = "wrong"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at.

    Attributes:
        about: What it is about: ``engine local``, ``container www``.
        remedy: What to do about it, lines to paste included; None where nothing need be done.
    """

    level: Level
    about: str
    text: str
    remedy: str | None = None
