"""The inventory."""

from datetime import datetime

import msgspec
import structlog
from aiohttp import web

from hookrunner.core.deployment import STARTED_FILES
from hookrunner.core.selection import Selector, select
from hookrunner.errors import HookrunnerError, NotFoundError, UsageError
from hookrunner.model import Container, Step
from hookrunner.web import shapes
from hookrunner.web.caller import Caller
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services

log = structlog.get_logger()

LastSteps = dict[tuple[str, str], Step]
"""By engine and container name."""


class ContainerQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much to tell of a container."""

    metadata: bool = False


class ContainersQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which containers to list; they come on one page, so `limit` and `cursor` do nothing."""

    project: str | None = None
    metadata: bool = False
    limit: int | None = None
    cursor: str | None = None


@operation(
    "GET",
    "/api/v1/containers",
    scope="read",
    query=ContainersQuery,
    answers={200: shapes.Page[shapes.Container]},
)
async def containers(ask: Ask[ContainersQuery, Nothing]) -> web.Response:
    """List the running containers, by project and name."""
    services, query = ask.services, ask.query
    shown = await listed(services, ask.caller, query.project)
    last = await last_steps(services)
    items = [view(services, one, last, whole=query.metadata) for one in shown]
    return ask.answer(shapes.Page(items=items, next=None))


async def listed(
    services: Services, caller: Caller, project: str | None = None
) -> list[Container]:
    """The containers that a caller may see, by project and name."""
    shown = [
        container
        for container in await services.listed()
        if caller.may_touch(container) and project in {None, container.project}
    ]
    return sorted(shown, key=lambda c: (c.project, c.name, c.engine))


@operation(
    "GET",
    "/api/v1/containers/{id:.+}",
    scope="read",
    query=ContainerQuery,
    answers={200: shapes.Container},
)
async def container(ask: Ask[ContainerQuery, Nothing]) -> web.Response:
    """Show one container, by id, the start of one, or name."""
    found = await find(ask.services, ask.caller, ask.id)
    last = await last_steps(ask.services)
    told = view(ask.services, found, last, whole=ask.query.metadata)
    if ask.query.metadata:
        at = await first_started_at(ask.services, found)
        told = msgspec.structs.replace(told, first_started_at=at)
    return ask.answer(told)


async def find(services: Services, caller: Caller, told: str) -> Container:
    """The container that somebody means.

    Raises:
        NotFoundError: There is none, or the caller may not see it.
        UsageError: Several have the name.
    """
    found, _ = select(
        await services.listed(),
        Selector("container", told),
        services.intake.known,
        may_reach=caller.may_touch,
    )
    if not found:
        raise NotFoundError(f"there is no container {told}")
    if len(found) > 1:
        names = ", ".join(f"{one.engine}/{one.name}" for one in found)
        raise UsageError(f"{told} is the name of several containers", hint=f"one of {names}")
    return found[0]


async def first_started_at(services: Services, container: Container) -> datetime:
    """When a container started first: its own note of it, else when the engine made it."""
    engine = services.watchers[container.engine].engine
    if container.metadata is not None and "standard" in container.metadata.keys:
        try:
            for path in STARTED_FILES:
                at = await engine.changed_at(container.id, path)
                if at is not None:
                    return at
        except HookrunnerError as error:
            log.info("first start not known", container=container.name, error=str(error))
    return container.created_at


def view(
    services: Services, container: Container, last: LastSteps, *, whole: bool
) -> shapes.Container:
    """What is said of a container.

    Args:
        whole: With all of the metadata.
    """
    step = last.get((container.engine, container.name))
    told = services.views.container(container, services.intake.known, step, whole=whole)
    scrape = services.probing.scrapes.of(container) if services.probing else None
    if scrape is None or scrape.problem is None:
        return told
    problem = services.views.masked(f"its metrics: {scrape.problem}")
    return msgspec.structs.replace(told, problems=[*told.problems, problem])


async def last_steps(services: Services) -> LastSteps:
    """The step that finished last of each container."""
    return {(s.engine, s.container): s for s in await services.store.last_steps()}


OPERATIONS = (containers, container)
