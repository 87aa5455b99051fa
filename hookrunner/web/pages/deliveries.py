"""Deliveries: what came in, what it reached and why, and why not."""

import asyncio

import msgspec
from aiohttp import web

from hookrunner.adapters.store import DeliveryQuery
from hookrunner.core.matching import match
from hookrunner.errors import NotFoundError
from hookrunner.model import PushReceipt
from hookrunner.web import shapes
from hookrunner.web.api.deliveries import permitted_delivery, visible
from hookrunner.web.operation import Nothing
from hookrunner.web.pages.looking import Look, act, look
from hookrunner.web.pages.refused import refused

_PAGE = 50


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to show; what is empty leaves its condition out."""

    source: str = ""
    repository: str = ""
    cursor: str = ""


@look("/deliveries", Filter)
async def deliveries(look: Look[Filter]) -> web.Response:
    """Show what came in, newest first."""
    services, query = look.services, look.query
    found = await services.store.deliveries(
        DeliveryQuery(
            source=query.source or None,
            repository=query.repository or None,
            cursor=query.cursor or None,
            limit=_PAGE,
        )
    )
    shown = [seen for one in found if (seen := visible(look.caller, one)) is not None]
    return await look.show(
        "deliveries.html",
        deliveries=[services.views.delivery(one) for one in shown],
        more=found[-1].id if len(found) == _PAGE else None,
        query=query,
        sources=list(services.config.sources),
        refusals=refused(services.refusals) if look.caller.is_unrestricted else [],
    )


class Shown(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which verdicts to show: the first hundred, or all."""

    verdicts: str = ""


_VERDICTS = 100
"""Verdicts of a push that are shown at first: more take a browser a quarter of a second."""


@look("/deliveries/{id}", Shown)
async def delivery(look: Look[Shown]) -> web.Response:
    """Show one delivery: its proof, its pushes, and the verdicts."""
    services = look.services
    found = await permitted_delivery(services, look.caller, look.id)
    pushes = [
        (
            services.views.receipt(receipt),
            [services.views.verdict(verdict) for verdict in receipt.verdicts],
            _today(look, found.source, receipt),
        )
        for receipt in found.pushes
    ]
    return await look.show(
        "delivery.html",
        delivery=services.views.delivery(found),
        pushes=pushes,
        most=None if look.query.verdicts == "all" else _VERDICTS,
    )


def _today(
    look: Look[Shown], source: str, receipt: PushReceipt
) -> tuple[str | None, list[shapes.Verdict]] | None:
    """What the same push would reach now: why not, and the verdicts; None without a source."""
    services = look.services
    if source not in services.config.sources:
        return None
    found = match(receipt.push, services.config.sources[source], services.intake.known)
    seen = [one for one in found.verdicts if look.caller.may_reach(one.project)]
    return found.ignored, [services.views.verdict(one) for one in seen]


@act("/deliveries/{id}/replay")
async def replay(look: Look[Nothing]) -> web.StreamResponse:
    """Take a delivery's pushes once more."""
    found = await look.services.store.delivery(look.id)
    if found is None or not look.caller.is_unrestricted:
        raise NotFoundError(f"there is no delivery {look.id}, or it is not yours to replay")
    made = await asyncio.shield(look.services.again.replay(found, asked_by=look.caller.name))
    return look.go(f"deliveries/{made.id}")


ROUTES = (deliveries, delivery, replay)
