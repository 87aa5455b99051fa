"""The containers by project, and one with its ancestors and history."""

import asyncio
from collections import defaultdict
from typing import Annotated

import msgspec
from aiohttp import web

from hookrunner.adapters.store import RunQuery
from hookrunner.core.examined import rendered
from hookrunner.core.outcome import FAILURES
from hookrunner.core.selection import Selector
from hookrunner.errors import UsageError
from hookrunner.model import Action
from hookrunner.web import shapes
from hookrunner.web.api.containers import find, first_started_at, last_steps, listed, view
from hookrunner.web.api.runs import page_of_runs
from hookrunner.web.operation import Nothing
from hookrunner.web.pages import drawing
from hookrunner.web.pages.looking import Look, act, concerns, look

_HISTORY = 15
_BARS = 40


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which containers to show."""

    project: str = ""
    show: str = ""
    q: Annotated[str, msgspec.Meta(max_length=200)] = ""


@look("/containers", Filter)
async def containers(look: Look[Filter]) -> web.Response:
    """Show the containers by project."""
    services = look.services
    last = await last_steps(services)
    shown = await listed(services, look.caller)
    views = [view(services, one, last, whole=False) for one in shown]
    groups: defaultdict[str, list[shapes.Container]] = defaultdict(list)
    found = [one for one in views if _is_found(one, look.query)]
    for one in found:
        if _fits(one, look.query.show):
            groups[one.project or ""].append(one)
    return await look.show(
        "containers.html",
        groups=sorted(groups.items(), key=lambda group: (not group[0], group[0])),
        query=look.query,
        total=len(views),
        found=len(found),
        kinds=_SHOWN,
        counts={kind: sum(_fits(one, kind) for one in found) for kind in _SHOWN},
    )


_SHOWN = ("behind", "failed", "dirty", "invalid")


def _is_found(one: shapes.Container, query: Filter) -> bool:
    named = (one.name, one.host, one.project, one.image, one.gitref, one.current_gitref)
    wanted = query.q.strip().lower()
    return query.project in {"", one.project} and any(
        wanted in (name or "").lower() for name in named
    )


def _fits(one: shapes.Container, kind: str) -> bool:
    if kind == "behind":
        return bool(one.behind)
    if kind == "dirty":
        return one.dirty
    if kind == "invalid":
        return one.valid is False
    if kind == "failed":
        return one.last_step is not None and one.last_step.status in FAILURES
    return True


@look("/containers/{id:.+}")
async def container(look: Look[Nothing]) -> web.Response:
    """Show one container: the seed's `--examine`, and what was done in it."""
    services = look.services
    found = await find(services, look.caller, look.id)
    told = view(services, found, await last_steps(services), whole=True)
    told = msgspec.structs.replace(
        told, first_started_at=await first_started_at(services, found)
    )
    history, _ = await page_of_runs(
        services, look.caller, RunQuery(container=found.name, limit=_HISTORY, routine=False)
    )
    steps = await services.store.figures.steps_of(found.engine, found.name, _BARS)
    return await look.show(
        "container.html",
        container=told,
        validated_at=found.validity.at if found.validity else None,
        place=f"{found.engine}/{found.name}",
        bare_name=found.name,
        examined=await asyncio.to_thread(rendered, msgspec.to_builtins(told)),
        ancestors=told.metadata.get("ancestors") or [],
        history=history,
        graph=drawing.phases([services.views.step(step) for step in steps]),
    )


@act("/containers/{action:update|validate}/{id:.+}")
async def start(look: Look[Nothing]) -> web.StreamResponse:
    """Update or validate one container, and go to the run."""
    services = look.services
    found = await find(services, look.caller, look.id)
    action = Action(look.request.match_info["action"])
    form = await look.form()
    concerns(look.request, f"{action} {found.engine}/{found.name}")
    if action not in found.methods:
        raise UsageError(f"{found.name} has no {action} method")
    run = await asyncio.shield(
        services.intake.request(
            Selector("container", f"{found.engine}/{found.name}"),
            action,
            force=form.get("force") == "on",
            reason=form.get("reason", "").strip()[:500] or None,
            requested_by=look.caller.name,
            may_reach=look.caller.may_touch,
        )
    )
    return look.go(f"runs/{run.id}")


ROUTES = (containers, container, start)
