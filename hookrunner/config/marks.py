"""How a value of the configuration is written, and within which bounds: marks for its type."""

from collections.abc import Callable

import msgspec


class Duration(msgspec.Struct, frozen=True):
    """Marks seconds, written as ``30s`` or ``1h30m``; the bounds are within."""

    low: float
    high: float


class Size(msgspec.Struct, frozen=True):
    """Marks bytes, written as ``64MiB``; the bounds are within."""

    low: int
    high: int


class Range(msgspec.Struct, frozen=True):
    """Marks a whole number; the bounds are within."""

    low: int
    high: int


class Words(msgspec.Struct, frozen=True):
    """Marks text that is one of a few words, where they are no enumeration."""

    allowed: tuple[str, ...]


class Form(msgspec.Struct, frozen=True):
    """Marks a value that is written as text; `parse` raises ValueError, ``must be ...``."""

    parse: Callable[[str], object]


class Keys(msgspec.Struct, frozen=True):
    """Marks a mapping whose keys are names of the reader's choice, read by `parse`."""

    parse: Callable[[str], str]


class Items(msgspec.Struct, frozen=True):
    """Marks a list.

    Attributes:
        least: How many items it has at least.
        single: A value that is no list stands for a list of that one.
        command: It is an argument list, so a string is advised to be split like one.
    """

    least: int = 0
    single: bool = False
    command: bool = False


class Shorthand(msgspec.Struct, frozen=True):
    """Marks a mapping that may be written as the value of its key `key` alone."""

    key: str
