"""Lengths of time and amounts of bytes as people write them, and ids that sort by time.

In files a number always has its unit (``30s``, ``64MiB``); inside the program seconds
are floats and bytes are ints.
"""

import re
import secrets
from datetime import datetime

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d))+")
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SIZE = re.compile(r"(\d+)(B|KiB|MiB|GiB)")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
"""Crockford's base 32, in lower case: no letter that is read as a digit.

Source: https://www.crockford.com/base32.html
"""

_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
"""The same digits as `int` reads them."""
_PAIRS = tuple(first + second for first in _ALPHABET for second in _ALPHABET)

_AT_ONCE = 256
"""How many ids' random bits are asked for at once. Asking is a call into the kernel, after
which the interpreter's lock has to be waited for: three of them were 4 % of taking a push."""
_RANDOM: list[int] = []
"""80 random bits each, from which threads take as they please: `list.pop` is one step."""

_RANDOM_BITS = 80
_STEP_BITS = 70
"""Random bits between an id and one that must follow it: not to be guessed, and a thousand
of them take up one millisecond."""


def parse_duration(text: str) -> float:
    """Read a length of time such as ``30s``, ``10m`` or ``1h30m``.

    Returns:
        Seconds.

    Raises:
        ValueError: The text is of another form; a bare number has no unit and is refused.
    """
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration: write it with a unit, as in 30s or 10m")
    return sum(float(n) * _SECONDS[unit] for n, unit in _DURATION_PART.findall(text))


def format_duration(seconds: float) -> str:
    """Write a length of time as `parse_duration` reads it, with the largest fitting units."""
    if seconds < 1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 60 and seconds != int(seconds):  # noqa: PLR2004 - a minute
        return f"{seconds:.1f}s"
    rest, parts = round(seconds), []
    for unit in ("d", "h", "m", "s"):
        count, rest = divmod(rest, int(_SECONDS[unit]))
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_size(text: str) -> int:
    """Read an amount of bytes such as ``512KiB`` or ``10MiB``.

    Returns:
        Bytes.

    Raises:
        ValueError: The text is of another form; a bare number has no unit and is refused.
    """
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"{text!r} is not a size: write it with a unit, as in 512KiB or 10MiB")
    return int(match[1]) * _BYTES[match[2]]


def format_size(count: int) -> str:
    """Write an amount of bytes as `parse_size` reads it, exactly."""
    for unit in ("GiB", "MiB", "KiB"):
        if count and count % _BYTES[unit] == 0:
            return f"{count // _BYTES[unit]}{unit}"
    return f"{count}B"


def new_id(at: datetime, *, after: str = "") -> str:
    """Make an id that nobody can guess and that sorts by the time of its making.

    26 characters: 48 bits of milliseconds, then 80 random bits.

    Args:
        at: An aware time.
        after: An id that it must sort behind, also within one millisecond and where the
            clock was set back.

    Source:
        https://github.com/ulid/spec, in lower case.
    """
    least = int(after.translate(_DIGITS), 32) if after else 0
    milliseconds = int(at.timestamp() * 1000)
    if milliseconds > least >> 80:
        number = milliseconds << 80 | _random()
    else:
        number = least + 1 + (_random() >> _RANDOM_BITS - _STEP_BITS)
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def _random() -> int:
    """80 random bits that nobody was given before."""
    try:
        return _RANDOM.pop()
    except IndexError:
        many, size = secrets.token_bytes(_AT_ONCE * 10), 10
        _RANDOM.extend(int.from_bytes(many[at : at + size]) for at in range(0, len(many), size))
        return _random()
