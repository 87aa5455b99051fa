"""What came in, and what became of it."""

import asyncio

from aiohttp import web
from msgspec.structs import replace

from hookrunner.adapters.store import DeliveryQuery
from hookrunner.errors import NotFoundError
from hookrunner.model import Delivery
from hookrunner.web import shapes
from hookrunner.web.api.lists import ListQuery
from hookrunner.web.caller import Caller
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services


class DeliveriesQuery(ListQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to list."""

    source: str | None = None
    repository: str | None = None


@operation(
    "GET",
    "/api/v1/deliveries",
    scope="read",
    query=DeliveriesQuery,
    answers={200: shapes.Page[shapes.Delivery]},
)
async def deliveries(ask: Ask[DeliveriesQuery, Nothing]) -> web.Response:
    """List what came in, newest first."""
    query = ask.query
    found = await ask.services.store.deliveries(
        DeliveryQuery(
            source=query.source,
            repository=query.repository,
            since=query.since,
            until=query.until,
            cursor=query.cursor,
            limit=query.limit,
        )
    )
    return ask.answer(
        shapes.Page(
            items=[
                ask.services.views.delivery(seen)
                for one in found
                if (seen := visible(ask.caller, one)) is not None
            ],
            next=found[-1].id if len(found) == query.limit else None,
        )
    )


@operation("GET", "/api/v1/deliveries/{id}", scope="read", answers={200: shapes.Delivery})
async def delivery(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Show one delivery with its verdicts."""
    found = await permitted_delivery(ask.services, ask.caller, ask.id)
    return ask.answer(ask.services.views.delivery(found))


async def permitted_delivery(services: Services, caller: Caller, delivery_id: str) -> Delivery:
    """A delivery, as far as a caller may see it.

    Raises:
        NotFoundError: There is none, or nothing of it is the caller's.
    """
    found = await services.store.delivery(delivery_id)
    seen = None if found is None else visible(caller, found)
    if seen is None:
        raise NotFoundError(f"there is no delivery {delivery_id}")
    return seen


def visible(caller: Caller, whole: Delivery) -> Delivery | None:
    """What a caller may see of a delivery: the pushes with verdicts on their projects.

    Returns:
        None where there are none. One that caused nothing yet shows itself to nobody who is
        for some projects only, since nobody knows yet whose it is.
    """
    if caller.is_unrestricted:
        return whole
    pushes = tuple(
        replace(receipt, verdicts=seen, others=0)
        for receipt in whole.pushes
        if (seen := tuple(v for v in receipt.verdicts if caller.may_reach(v.project)))
    )
    return replace(whole, pushes=pushes) if pushes else None


@operation(
    "POST", "/api/v1/deliveries/{id}/replay", scope="run", answers={202: shapes.Delivery}
)
async def replay(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Take a delivery's pushes once more, whatever came of them before."""
    services = ask.services
    services.need_server()
    found = await services.store.delivery(ask.id)
    if found is None or not ask.caller.is_unrestricted:
        raise NotFoundError(f"there is no delivery {ask.id}, or it is not yours to replay")
    made = await asyncio.shield(services.again.replay(found, asked_by=ask.caller.name))
    return ask.answer(services.views.delivery(made), status=202)


OPERATIONS = (deliveries, delivery, replay)
