"""All routes of the page."""

from aiohttp import web

from hookrunner.web.pages import containers, deliveries, holds, live, manual, now, runs, signing
from hookrunner.web.pages.looking import static

ROUTES: tuple[web.RouteDef, ...] = (
    *now.ROUTES,
    *containers.ROUTES,
    *runs.ROUTES,
    *deliveries.ROUTES,
    *holds.ROUTES,
    *live.ROUTES,
    *manual.ROUTES,
    *signing.ROUTES,
    web.get("/static/{name}", static),
)
