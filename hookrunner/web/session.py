"""Who is signed in to the page, and whether a request is really theirs.

A browser sends a session's cookie with requests of this page alone (SameSite=Strict), and
what changes something is refused unless it says that it comes from this page.

Source:
    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import re
import secrets
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import structlog
from aiohttp import web

from hookrunner.config import Access, Config
from hookrunner.core.tokens import Session, digest
from hookrunner.errors import ForbiddenError
from hookrunner.web.address import is_from_proxy
from hookrunner.web.caller import Caller, widened
from hookrunner.web.services import SERVICES

log = structlog.get_logger()

COOKIE = "hookrunner_session"
_USER = re.compile(r"[!-~]{1,64}")
"""A user's name as a proxy writes it into a header; a guess at how long one is."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


async def session_caller(request: web.Request) -> Caller | None:
    """Who is signed in, by a session or by a proxy's word; None where nobody is."""
    services = request.app[SERVICES]
    told = request.cookies.get(COOKIE, "")
    if told:
        found = await services.store.sessions.find(digest(told), datetime.now(UTC))
        if found is not None:
            return Caller(
                name=found.name,
                scopes=widened(found.scopes),
                project=found.project,
                token=found.token,
            )
    return _proxied(request, services.config)


def _proxied(request: web.Request, config: Config) -> Caller | None:
    """The user whom a trusted proxy names."""
    header = config.page.user_header
    if header is None or not is_from_proxy(request, config.trusted_proxies):
        return None
    told = request.headers.getall(header, [])
    if len(told) != 1 or not _USER.fullmatch(told[0]):
        return None
    return Caller(name=f"user {told[0]}", scopes=widened(frozenset({config.page.users_may})))


async def viewer(request: web.Request) -> Caller | None:
    """Who looks at the page: somebody who is signed in, or anybody where all may."""
    caller = await session_caller(request)
    if caller is None and request.app[SERVICES].config.page.access is Access.public_read:
        return Caller(name="anyone", scopes=frozenset({"read"}))
    return caller


def check_origin(request: web.Request) -> None:
    """See that a request that changes something comes from this page.

    Raises:
        ForbiddenError: It comes from another, or does not say.
    """
    if request.method in _SAFE:
        return
    fetched = request.headers.get("Sec-Fetch-Site")
    if fetched is not None:
        if fetched == "same-origin":
            return
    else:
        hosts = {request.headers.get("Host", "")}
        public = request.app[SERVICES].config.public_url
        if public is not None:
            hosts.add(urlsplit(public).netloc)
        if urlsplit(request.headers.get("Origin", "")).netloc in hosts - {""}:
            return
    raise ForbiddenError(
        "this request does not come from the page itself",
        hint="go back to the page, and press the button there",
    )


async def begin(request: web.Request, caller: Caller, response: web.StreamResponse) -> None:
    """Sign somebody in.

    Args:
        response: Gets the cookie.
    """
    services = request.app[SERVICES]
    told, now = secrets.token_urlsafe(32), datetime.now(UTC)
    length = services.config.page.session
    await services.store.sessions.add(
        Session(
            hash=digest(told),
            name=caller.name,
            scopes=caller.scopes,
            project=caller.project,
            token=caller.token,
            created_at=now,
            expires_at=now + timedelta(seconds=length),
        )
    )
    log.info("signed in", who=caller.name)
    response.set_cookie(
        COOKIE,
        told,
        max_age=int(length),
        httponly=True,
        samesite="Strict",
        secure=_is_secure(request),
    )


async def end(request: web.Request, response: web.StreamResponse) -> None:
    """Sign somebody out."""
    told = request.cookies.get(COOKIE, "")
    if told:
        await request.app[SERVICES].store.sessions.end(digest(told))
    response.del_cookie(COOKIE, httponly=True, samesite="Strict", secure=_is_secure(request))


def _is_secure(request: web.Request) -> bool:
    """The browser speaks TLS, to us or to a proxy in front."""
    public = request.app[SERVICES].config.public_url or ""
    origin = request.headers.get("Origin", "")
    return (
        request.secure
        or origin.startswith("https:")
        or (public.startswith("https:") and not origin)
    )
