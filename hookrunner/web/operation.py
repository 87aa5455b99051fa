"""An operation of the API: what it takes, who may, what it answers.

Said once, for the router, for the check of what comes in, and for the OpenAPI document.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar, get_args

import msgspec
from aiohttp import web

from hookrunner.errors import UsageError
from hookrunner.web.answers import answer
from hookrunner.web.asking import Asking, Q
from hookrunner.web.audit import ABOUT
from hookrunner.web.auth import administrator, authorised
from hookrunner.web.body import decoded_body
from hookrunner.web.caller import Caller

JSON = "application/json"
TEXT = "text/plain"
EVENTS = "text/event-stream"
LINES = "application/x-ndjson"
BYTES = "application/octet-stream"


class Nothing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """No query, or no body."""


B = TypeVar("B", bound=msgspec.Struct)


class Ask(Asking[Q], Generic[Q, B]):
    """A request for an operation, by somebody who has its scope.

    Attributes:
        body: What was sent.
    """

    def __init__(self, request: web.Request, caller: Caller, query: Q, body: B) -> None:
        super().__init__(request, caller, query)
        self.body = body

    def concerns(self, what: str) -> None:
        """Say for the audit log what the body names."""
        self.request[ABOUT] = what

    def answer(
        self, value: object, *, status: int = 200, location: str | None = None
    ) -> web.Response:
        """Answer with a value, in JSON."""
        return answer(self.request, value, status=status, location=location)


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One method of one path.

    Attributes:
        path: As the router reads it: ``/api/v1/runs/{id}``.
        scope: What the caller must have; None lets anyone in.
        query: A struct of the parameters, all of which have a default.
        body: A struct of the body, or `Nothing`.
        schema: What JSON Schema is to say of the body beside its fields.
        answers: By status, the type of the JSON; None where there is no body.
        media: The other forms in which 200 comes.
    """

    method: str
    path: str
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    name: str
    summary: str
    scope: str | None
    query: type[msgspec.Struct]
    body: type[msgspec.Struct]
    schema: Mapping[str, Any]
    answers: Mapping[int, Any]
    media: tuple[str, ...]

    @property
    def route(self) -> web.RouteDef:
        """For the router."""
        return web.route(self.method, self.path, self.handler)


def operation(
    method: str,
    path: str,
    *,
    scope: str | None,
    answers: Mapping[int, Any],
    query: type[Q] = Nothing,  # type: ignore[assignment]
    body: type[B] = Nothing,  # type: ignore[assignment]
    schema: Mapping[str, Any] | None = None,
    media: tuple[str, ...] = (),
) -> Callable[[Callable[[Ask[Q, B]], Awaitable[web.StreamResponse]]], Operation]:
    """Make an operation of a handler, which is asked only once all of this holds."""

    def make(handler: Callable[[Ask[Q, B]], Awaitable[web.StreamResponse]]) -> Operation:
        async def handle(request: web.Request) -> web.StreamResponse:
            caller = await _let_in(request, scope)
            asked = parse_query(request, query)
            if body is Nothing:
                sent = body()
            else:
                sent = await decoded_body(request, body)
            return await handler(Ask(request, caller, asked, sent))

        return Operation(
            method=method,
            path=path,
            handler=handle,
            name=getattr(handler, "__name__", path),
            summary=(handler.__doc__ or "").strip().partition("\n")[0].rstrip("."),
            scope=scope,
            query=query,
            body=body,
            schema=schema or {},
            answers=answers,
            media=media,
        )

    return make


async def _let_in(request: web.Request, scope: str | None) -> Caller:
    if scope is None:
        return Caller(name="anyone", scopes=frozenset())
    return await (administrator(request) if scope == "admin" else authorised(request, scope))


def parse_query(request: web.Request, kind: type[Q]) -> Q:
    """Read what stands behind the question mark.

    Raises:
        UsageError: A parameter is not known, is there twice, or is of another kind.
    """
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    values: dict[str, Any] = {}
    for name, text in request.query.items():
        if name not in fields:
            known = ", ".join(fields) or "none"
            raise UsageError(f"there is no parameter {name!r} here", hint=f"known: {known}")
        if name in values:
            raise UsageError(f"{name} is there twice")
        values[name] = _value(name, fields[name].type, text)
    try:
        return msgspec.convert(values, type=kind)
    except msgspec.ValidationError as error:
        raise UsageError(f"the query: {error}") from error


def _value(name: str, kind: Any, text: str) -> Any:
    """Read one parameter. A query has no null: the word is a word."""
    kinds = [one for one in get_args(kind) if one is not type(None)]
    if type(None) in get_args(kind) and len(kinds) == 1:
        kind = kinds[0]
    if kind is datetime:
        return _instant(name, text)
    try:
        return msgspec.convert(text, type=kind, strict=False)
    except msgspec.ValidationError as error:
        raise UsageError(f"{name}: {error}") from error


def _instant(name: str, text: str) -> datetime | None:
    """Read a time, UTC where it names no zone; empty is none, as forms send it."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{name} is no RFC 3339 time: {text!r}", hint="write a + in it as %2B"
        ) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)
