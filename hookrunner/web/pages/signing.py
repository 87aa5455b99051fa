"""Signing in, with a token or by a link that works once, and out."""

import re

from aiohttp import web

from hookrunner.errors import UnauthorizedError
from hookrunner.web.auth import bearer_of
from hookrunner.web.body import decoded_form
from hookrunner.web.pages.looking import HEADERS, root, show
from hookrunner.web.services import SERVICES
from hookrunner.web.session import begin, check_origin, end, session_caller

_PLACE = re.compile(r"(?!//)[A-Za-z0-9][^\\\x00-\x20:]*")
"""Where somebody may be sent after signing in: a path of ours, which has no scheme in it."""


def _place(told: str) -> str:
    return told if _PLACE.fullmatch(told) and not told.startswith("sign-") else ""


async def sign_in(request: web.Request) -> web.StreamResponse:
    """``GET /sign-in``."""
    further = _place(request.query.get("next", ""))
    if await session_caller(request) is not None and "code" not in request.query:
        return _go(request, further)
    crossed = request.headers.get("Sec-Fetch-Site") == "cross-site"
    return await show(
        request,
        "sign_in.html",
        caller=None,
        further=further,
        code=request.query.get("code", ""),
        # A browser keeps the session to itself when another site's link leads here; once
        # more from here, and it tells.
        again=crossed and "again" not in request.query,
        error=None,
    )


async def take(request: web.Request) -> web.StreamResponse:
    """``POST /sign-in``."""
    check_origin(request)
    form = await decoded_form(request)
    further = _place(form.get("next", ""))
    code, token = form.get("code", ""), form.get("token", "").strip()
    try:
        caller = request.app[SERVICES].links.take(code) if code else None
        if code and caller is None:
            raise UnauthorizedError("this link was used already, or is too old")  # noqa: TRY301
        caller = caller or await bearer_of(request, token)
        response = _go(request, further)
        await begin(request, caller, response)
    except UnauthorizedError as error:
        return await show(
            request,
            "sign_in.html",
            status=401,
            caller=None,
            further=further,
            code="",
            again=False,
            error=str(error),
        )
    return response


async def sign_out(request: web.Request) -> web.StreamResponse:
    """``POST /sign-out``."""
    check_origin(request)
    response = _go(request, "sign-in")
    await end(request, response)
    return response


def _go(request: web.Request, path: str) -> web.Response:
    return web.Response(status=303, headers=HEADERS | {"Location": root(request) + path})


ROUTES = (
    web.get("/sign-in", sign_in),
    web.post("/sign-in", take),
    web.post("/sign-out", sign_out),
)
