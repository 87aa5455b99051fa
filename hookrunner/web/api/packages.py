"""Which containers have a package, as their images' builds recorded it."""

import asyncio
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec
from aiohttp import web

from hookrunner.core.packages import WORD_LIMIT, Package
from hookrunner.core.versions import compare
from hookrunner.errors import HookrunnerError
from hookrunner.model import Container
from hookrunner.web import shapes
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services


class PackagesQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which package: its name or a pattern of it, and the version that it is below of."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    below: Annotated[str, msgspec.Meta(max_length=WORD_LIMIT)] | None = None
    limit: int | None = None
    cursor: str | None = None


@operation(
    "GET",
    "/api/v1/packages",
    scope="read",
    query=PackagesQuery,
    answers={200: shapes.Page[shapes.Packages]},
)
async def packages(ask: Ask[PackagesQuery, Nothing]) -> web.Response:
    """List the containers that have a package, and those that cannot tell."""
    services, name, below = ask.services, ask.query.name, ask.query.below
    inventory = await services.listed()
    shown = [container for container in inventory if ask.caller.may_touch(container)]
    by_image: dict[tuple[str, str], list[Container]] = {}
    for container in sorted(shown, key=lambda c: (c.project, c.name, c.engine)):
        by_image.setdefault((container.engine, container.image_id), []).append(container)
    async with asyncio.TaskGroup() as group:
        asked = {
            place: group.create_task(_ask(services, of_image), name="ask for packages")
            for place, of_image in by_image.items()
        }
    items = []
    for place, of_image in by_image.items():
        told = asked[place].result()
        found = [p for p in told if _fits(p, name, below)] if isinstance(told, list) else []
        if found or isinstance(told, str):
            reason = told if isinstance(told, str) else None
            items += [_view(services, one, found, reason) for one in of_image]
    return ask.answer(shapes.Page(items=items, next=None))


async def _ask(services: Services, containers: list[Container]) -> list[Package] | str:
    """The packages of an image, from the first of its containers that tells; else why not."""
    reason = ""
    for container in containers:
        try:
            return await services.watchers[container.engine].packages(container)
        except HookrunnerError as error:
            reason = reason or str(error)
    return reason


def _fits(package: Package, name: str, below: str | None) -> bool:
    if not fnmatchcase(package.name, name):
        return False
    return below is None or compare(package.version, below, package.kind) < 0


def _view(
    services: Services, container: Container, found: list[Package], reason: str | None
) -> shapes.Packages:
    return shapes.Packages(
        container=services.views.name(container.engine, container.name),
        host=container.engine,
        project=container.project or None,
        image=container.image,
        packages=[shapes.Package(name=p.name, version=p.version, kind=p.kind) for p in found],
        reason=reason,
    )


OPERATIONS = (packages,)
