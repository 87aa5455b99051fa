"""From a line with the colours of a terminal to parts that each have one look.

Source:
    ECMA-48, section 8.3.117 (SGR),
    https://ecma-international.org/publications-and-standards/standards/ecma-48/
"""

import re

from hookrunner.core.terminal import TerminalFilter

Part = tuple[str, str]
"""Names of looks with blanks between (``f1 bold``), and the text that has them."""

_SGR = re.compile(r"\x1b\[([0-9;:]*)m")
_STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "under", 7: "inverse", 9: "struck"}
_ENDS = {
    22: ("bold", "dim"),
    23: ("italic",),
    24: ("under",),
    27: ("inverse",),
    29: ("struck",),
}
_BASE = 16
"""Colours that have names; the other 240 and all true ones become the nearest of them."""
_PALETTE = (
    (0, 0, 0),
    (170, 0, 0),
    (0, 170, 0),
    (170, 85, 0),
    (0, 0, 170),
    (170, 0, 170),
    (0, 170, 170),
    (170, 170, 170),
    (85, 85, 85),
    (255, 85, 85),
    (85, 255, 85),
    (255, 255, 85),
    (85, 85, 255),
    (255, 85, 255),
    (85, 255, 255),
    (255, 255, 255),
)
"""Those of VGA. Source: https://en.wikipedia.org/wiki/ANSI_escape_code#Colors"""
_CODES_LIMIT = 32
"""Numbers in one sequence; a guess, real ones have five."""


def paint(line: bytes) -> list[list[Part]]:
    """Make the parts of one line as it was printed, without its end.

    Returns:
        The lines that it is shown as: more than one where carriage returns cut it, since
        nothing is written over.
    """
    terminal = TerminalFilter()
    text = terminal.feed(line) + terminal.rest()
    return [_parts(one) for one in text.rstrip("\n").split("\n")]


def _parts(text: str) -> list[Part]:
    parts: list[Part] = []
    look: dict[str, str] = {}
    at = 0
    for found in _SGR.finditer(text):
        _add(parts, look, text[at : found.start()])
        _apply(look, found[1])
        at = found.end()
    _add(parts, look, text[at:])
    return parts


def _add(parts: list[Part], look: dict[str, str], text: str) -> None:
    if text:
        parts.append((" ".join(look.values()), text))


def _apply(look: dict[str, str], told: str) -> None:
    """Change a look by one sequence; what makes no sense is passed over."""
    codes = [int(code[:6]) if code else 0 for code in re.split("[;:]", told)][:_CODES_LIMIT]
    while codes:
        code = codes.pop(0)
        if code == 0:
            look.clear()
        elif code in _STYLES:
            look[_STYLES[code]] = _STYLES[code]
        elif code in _ENDS:
            for name in _ENDS[code]:
                look.pop(name, None)
        elif code in {38, 48}:
            colour = _long_colour(codes)
            if colour is not None:
                look["f" if code == 38 else "b"] = f"{'f' if code == 38 else 'b'}{colour}"  # noqa: PLR2004 - foreground
        else:
            _short_colour(look, code)


def _short_colour(look: dict[str, str], code: int) -> None:
    for start, kind, bright in ((30, "f", 0), (40, "b", 0), (90, "f", 8), (100, "b", 8)):
        if start <= code < start + 8:
            look[kind] = f"{kind}{code - start + bright}"
        elif code == start + 9 and not bright:
            look.pop(kind, None)


def _long_colour(codes: list[int]) -> int | None:
    """Take the numbers behind 38 or 48; the nearest of the sixteen."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:  # noqa: PLR2004 - one of 256
        number = codes.pop(0)
        if number < _BASE:
            return number
        if number < 232:  # noqa: PLR2004 - a cube of 6 by 6 by 6 follows, then 24 greys
            number -= _BASE
            levels = (0, 95, 135, 175, 215, 255)
            return _nearest(levels[number // 36], levels[number // 6 % 6], levels[number % 6])
        grey = min(255, 8 + (number - 232) * 10)
        return _nearest(grey, grey, grey)
    if kind == 2 and len(codes) >= 3:  # noqa: PLR2004 - red, green, blue
        red, green, blue, *rest = codes
        codes[:] = rest
        return _nearest(red, green, blue)
    return None


def _nearest(red: int, green: int, blue: int) -> int:
    def distance(number: int) -> int:
        r, g, b = _PALETTE[number]
        return (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2

    return min(range(_BASE), key=distance)
