"""Who asks, and what they may do."""

import pwd
from datetime import UTC, datetime

import structlog
from aiohttp import web

from hookrunner.adapters.peers import peer_of
from hookrunner.core.tokens import SCOPES, digest
from hookrunner.errors import ForbiddenError, UnauthorizedError
from hookrunner.web.address import client_address
from hookrunner.web.caller import CALLER, Caller, widened
from hookrunner.web.connections import CONNECTIONS
from hookrunner.web.services import IS_CONTROL, SERVICES
from hookrunner.web.session import check_origin, session_caller

log = structlog.get_logger()


async def authorised(request: web.Request, scope: str) -> Caller:
    """Find out who asks.

    Args:
        scope: What the request needs, one of `SCOPES`. ``run`` includes ``read``, and
            ``admin`` both.

    Raises:
        UnauthorizedError: Nobody that is known.
        ForbiddenError: Somebody whose token has not that scope.
    """
    caller = await _caller(request)
    request[CALLER] = caller
    request.app[CONNECTIONS].keep(request)
    if scope not in caller.scopes:
        raise ForbiddenError(
            f"{caller.name} has not the scope {scope}",
            hint=f"make a token that has: hookrunner token create NAME --scope {scope}",
        )
    return caller


async def _caller(request: web.Request) -> Caller:
    if request.app[IS_CONTROL]:
        return _peer(request)
    if "Authorization" not in request.headers:
        signed_in = await session_caller(request)
        if signed_in is not None:
            check_origin(request)
            return signed_in
    return await _bearer(request)


async def administrator(request: web.Request) -> Caller:
    """Find out who asks for what concerns everybody: tokens, the audit log.

    Raises:
        UnauthorizedError: Nobody that is known.
        ForbiddenError: Somebody who may not, or who may for some projects only.
    """
    caller = await authorised(request, "admin")
    if not caller.is_unrestricted:
        raise ForbiddenError(
            f"{caller.name} is for the projects {caller.project}, and this concerns all",
            hint="use a token that was made without --project, or the control socket",
        )
    return caller


def _peer(request: web.Request) -> Caller:
    """Tell the user at the other end of the control socket."""
    name = "unknown"
    peer = peer_of(request.transport)
    if peer is not None:
        try:
            name = pwd.getpwuid(peer.uid).pw_name
        except KeyError:
            name = str(peer.uid)
    return Caller(name=f"user {name}", scopes=frozenset(SCOPES))


async def _bearer(request: web.Request) -> Caller:
    scheme, _, told = request.headers.get("Authorization", "").partition(" ")
    return await bearer_of(request, told.strip() if scheme.lower() == "bearer" else "")


async def bearer_of(request: web.Request, told: str) -> Caller:
    """Whose a token is.

    Raises:
        UnauthorizedError: It is empty, not known, or not good any more.
    """
    if not told:
        raise UnauthorizedError(
            "this needs a token",
            hint="send `Authorization: Bearer hr_...`; make one: hookrunner token create NAME",
        )
    store = request.app[SERVICES].store
    token = await store.token_by_hash(digest(told))
    why = "is not known" if token is None else token.worthless(datetime.now(UTC))
    if token is None or why is not None:
        remote = client_address(request, request.app[SERVICES].config.trusted_proxies)
        log.warning(
            "token refused", token=token.name if token else None, reason=why, remote=remote
        )
        raise UnauthorizedError(
            f"this token {why}", hint="make another one: hookrunner token create NAME"
        )
    return Caller(
        name=f"token {token.name}",
        scopes=widened(token.scopes),
        project=token.project,
        token=token.id,
    )
