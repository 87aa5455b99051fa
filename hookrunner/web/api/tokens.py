"""Make, list and revoke tokens."""

import secrets
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from hookrunner.config import Door, TcpAddress
from hookrunner.core.tokens import Token, digest
from hookrunner.errors import NotFoundError, UsageError
from hookrunner.units import new_id
from hookrunner.web import shapes
from hookrunner.web.caller import widened
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services


class TokenRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a token."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    scopes: Annotated[list[Literal["read", "run", "admin"]], msgspec.Meta(min_length=1)]
    project: str = "*"
    expires_at: datetime | None = None


@operation(
    "POST",
    "/api/v1/tokens",
    scope="admin",
    body=TokenRequest,
    answers={201: shapes.NewToken},
)
async def create(ask: Ask[Nothing, TokenRequest]) -> web.Response:
    """Make a token; the only time that the token itself is told."""
    asked = ask.body
    ask.concerns(f"{asked.name}: {', '.join(asked.scopes)} on {asked.project}")
    if not asked.name.isprintable():
        raise UsageError("the name is of printable characters")
    if not all(part.strip() and part.isprintable() for part in asked.project.split(",")):
        raise UsageError(
            "project is a pattern, or several with commas between", hint="such as web-*,dns"
        )
    now = datetime.now(UTC)
    if asked.expires_at is not None and asked.expires_at <= now:
        raise UsageError("expires_at is not in the future")
    text = f"hr_{secrets.token_urlsafe(32)}"
    token = Token(
        id=new_id(now),
        name=asked.name,
        hash=digest(text),
        scopes=frozenset(asked.scopes),
        project=asked.project,
        created_at=now,
        expires_at=asked.expires_at,
    )
    await ask.services.store.add_token(token)
    return ask.answer(shapes.NewToken(token=text), status=201)


@operation("GET", "/api/v1/tokens", scope="admin", answers={200: shapes.Page[shapes.Token]})
async def tokens(ask: Ask[Nothing, Nothing]) -> web.Response:
    """List the tokens, without their secrets."""
    items = [
        shapes.Token(
            name=token.name,
            scopes=sorted(token.scopes),
            project=token.project,
            created_at=token.created_at,
            expires_at=token.expires_at,
            last_used_at=token.last_used_at,
            revoked_at=token.revoked_at,
        )
        for token in await ask.services.store.tokens()
    ]
    return ask.answer(shapes.Page(items=items, next=None))


@operation("DELETE", "/api/v1/tokens/{name}", scope="admin", answers={204: None})
async def revoke(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Make a token worthless, at once."""
    name = ask.request.match_info["name"]
    if not await ask.services.store.revoke_token(name, datetime.now(UTC)):
        raise NotFoundError(f"there is no token {name}")
    return web.Response(status=204)


class LinkRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for a link: what may be done by it."""

    scope: Literal["read", "run", "admin"] = "run"
    project: str = "*"


@operation(
    "POST",
    "/api/v1/links",
    scope="admin",
    body=LinkRequest,
    answers={201: shapes.Link},
)
async def link(ask: Ask[Nothing, LinkRequest]) -> web.Response:
    """Make a link that signs somebody in to the page once, within minutes."""
    asked, services = ask.body, ask.services
    ask.concerns(f"{asked.scope} on {asked.project}")
    caller = msgspec.structs.replace(
        ask.caller, scopes=widened(frozenset({asked.scope})), project=asked.project
    )
    code = services.links.make(caller)
    return ask.answer(shapes.Link(url=f"{_page_url(services)}/sign-in?code={code}"), status=201)


def _page_url(services: Services) -> str:
    """Where browsers find the page: as configured, else an address that serves it."""
    config = services.config
    addresses = (one.address for one in config.listen if Door.page in one.serves)
    found = next((one for one in addresses if isinstance(one, TcpAddress) and one.port), None)
    return config.public_url or (f"http://{found}" if found else "")


OPERATIONS = (create, tokens, revoke, link)
