"""Make text of containers and forges safe for a terminal.

Of control sequences only colours pass: others move the cursor, set the title, answer back or
hide what was printed before.

Source:
    ECMA-48, sections 5.4 (control sequences) and 8.3.117 (SGR),
    https://ecma-international.org/publications-and-standards/standards/ecma-48/
"""

import codecs
import re

from hookrunner.core.unseen import CONTROLS, DIRECTIONS

_UNSAFE = re.compile(
    rf"[{CONTROLS}{DIRECTIONS}]"
    r"(?:(?<=\x1b)(?:"
    r"(\[[0-9;:]*m)"  # SGR, the only one that is kept
    r"|\[[0-?]*[ -/]*[@-~]"  # other control sequences
    r"|[PX^_\]][^\x07\x1b]*(?:\x07|\x1b\\)"  # strings: titles, links, device control
    r"|[ -/]*[0-~])"  # other escapes
    r"|(?<=\r)\n)?"
)
"""One pass finds all of it, so that what is left of two sequences never makes a third. It
begins with one class of characters, by which `re` skips text eight times as fast as by a
choice between sequences."""
_PLAIN = bytes([ord("\t"), ord("\n"), *range(ord(" "), 0x7F)])
"""What passes as it is. To see that a text has nothing else takes a thirtieth of the time that
the pattern takes for it, and nearly all output is plain."""
_OPEN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[PX^_\]][^\x07\x1b]*\x1b?|[ -/]*)?\Z")
_OPEN_LIMIT = 4096
"""Characters of an unfinished sequence that are waited for; more is shown as text."""


class TerminalFilter:
    """Makes one stream of bytes safe, however it is cut."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._kept = ""

    def feed(self, data: bytes) -> str:
        """Take bytes; return the text that can be shown by now."""
        text = self._kept + self._decoder.decode(data)
        self._kept = ""
        unfinished = _OPEN.search(text, max(0, len(text) - _OPEN_LIMIT))
        if unfinished:
            text, self._kept = text[: unfinished.start()], unfinished[0]
        elif text.endswith("\r"):
            text, self._kept = text[:-1], "\r"
        return _clean(text)

    def rest(self) -> str:
        """Return what was kept and never finished."""
        text, self._kept = self._kept + self._decoder.decode(b"", final=True), ""
        return _clean(text)


def _clean(text: str) -> str:
    if text.isascii() and not text.encode().translate(None, _PLAIN):
        return text
    return _UNSAFE.sub(_replaced, text)


def _replaced(match: re.Match[str]) -> str:
    if match[1]:
        return match[0]
    return "\n" if match[0].startswith("\r") else ""
