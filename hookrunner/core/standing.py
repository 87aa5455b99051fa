"""Where a container stands against what was pushed: behind, or not, or nobody can say."""

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
from msgspec.structs import replace

from hookrunner.core.eligibility import default_branches, followed
from hookrunner.core.history import KnownPush
from hookrunner.core.matching import Known
from hookrunner.core.metadata import patterns
from hookrunner.core.paths import touches
from hookrunner.model import Container

_REBUILD_PATHS = ("Dockerfile", "container.yaml")
"""What makes an image outdated where its metadata names no ``rebuild_paths``."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a container compares with the pushes known for it.

    Attributes:
        pushed_gitref: What the last push for its repository, branch and paths left; None
            where none is known.
        behind: It does not serve that push; None where that cannot be said.
        behind_since: Where it is behind, when the first push came that it does not serve;
            the last one's time where nobody can say which that is.
        image_behind: A push since the build touched what the image is made of; None where
            that cannot be said.
    """

    pushed_gitref: str | None = None
    behind: bool | None = None
    behind_since: datetime | None = None
    image_behind: bool | None = None


def standing(container: Container, known: Known) -> Standing:
    """Compare a container with the last push known for it."""
    found = []
    outdated: bool | None = None
    for pushes, counted in _pushed(container, known):
        newest = counted[-1] if counted else None
        if (image := _is_outdated(container, pushes)) is not None:
            outdated = image
        if newest is not None:
            found.append(_compare(container, counted, known))
    worst = min(found, key=_badness, default=Standing())
    return replace(worst, image_behind=outdated)


def pushed(
    container: Container, known: Known
) -> Iterator[tuple[list[KnownPush], KnownPush | None]]:
    """Find what was pushed for a container.

    Yields:
        Of each of its repositories the known pushes of the ref that it follows, oldest
        first, and the last one that counts for it.
    """
    for pushes, counted in _pushed(container, known):
        yield pushes, counted[-1] if counted else None


def _pushed(
    container: Container, known: Known
) -> Iterator[tuple[list[KnownPush], list[KnownPush]]]:
    """As `pushed`, with all those that count instead of the last."""
    project = known.config.project(container.project)
    globs = project.paths or (
        patterns(container.metadata, "paths") if container.metadata else ()
    )
    for repository, branches in followed_repositories(container, known).items():
        pushes = _followed_pushes(known, repository, branches)
        counted = [push for push in pushes if _counts(push, globs)]
        yield pushes, counted


def followed_repositories(container: Container, known: Known) -> dict[str, tuple[str, ...]]:
    """The keys, as text, of a container's repositories, each with the branches that it follows.

    One that names none has the repository by which pushes found its project.
    """
    project = known.config.project(container.project)
    named = followed(container, project, aliases=known.inventory.aliases)
    binding = known.bindings.get(container.project) if container.project else None
    if not named and binding is not None:
        return {binding.repository: default_branches(container, project)}
    return {str(key): branches for key, branches in named.items()}


def _followed_pushes(known: Known, repository: str, branches: Iterable[str]) -> list[KnownPush]:
    """The pushes of the first of these branches that got any, oldest first."""
    for branch in branches:
        pushes = known.history.of(repository, f"refs/heads/{branch}")
        kept = [push for push in pushes if not push.deleted]
        if kept:
            return kept
    return []


def _badness(one: Standing) -> int:
    """Of several repositories the one that it is behind of counts, then the one unknown."""
    return (True, None, False).index(one.behind)


def _counts(push: KnownPush, globs: Iterable[str]) -> bool:
    wanted = tuple(globs)
    return not wanted or push.paths is None or touches(push.paths, wanted)


def _compare(container: Container, counted: list[KnownPush], known: Known) -> Standing:
    last = counted[-1]
    behind: bool | None = None
    served = container.gitref_of(last.repository)
    if container.dirty:
        behind = True
    elif served is not None:
        behind = not known.history.serves(served, last.repository, last.ref, last.after)
    since = _behind_since(served, counted, known) if behind else None
    return Standing(pushed_gitref=last.after, behind=behind, behind_since=since)


def _behind_since(served: str | None, counted: list[KnownPush], known: Known) -> datetime:
    """When the first push came behind the one that is served."""
    places = [
        place
        for place, push in enumerate(counted)
        if known.history.serves(served, push.repository, push.ref, push.after)
    ]
    if places:
        missed = counted[places[-1] + 1 :]
    else:
        missed = [push for push in counted if served is not None and push.before == served]
    return (missed or counted[-1:])[0].received_at


def _is_outdated(container: Container, pushes: list[KnownPush]) -> bool | None:
    """Whether what the image is made of was pushed after the commit that it was built from."""
    places = [
        place
        for place, push in enumerate(pushes)
        if container.gitref is not None
        and (push.after == container.gitref or container.gitref in push.commits)
    ]
    earlier = [place for place, push in enumerate(pushes) if push.before == container.gitref]
    if places:
        since = pushes[places[-1] + 1 :]
    elif container.gitref is not None and earlier:
        since = pushes[earlier[0] :]
    else:
        return None
    wanted: tuple[str, ...] = _REBUILD_PATHS
    if container.metadata is not None and "rebuild_paths" in container.metadata.keys:
        wanted = patterns(container.metadata, "rebuild_paths")
    return any(push.paths is not None and touches(push.paths, wanted) for push in since)
