"""An error as an answer: an RFC 9457 problem."""

import msgspec
from aiohttp import web
from msgspec import UNSET

from hookrunner.web import shapes

SERVER = "hookrunner"
"""What the header ``Server`` says: strangers need no versions."""


def problem_response(
    status: int,
    title: str,
    *,
    hint: str | None = None,
    verdicts: list[shapes.Verdict] | None = None,
) -> web.Response:
    """Answer with an RFC 9457 problem."""
    told = shapes.Problem(
        type="about:blank",
        status=status,
        title=title,
        hint=UNSET if hint is None else hint,
        verdicts=UNSET if verdicts is None else verdicts,
    )
    return web.Response(
        status=status, body=msgspec.json.encode(told), content_type="application/problem+json"
    )
