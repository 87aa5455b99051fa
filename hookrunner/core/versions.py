"""Which of two versions of a package is the older one, as dpkg, rpm and apk say it.

Each has rules of its own, and none is that of the others: ``1.0~rc1`` is older than ``1.0``
for dpkg and rpm, ``1.0_rc1`` for apk. Texts in, a number out.
"""

import re
from collections.abc import Callable, Iterator
from itertools import zip_longest

KINDS = ("dpkg", "rpm", "apk")
"""The package systems."""

_RPM_RELEASE = re.compile(r"\.(el|fc|amzn|mga|suse|lp|cl|oe)\w*\Z")
_APK_REVISION = re.compile(r"-r\d+\Z")


def compare(a: str, b: str, kind: str) -> int:
    """Compare two versions: below zero where `a` is the older, zero where both are one.

    Args:
        kind: One of `KINDS`. With anything else it is told by the form of `a`: ``-r1`` at
            its end is apk's, ``.el9`` rpm's, the rest dpkg's.
    """
    return _COMPARED[kind if kind in _COMPARED else _kind_of(a)](a.strip(), b.strip())


def _kind_of(version: str) -> str:
    if _APK_REVISION.search(version):
        return "apk"
    return "rpm" if _RPM_RELEASE.search(version) else "dpkg"


def _sign(a: int, b: int) -> int:
    return (a > b) - (a < b)


def compare_dpkg(a: str, b: str) -> int:
    """Compare as ``dpkg --compare-versions`` does.

    Source:
        https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
    """
    (epoch_a, upstream_a, revision_a), (epoch_b, upstream_b, revision_b) = _split(a), _split(b)
    return (
        _sign(epoch_a, epoch_b)
        or _compare_debian(upstream_a, upstream_b)
        or _compare_debian(revision_a or "", revision_b or "")
    )


def _split(version: str) -> tuple[int, str, str | None]:
    """Epoch, version and revision; the last is None where there is none."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "", version
    upstream, dash, revision = rest.rpartition("-")
    number = int(epoch) if epoch.isascii() and epoch.isdigit() else 0
    return (number, upstream, revision) if dash else (number, rest, None)


def _compare_debian(a: str, b: str) -> int:
    """Compare by turns what is no digit, letters before others, and numbers."""
    parts = zip_longest(_turns(a), _turns(b), fillvalue=("", 0))
    for (text_a, number_a), (text_b, number_b) in parts:
        orders = zip_longest(map(_order, text_a), map(_order, text_b), fillvalue=0)
        found = next((_sign(x, y) for x, y in orders if x != y), 0)
        found = found or _sign(number_a, number_b)
        if found:
            return found
    return 0


def _turns(text: str) -> Iterator[tuple[str, int]]:
    for match in re.finditer(r"([^0-9]*)([0-9]*)", text):
        if match[0]:
            yield match[1], int(match[2] or 0)


def _order(character: str) -> int:
    """A tilde sorts before the end of the text, which is 0, and that before all others."""
    if character == "~":
        return -1
    return (
        ord(character) if character.isascii() and character.isalpha() else 256 + ord(character)
    )


def compare_rpm(a: str, b: str) -> int:
    """Compare as rpm does: epoch, version, and the release where both have one.

    Source:
        https://rpm.org/docs/latest/manual/dependencies.html, "Versioning", and
        https://github.com/rpm-software-management/rpm/blob/master/rpmio/rpmvercmp.c
    """
    (epoch_a, version_a, release_a) = _split(a.removeprefix("(none):"))
    (epoch_b, version_b, release_b) = _split(b.removeprefix("(none):"))
    found = _sign(epoch_a, epoch_b) or _compare_segments(version_a, version_b)
    if found or release_a is None or release_b is None:
        return found
    return _compare_segments(release_a, release_b)


_SEGMENT = re.compile(r"[0-9]+|[A-Za-z]+|~|\^")


def _compare_segments(a: str, b: str) -> int:
    """Compare segment by segment; what is no letter, digit, ``~`` or ``^`` only separates."""
    segments = zip_longest(_SEGMENT.findall(a), _SEGMENT.findall(b))
    for x, y in segments:
        if x == y:
            continue
        if "~" in {x, y}:
            return -1 if x == "~" else 1
        if "^" in {x, y}:  # more than the end, and less than any other segment
            other = y if x == "^" else x
            caret = 1 if other is None else -1
            return caret if x == "^" else -caret
        if x is None or y is None:
            return -1 if x is None else 1
        if x.isdigit() != y.isdigit():
            return 1 if x.isdigit() else -1
        found = _sign(int(x), int(y)) if x.isdigit() else (x > y) - (x < y)
        if found:
            return found
    return 0


def compare_apk(a: str, b: str) -> int:
    """Compare as ``apk version -t`` does.

    Source:
        https://github.com/alpinelinux/apk-tools/blob/v2.14.0/src/version.c
    """
    for (kind_a, value_a), (kind_b, value_b) in zip_longest(
        _apk_tokens(a), _apk_tokens(b), fillvalue=(_END, 0)
    ):
        if kind_a == kind_b:
            if value_a != value_b:
                return 1 if value_a > value_b else -1
            continue
        if kind_a == _SUFFIX and value_a < 0:
            return -1
        if kind_b == _SUFFIX and value_b < 0:
            return 1
        return -1 if kind_a > kind_b else 1
    return 0


_NUMBER, _LETTER, _SUFFIX, _SUFFIX_NUMBER, _REVISION, _END = range(6)
_SUFFIXES = {
    name: place - 4
    for place, name in enumerate(
        ("alpha", "beta", "pre", "rc", "", "cvs", "svn", "git", "hg", "p")
    )
}
"""Those below zero make a version older than without."""
_APK = re.compile(
    r"\.?(?P<number>[0-9]+)|(?P<letter>[a-z])|_(?P<suffix>[a-z]+)(?P<count>[0-9]*)"
    r"|-r(?P<revision>[0-9]+)|."
)


def _apk_tokens(version: str) -> Iterator[tuple[int, int]]:
    """Each part by its kind; of two kinds the one that stands first here is the greater."""
    for place, match in enumerate(_APK.finditer(version.partition("~")[0])):
        if match["number"]:
            digits = match["number"]
            zeros = len(digits) - len(digits.lstrip("0"))
            if zeros and place:  # .05 is less than .5, as in a decimal fraction
                yield _NUMBER, -zeros
                digits = digits.lstrip("0")
            if digits:
                yield _NUMBER, int(digits)
        elif match["letter"]:
            yield _LETTER, ord(match["letter"])
        elif match["suffix"]:
            yield _SUFFIX, _SUFFIXES.get(match["suffix"], 0)
            if match["count"]:
                yield _SUFFIX_NUMBER, int(match["count"])
        elif match["revision"]:
            yield _REVISION, int(match["revision"])


_COMPARED: dict[str, Callable[[str, str], int]] = {
    "dpkg": compare_dpkg,
    "rpm": compare_rpm,
    "apk": compare_apk,
}
