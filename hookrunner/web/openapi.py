"""The OpenAPI document, made of the operations themselves and of the types that they use."""

import re
from collections.abc import Iterable
from functools import cache
from http import HTTPStatus
from typing import Any

import msgspec
from aiohttp import web

from hookrunner import __version__
from hookrunner.web import health, shapes
from hookrunner.web.answers import answer
from hookrunner.web.api import (
    audit,
    check,
    containers,
    deliveries,
    events,
    explain,
    holds,
    notifications,
    packages,
    reload,
    report,
    runs,
    starting,
    tokens,
)
from hookrunner.web.operation import JSON, Nothing, Operation
from hookrunner.web.services import SERVICES

OPERATIONS: tuple[Operation, ...] = (
    *starting.OPERATIONS,
    *explain.OPERATIONS,
    *runs.OPERATIONS,
    *holds.OPERATIONS,
    *deliveries.OPERATIONS,
    *containers.OPERATIONS,
    *packages.OPERATIONS,
    *events.OPERATIONS,
    *check.OPERATIONS,
    *report.OPERATIONS,
    *notifications.OPERATIONS,
    *tokens.OPERATIONS,
    *audit.OPERATIONS,
    *reload.OPERATIONS,
    *health.OPERATIONS,
)
"""All of the API."""

_PROBLEM = "application/problem+json"
_SCOPES = {
    "read": "A token with the scope `read`.",
    "run": "A token with the scope `run`.",
    "admin": "A token with the scope `admin`.",
}
_DESCRIPTION = """\
Updates containers when the git repositories behind them are pushed to.

Times are RFC 3339 in UTC, `seconds` are numbers. Lists come by cursor: pass `next` on as
`cursor` until it is null. Later versions may add fields. A GET's `ETag` may be sent back as
`If-None-Match`, and is answered with 304 while nothing changed.
"""


async def document(request: web.Request) -> web.Response:
    """``GET /api/v1/openapi.json``, for anyone."""
    url = request.app[SERVICES].config.public_url or "/"
    return answer(request, describe(url))


@cache
def describe(url: str) -> dict[str, Any]:
    """Make the document.

    Args:
        url: Where the API is reached.

    Source:
        https://spec.openapis.org/oas/v3.1.1.html
    """
    kinds = [shapes.Problem, *dict.fromkeys(_kinds(OPERATIONS))]
    references, components = msgspec.json.schema_components(
        kinds, ref_template="#/components/schemas/{name}"
    )
    schemas = dict(zip(map(repr, kinds), references, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for one in OPERATIONS:
        path = re.sub(r":[^}]+", "", one.path)
        paths.setdefault(path, {})[one.method.lower()] = _operation(one, path, schemas)
    renamed = _renamed(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "hookrunner",
                "version": __version__,
                "description": _DESCRIPTION,
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "servers": [{"url": url}],
            "paths": paths,
            "components": {
                "schemas": {name: _tidied(schema) for name, schema in components.items()},
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )
    made: dict[str, Any] = renamed
    return made


def _kinds(operations: Iterable[Operation]) -> Iterable[Any]:
    for one in operations:
        yield from (kind for kind in one.answers.values() if kind is not None)
        if one.body is not Nothing:
            yield one.body


def _operation(one: Operation, path: str, schemas: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "tags": [path.split("/")[3]],
        "parameters": [*_path_parameters(path), *_query_parameters(one.query)],
        "responses": _responses(one, schemas),
    }
    if one.scope is not None:
        told["security"] = [{"token": []}]
        told["description"] = _SCOPES[one.scope]
    if one.body is not Nothing:
        schema = schemas[repr(one.body)]
        fields = msgspec.structs.fields(one.body)
        is_required = bool(one.schema) or any(field.required for field in fields)
        if one.schema:
            schema = {"allOf": [schema, one.schema]}
        told["requestBody"] = {"required": is_required, "content": {JSON: {"schema": schema}}}
    return told


def _path_parameters(path: str) -> Iterable[dict[str, Any]]:
    for name in re.findall(r"\{(\w+)\}", path):
        yield {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "minLength": 1},
        }


def _query_parameters(kind: type[msgspec.Struct]) -> Iterable[dict[str, Any]]:
    fields = msgspec.structs.fields(kind)
    for field in fields:
        (schema,), components = msgspec.json.schema_components([field.type])
        for part in components.values():  # an enumeration: short enough to stand there itself
            schema = _inlined(schema, part)
        schema = _without_null(schema)
        if not field.required and field.default is not None:
            schema = {**schema, "default": field.default}
        yield {"name": field.name, "in": "query", "required": field.required, "schema": schema}


def _inlined(schema: Any, part: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        if "$ref" in schema:
            return part
        return {key: _inlined(value, part) for key, value in schema.items()}
    return [_inlined(value, part) for value in schema] if isinstance(schema, list) else schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what may be left out is simply not there."""
    some = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    return dict(some[0]) if len(some) == 1 else schema


def _responses(one: Operation, schemas: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for status, kind in one.answers.items():
        told[str(status)] = {"description": HTTPStatus(status).phrase}
        if kind is not None:
            told[str(status)]["content"] = {JSON: {"schema": schemas[repr(kind)]}}
        if one.method == "GET" and kind is not None:
            told["304"] = {"description": "Nothing changed"}
    if one.media:
        found = told.setdefault("200", {"description": "The output"})
        found.setdefault("content", {}).update({media: {} for media in one.media})
    problem = {"schema": schemas[repr(shapes.Problem)]}
    told["default"] = {"description": "A problem", "content": {_PROBLEM: problem}}
    return told


def _tidied(schema: dict[str, Any]) -> dict[str, Any]:
    """The first sentence of a docstring is for readers of the API, the rest is for ours."""
    if "description" in schema:
        schema = schema | {"description": schema["description"].partition("\n")[0]}
    return schema


def _renamed(value: Any) -> Any:
    """``Page_Run_`` is a ``RunPage``."""
    if isinstance(value, dict):
        return {_renamed_text(key): _renamed(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_renamed(one) for one in value]
    return _renamed_text(value) if isinstance(value, str) else value


def _renamed_text(text: str) -> str:
    return re.sub(r"Page[_\[](\w+?)[_\]]$", r"\1Page", text)
