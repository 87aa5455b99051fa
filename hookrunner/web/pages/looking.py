"""A page: who may look, what the address says, and the HTML that is answered."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources
from typing import Any
from urllib.parse import quote

import jinja2
import msgspec
import structlog
from aiohttp import web

from hookrunner.errors import ForbiddenError, UnauthorizedError
from hookrunner.web.asking import Asking, Q
from hookrunner.web.audit import ABOUT
from hookrunner.web.body import decoded_form
from hookrunner.web.caller import CALLER, Caller
from hookrunner.web.events import position
from hookrunner.web.operation import Nothing, parse_query
from hookrunner.web.pages import words
from hookrunner.web.services import SERVICES
from hookrunner.web.session import check_origin, viewer

log = structlog.get_logger()

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self';"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What a browser may do with the page: run our two scripts, and talk to us alone."""


class Look(Asking[Q]):
    """A request for a page, by somebody who may see it."""

    def __init__(self, request: web.Request, caller: Caller, query: Q) -> None:
        super().__init__(request, caller, query)
        self._at = position(request.app[SERVICES])

    async def show(self, template: str, **values: Any) -> web.Response:
        """Answer with a page."""
        return await show(self.request, template, caller=self.caller, at=self._at, **values)

    def go(self, path: str) -> web.Response:
        """Send the browser on, after something was done.

        Args:
            path: Relative to the page's root, without a slash in front.
        """
        return web.Response(
            status=303, headers=HEADERS | {"Location": root(self.request) + path}
        )

    async def form(self) -> dict[str, str]:
        """The fields that were sent."""
        return await decoded_form(self.request)


Handler = Callable[[Look[Q]], Awaitable[web.StreamResponse]]


def look(
    path: str,
    query: type[Q] = Nothing,  # type: ignore[assignment]
) -> Callable[[Handler[Q]], web.RouteDef]:
    """Make the route of a page that somebody with the scope `read` may see.

    Looking is not in the audit log; what is done is.
    """

    def make(handler: Handler[Q]) -> web.RouteDef:
        async def handle(request: web.Request) -> web.StreamResponse:
            caller = await viewer(request)
            if caller is None:
                return sign_in_first(request)
            return await handler(Look(request, caller, parse_query(request, query)))

        return web.get(path, handle)

    return make


def act(path: str) -> Callable[[Handler[Nothing]], web.RouteDef]:
    """Make the route of a button that somebody with the scope `run` may press."""

    def make(handler: Handler[Nothing]) -> web.RouteDef:
        async def handle(request: web.Request) -> web.StreamResponse:
            caller = await viewer(request)
            if caller is None:
                raise UnauthorizedError("nobody is signed in, or not any more")
            request[CALLER] = caller
            check_origin(request)
            if "run" not in caller.scopes:
                raise ForbiddenError(
                    f"{caller.name} may look, and do nothing",
                    hint="sign in with a token that has the scope run",
                )
            return await handler(Look(request, caller, Nothing()))

        return web.post(path, handle)

    return make


def concerns(request: web.Request, what: str) -> None:
    """Say for the audit log what a form names."""
    request[ABOUT] = what


def root(request: web.Request) -> str:
    """The way from this page to the page's root: relative, so that any prefix fits."""
    depth = request.rel_url.raw_path.count("/") - 1
    return "../" * depth or "./"


def sign_in_first(request: web.Request) -> web.Response:
    """Send somebody to the sign-in, and back to here afterwards."""
    told = request.rel_url.raw_path_qs.lstrip("/")
    further = f"?next={quote(told, safe='')}" if told else ""
    place = f"{root(request)}sign-in{further}"
    return web.Response(status=303, headers=HEADERS | {"Location": place})


async def show(
    request: web.Request, template: str, *, status: int = 200, at: str = "", **values: Any
) -> web.Response:
    """Render a template, in a thread: hundreds of rows take as long as hundreds of pushes.

    Args:
        at: The newest change that it shows, so that the page hears of the next one.
    """
    html = await asyncio.to_thread(
        environment().get_template(template).render,
        root=root(request),
        here=template.removesuffix(".html"),
        can_run=values.get("caller") is not None and "run" in values["caller"].scopes,
        path=request.rel_url.raw_path_qs,
        at=at,
        **values,
    )
    return web.Response(status=status, text=html, content_type="text/html", headers=HEADERS)


@cache
def environment() -> jinja2.Environment:
    """The templates, read once."""
    folder = resources.files("hookrunner.web") / "templates"
    texts = {file.name: file.read_text("utf-8") for file in folder.iterdir()}
    made = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        loader=jinja2.DictLoader(texts),
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=words.plain,
        auto_reload=False,
    )
    made.globals |= words.GLOBALS | {"asset": asset}
    return made


class Asset(msgspec.Struct, frozen=True):
    """A file for the browser."""

    data: bytes
    kind: str
    version: str


_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}


@cache
def assets() -> dict[str, Asset]:
    """The files for the browser by name, read once."""
    folder = resources.files("hookrunner.web") / "static"
    files = {
        file.name: file.read_bytes()
        for file in folder.iterdir()
        if file.name.rpartition(".")[2] in _KINDS
    }
    versions = {name: hashlib.sha256(data).hexdigest()[:16] for name, data in files.items()}
    found = {}
    for name, data in files.items():
        named = data
        for other, version in versions.items():  # what imports another names its version
            named = named.replace(f'"./{other}"'.encode(), f'"./{other}?v={version}"'.encode())
        version = hashlib.sha256(named).hexdigest()[:16]
        found[name] = Asset(named, _KINDS[name.rpartition(".")[2]], version)
    return found


def asset(name: str) -> str:
    """The address of a file for the browser, another one with every change of it."""
    return f"static/{name}?v={assets()[name].version}"


async def static(request: web.Request) -> web.Response:
    """Answer with a file for the browser; anyone may have it."""
    found = assets().get(request.match_info["name"])
    if found is None:
        raise web.HTTPNotFound
    fresh = request.query.get("v") == found.version
    caching = "public, max-age=31536000, immutable" if fresh else "no-cache"
    headers = HEADERS | {"Cache-Control": caching, "ETag": f'"{found.version}"'}
    if request.headers.get("If-None-Match") == headers["ETag"]:
        return web.Response(status=304, headers=headers)
    return web.Response(
        body=found.data, content_type=found.kind, charset="utf-8", headers=headers
    )
