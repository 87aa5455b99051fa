"""Whether who is to be told of failures can be told."""

from aiohttp import web

from hookrunner.errors import ConflictError
from hookrunner.web import shapes
from hookrunner.web.operation import Ask, Nothing, operation


@operation(
    "POST",
    "/api/v1/notifications/test",
    scope="admin",
    answers={200: shapes.Page[shapes.Notified]},
)
async def test_notifications(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Send a test to all receivers of notifications, and say which did not take it."""
    notifying = ask.services.notifying
    if notifying is None:
        raise ConflictError("nothing is sent while no server runs", hint="hookrunner serve")
    found = await notifying.test()
    masked = ask.services.views.masked
    items = [shapes.Notified(to=name, error=masked(error)) for name, error in found.items()]
    return ask.answer(shapes.Page(items=items, next=None))


OPERATIONS = (test_notifications,)
