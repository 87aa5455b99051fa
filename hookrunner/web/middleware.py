"""Every error becomes an answer, here and nowhere else: a page for browsers, else a problem."""

import math
from collections.abc import Awaitable, Callable

import structlog
from aiohttp import web

from hookrunner.core.selection import NothingMatchedError
from hookrunner.errors import HookrunnerError, LateError, UnauthorizedError, UnavailableError
from hookrunner.web.connections import CONNECTIONS
from hookrunner.web.pages.failing import failed, wants_page
from hookrunner.web.problems import problem_response
from hookrunner.web.services import SERVICES

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn errors into problems or pages, and say to browsers what an answer is not."""
    try:
        response = await handler(request)
    except HookrunnerError as error:
        response = await _answer(request, error)
    except web.HTTPException as error:
        if error.status < 400:  # noqa: PLR2004 - a redirect is no error
            raise
        response = await _refused(request, error)
    except Exception:
        log.exception("request failed", method=request.method, route=_route(request))
        what = "something went wrong here; the log says what"
        response = await _failed(request, 500, what)
    finally:
        request.app[CONNECTIONS].answered(request)
    if not response.prepared:
        response.headers.setdefault("X-Content-Type-Options", "nosniff")
        response.headers.setdefault("Cache-Control", "no-store")
    return response


async def _answer(request: web.Request, error: HookrunnerError) -> web.Response:
    views = request.app[SERVICES].views
    title, status = views.masked(str(error)), error.http_status
    if isinstance(error, NothingMatchedError) and not wants_page(request):
        verdicts = [views.verdict(verdict) for verdict in error.verdicts]
        response = problem_response(status, title, hint=error.hint, verdicts=verdicts)
    else:
        response = await _failed(request, status, title, hint=error.hint)
    if isinstance(error, UnavailableError) or status == 503:  # noqa: PLR2004
        seconds = getattr(error, "retry_after", UnavailableError.retry_after)
        response.headers["Retry-After"] = str(math.ceil(seconds))
    if isinstance(error, LateError):
        response.force_close()
    if isinstance(error, UnauthorizedError):
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


async def _refused(request: web.Request, error: web.HTTPException) -> web.Response:
    """What the router says: there is no such address, or it takes no such method."""
    title = error.reason
    if isinstance(error, web.HTTPNotFound) and wants_page(request):
        title = f"there is no page {request.path}"
    response = await _failed(request, error.status, title)
    if isinstance(error, web.HTTPMethodNotAllowed):
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
    return response


async def _failed(
    request: web.Request, status: int, title: str, *, hint: str | None = None
) -> web.Response:
    if wants_page(request):
        return await failed(request, status, title, hint=hint)
    return problem_response(status, title, hint=hint)


def _route(request: web.Request) -> str:
    """The path with names for its variable parts, of which one can be a secret."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
