"""What ``container --packages`` prints: the packages that a build recorded.

One package a line, name and version with a tab between them, below a line ``# KIND`` for the
package system that they are from. A hand-written one may leave the kind out.
"""

from collections.abc import Iterable

import msgspec

from hookrunner.core.versions import KINDS

WORD_LIMIT = 255
"""Characters of a name or a version; Debian's file names hold both in as many."""


class Package(msgspec.Struct, frozen=True):
    """An installed package.

    Attributes:
        kind: The package system, one of `KINDS`; empty where nobody said.
    """

    name: str
    version: str
    kind: str = ""


def render_packages(packages: Iterable[Package]) -> str:
    """Write what ``container --packages`` is to print, sorted."""
    lines = []
    last = ""
    for package in sorted(packages, key=lambda p: (p.kind, p.name, p.version)):
        if package.kind != last:
            last = package.kind
            lines.append(f"# {last}\n")
        lines.append(f"{package.name}\t{package.version}\n")
    return "".join(lines)


def parse_packages(text: str) -> list[Package]:
    """Read what ``container --packages`` printed; a line of another form is left out."""
    found = []
    kind = ""
    for line in text.splitlines():
        words = line.split()
        if line.startswith("#"):
            kind = words[1] if len(words) > 1 and words[1] in KINDS else ""
        elif len(words) > 1 and all(map(_is_word, words[:2])):
            found.append(Package(words[0], words[1], kind))
    return found


def _is_word(text: str) -> bool:
    return text.isprintable() and len(text) <= WORD_LIMIT
