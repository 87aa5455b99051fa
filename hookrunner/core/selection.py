"""Which containers a person means: a project, a repository, a container or an image."""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known, short_name
from hookrunner.core.repository import canonical_host, parse_repository_url
from hookrunner.errors import NotFoundError, UsageError
from hookrunner.model import Container, Verdict

KINDS = ("project", "repository", "container", "image")


class Selector(msgspec.Struct, frozen=True):
    """What a request names.

    Attributes:
        kind: One of `KINDS`.
    """

    kind: str
    value: str

    def __str__(self) -> str:
        return self.value if self.kind == "project" else f"{self.kind}:{self.value}"


class NothingMatchedError(NotFoundError):
    """A request that reaches no container.

    Attributes:
        verdicts: The near misses.
    """

    def __init__(self, message: str, verdicts: Sequence[Verdict]) -> None:
        super().__init__(message, hint="`hookrunner ps` shows the containers that are known")
        self.verdicts = tuple(verdicts)


def parse_selector(told: dict[str, str | None]) -> Selector:
    """Make a selector of a request's keys, of which exactly one is given.

    Raises:
        UsageError: None is, or several are.
    """
    given = [(kind, told[kind]) for kind in KINDS if told.get(kind)]
    if len(given) != 1:
        raise UsageError(f"name exactly one of {', '.join(KINDS)}")
    kind, value = given[0]
    return Selector(kind, value or "")


def written_selector(text: str) -> Selector:
    """Read a selector as people write it: ``bind``, or ``image:dns:1.2``.

    A word before the first colon that names no kind is a part of the project's name.

    Raises:
        UsageError: The name is empty.
    """
    kind, colon, name = text.partition(":")
    if not colon or kind not in KINDS[1:]:
        kind, name = "project", text
    if not name.strip():
        raise UsageError(
            f"{text!r} names nothing: say PROJECT, repository:NAME, container:NAME or"
            " image:NAME"
        )
    return Selector(kind, name)


def select(
    inventory: Inventory,
    selector: Selector,
    known: Known,
    *,
    may_reach: Callable[[Container], bool],
) -> tuple[list[Container], list[Verdict]]:
    """Find the containers that a selector means, by name.

    Returns:
        The containers, and verdicts on those that were meant but may not be touched or
        are named alike.
    """
    found = find(inventory, selector, known.config.match.strip_prefixes)
    allowed = [container for container in found if may_reach(container)]
    if allowed or found:
        return allowed, []
    wanted = selector.value.lower()
    near = [
        container
        for container in inventory
        if may_reach(container)
        and any(
            wanted in name.lower()
            for name in (container.name, container.project, container.image)
        )
    ]
    return [], [
        Verdict(
            container=container.name,
            container_id=container.id,
            engine=container.engine,
            project=container.project,
            target=False,
            reason=f"its project is {container.project or 'not known'}, not {selector.value}",
            remedy=f"name it: container:{container.name}",
        )
        for container in near[:_NEAR]
    ]


_NEAR = 10
"""Near misses that are told."""


def find(
    inventory: Inventory, selector: Selector, strip_prefixes: Iterable[str]
) -> list[Container]:
    """Find the containers that a selector means, by name.

    Args:
        strip_prefixes: Taken from a repository's name, as when a push is matched.
    """
    places = {(c.name, c.engine, c.id): c for c in _find(inventory, selector, strip_prefixes)}
    return [places[place] for place in sorted(places)]


def _find(
    inventory: Inventory, selector: Selector, strip_prefixes: Iterable[str]
) -> list[Container]:
    value = selector.value
    if selector.kind == "project":
        return inventory.find("project", [value.lower()])
    if selector.kind == "image":
        wanted = value.lower().removesuffix(":latest")
        return [
            container
            for container in inventory
            if wanted in _image_names(container.image.lower()) or container.image_id == value
        ] + inventory.find("image", [value.lower()])
    if selector.kind == "container":
        return [
            container
            for container in inventory
            if value in {container.name, f"{container.engine}/{container.name}"}
            or (len(value) >= _ID and container.id.startswith(value))
        ]
    key = parse_repository_url(value)
    if key is not None:
        return inventory.find("repository", [str(canonical_host(key, inventory.aliases))])
    path = value.strip("/").lower()
    found = inventory.find("path", [path])
    found += [
        container
        for container in inventory
        if any(
            str(k) == path or k.path.endswith(f"/{path}")
            for k in inventory.repositories(container)
        )
    ]
    if not found:
        names = [path, short_name(path, strip_prefixes)]
        unnamed = inventory.find("project", [name.rpartition("/")[2] for name in names])
        found = [container for container in unnamed if not container.git_repo]
    return found


def _image_names(image: str) -> set[str]:
    """An image's name as it is, and without its digest and tag; no tag means ``latest``."""
    plain = image.partition("@")[0]
    name, _, tag = plain.rpartition(":")
    if name and "/" not in tag:
        return {image, plain, name}
    return {image, plain}


_ID = 12
"""Digits of a container's id that are enough, as `docker ps` prints them."""
