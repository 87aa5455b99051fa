"""An error as a page: what is wrong, and where to go from there."""

from collections.abc import Mapping

from aiohttp import web

from hookrunner.errors import HookrunnerError
from hookrunner.web.caller import Caller
from hookrunner.web.pages.looking import show
from hookrunner.web.session import viewer

HAS_PAGE: web.AppKey[bool] = web.AppKey("has_page", bool)
"""The address serves the page: where it does not, there is no way to lead anybody back to."""

_MACHINES = ("/api/", "/hooks", "/chat/", "/metrics", "/healthz", "/readyz")
"""Where a browser too gets what a program would."""

_TITLES: Mapping[int, str] = {
    400: "This was not understood",
    401: "Sign in first",
    403: "This is not for you to do",
    404: "Nothing is here",
    405: "Nothing can be done that way",
    409: "Not as things are",
    413: "That is too much",
    500: "Something went wrong",
    503: "Not now",
}


def wants_page(request: web.Request) -> bool:
    """A browser asks for something of the page's, and not a program."""
    return (
        request.app[HAS_PAGE]
        and "text/html" in request.headers.get("Accept", "")
        and not request.path.startswith(_MACHINES)
    )


async def failed(
    request: web.Request, status: int, error: str, *, hint: str | None
) -> web.Response:
    """Answer with an error for people."""
    return await show(
        request,
        "error.html",
        status=status,
        caller=await _caller(request),
        number=status,
        what=_TITLES.get(status, "This did not work"),
        error=error,
        hint=hint,
        among=request.path.split("/")[1],
        name=request.path.rpartition("/")[2],
    )


async def _caller(request: web.Request) -> Caller | None:
    """Who sees it; nobody that is known, where the store cannot tell now."""
    try:
        return await viewer(request)
    except HookrunnerError:
        return None
