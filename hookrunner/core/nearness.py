"""Which container a push may have been meant for, where it reaches none.

For the operator alone: a likeness of names decides nothing, and senders are not told.
"""

from difflib import SequenceMatcher

from hookrunner.core.matching import Known, short_name
from hookrunner.model import Container, Push

_LIKENESS = 0.6
"""From which two names count as alike, of 1; what difflib's own search takes."""
_LOOKED_AT = 1000
"""Containers that are compared at most; a guess, some 20 ms."""


def closest(push: Push, known: Known) -> str | None:
    """Name the container whose name is most like the repository's, and why it is not meant."""
    container = _most_alike(push, known)
    if container is None:
        return None
    facts = [
        f"its {what} is {value}"
        for what, value in (("project", container.project), ("git_repo", container.git_repo))
        if value
    ] or ["it names neither project nor git_repo"]
    name = known.inventory.label(container.engine, container.name)
    return f"the closest by name is {name}: {', '.join(facts)}"


def _most_alike(push: Push, known: Known) -> Container | None:
    prefixes = known.config.match.strip_prefixes
    matcher = SequenceMatcher(b=short_name(push.repository, prefixes))  # which is kept of b
    best, likeness = None, _LIKENESS
    for container in list(known.inventory)[:_LOOKED_AT]:
        for name in _names(container):
            matcher.set_seq1(short_name(name, prefixes))
            if matcher.quick_ratio() >= likeness and matcher.ratio() >= likeness:
                best, likeness = container, matcher.ratio()
    return best


def _names(container: Container) -> list[str]:
    image = container.image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    repository = (container.git_repo or "").rstrip("/").removesuffix(".git")
    return [name for name in (container.project, container.name, image, repository) if name]
