"""The audit log: every use of the API is recorded before its answer goes out.

Webhooks are not in it: each delivery has its own record, with its source and address.
"""

from datetime import UTC, datetime
from urllib.parse import unquote

import structlog
from aiohttp import web

from hookrunner.core.tokens import Use
from hookrunner.errors import StoreError
from hookrunner.web.address import client_address
from hookrunner.web.caller import CALLER
from hookrunner.web.services import SERVICES

log = structlog.get_logger()

ABOUT: web.RequestKey[str] = web.RequestKey("about", str)
"""What a request's body names, for the audit log."""
_LONGEST = 500
"""Characters of what was asked for and of what it names: a guess, paths have 50."""


async def record(request: web.Request, response: web.StreamResponse) -> None:
    """Record a request of somebody who is known. A signal of aiohttp's.

    Where it cannot be recorded the request is in the program's log alone: a full disk must
    not keep people from looking at it.
    """
    caller = request.get(CALLER)
    if caller is None:
        return
    services = request.app[SERVICES]
    location = response.headers.get("Location", "")
    path = f"{request.path}?{unquote(request.query_string)}".rstrip("?")
    use = Use(
        at=datetime.now(UTC),
        who=caller.name,
        what=f"{request.method} {path}"[:_LONGEST],
        about=request.get(ABOUT, "")[:_LONGEST] or None,
        run=location.rpartition("/runs/")[2] or None,
        status=response.status,
        address=client_address(request, services.config.trusted_proxies),
    )
    try:
        await services.store.add_use(use, caller.token)
    except StoreError as error:
        log.error(  # noqa: TRY400 - the message says all
            "cannot record", what=use.what, who=use.who, address=use.address, error=str(error)
        )
