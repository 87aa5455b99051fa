"""Answers in JSON: encoded by their type, and told to those who know them already as 304."""

import hashlib

import msgspec
from aiohttp import web

_FRESH = "private, no-cache"
"""May be kept by who asked, who asks again each time whether it still holds."""


def answer(
    request: web.Request, value: object, *, status: int = 200, location: str | None = None
) -> web.Response:
    """Answer with a value; a GET whose ``If-None-Match`` fits gets 304 and no body.

    Args:
        location: Where the thing that was made can be asked for.

    Source:
        https://www.rfc-editor.org/rfc/rfc9110#name-etag
    """
    body = msgspec.json.encode(value)
    headers = {} if location is None else {"Location": location}
    if request.method in {"GET", "HEAD"} and status == 200:  # noqa: PLR2004 - OK
        etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        headers |= {"ETag": etag, "Cache-Control": _FRESH, "Vary": "Authorization, Cookie"}
        told = {one.strip() for one in request.headers.get("If-None-Match", "").split(",")}
        if told & {etag, f"W/{etag}", "*"}:
            return web.Response(status=304, headers=headers)
    return web.Response(
        status=status, body=body, headers=headers, content_type="application/json"
    )
