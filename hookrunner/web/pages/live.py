"""Tell an open page that something changed; it then asks for itself again."""

import msgspec
from aiohttp import web

from hookrunner.web import shapes
from hookrunner.web.events import changes
from hookrunner.web.pages.looking import Look, look
from hookrunner.web.stream import beating, follower, headers

BEAT = 3.0
"""Seconds between words that the connection lives. A browser waits for ever on one that died
without a word; the page gives it up after two and a half of these, and tries another."""
BEAT_EVENT = f"event: beat\ndata: {BEAT:g}\n\n".encode()


class Since(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The id of the last change that the page knows."""

    last: str = ""


@look("/live", Since)
async def live(look: Look[Since]) -> web.StreamResponse:
    """Tell what kind of thing changed, and its id."""
    last_event = look.request.headers.get("Last-Event-ID") or look.query.last
    response = web.StreamResponse(headers=headers("text/event-stream"))
    async with follower(look.request, response) as write, beating(write, BEAT_EVENT, BEAT):
        await write(b"retry: 1000\n" + BEAT_EVENT)
        async for at, (kind, value) in changes(look.services, look.caller, last_event):
            owner = value.run if isinstance(value, shapes.Step) else getattr(value, "id", "")
            data = msgspec.json.encode({"kind": kind, "id": owner})
            await write(f"id: {at}\nevent: change\ndata: ".encode() + data + b"\n\n")
    return response


ROUTES = (live,)
