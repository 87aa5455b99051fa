"""Patterns for paths in a repository: which pushes touch what.

``*`` stands for anything within a segment, ``**`` for any number of segments, ``?`` for one
character. A pattern that names a directory means all that lies in it.
"""

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase


def touches(paths: Iterable[str], patterns: Sequence[str]) -> bool:
    """Tell whether any of the paths fits any of the patterns."""
    split = [pattern.strip("/").split("/") for pattern in patterns]
    return any(
        _fits(path.strip("/").split("/"), pattern) for path in paths for pattern in split
    )


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Match segment by segment, in the product of both lengths.

    `reached` holds the places in the pattern that the path read so far can have come to.
    """
    reached = _skip_any({0}, pattern)
    for segment in path:
        if len(pattern) in reached:
            return True
        step = set()
        for place in reached:
            if place < len(pattern):
                if pattern[place] == "**":
                    step.add(place)
                elif fnmatchcase(segment, pattern[place]):
                    step.add(place + 1)
        reached = _skip_any(step, pattern)
        if not reached:
            return False
    return len(pattern) in reached


def _skip_any(places: set[int], pattern: Sequence[str]) -> set[int]:
    """Add the places behind every ``**`` that matches nothing."""
    found = set(places)
    for place in sorted(places):
        at = place
        while at < len(pattern) and pattern[at] == "**":
            at += 1
            found.add(at)
    return found
