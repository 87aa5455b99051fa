"""``GET /metrics``: figures for Prometheus, hookrunner's own and those of containers."""

from aiohttp import web
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder

from hookrunner.config import Door
from hookrunner.errors import ForbiddenError
from hookrunner.service.metrics import Metrics
from hookrunner.web.auth import authorised
from hookrunner.web.caller import CALLER
from hookrunner.web.services import SERVICES

METRICS_ALONE: web.AppKey[bool] = web.AppKey("metrics_alone", bool)
"""The address serves nothing else, so that whoever reaches it may read them."""

PROVED: web.RequestKey[str] = web.RequestKey("proved", str)
"""The source that a webhook's request is proved to be from."""


def is_alone(doors: object) -> bool:
    """Whether an address serves the metrics and nothing else."""
    return doors == frozenset({Door.metrics})


async def metrics(request: web.Request) -> web.Response:
    """Answer in the text format, or as OpenMetrics where that is asked for.

    Raises:
        UnauthorizedError: It needs a token here.
        ForbiddenError: The token is for some projects, and the figures are of all.
    """
    await _let_in(request)
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    text = encode(request.app[SERVICES].metrics.registry)
    return _answered(text, content_type)


async def containers(request: web.Request) -> web.Response:
    """Answer with what the containers say of themselves, in the text format.

    Raises:
        UnauthorizedError: As `metrics`.
        ForbiddenError: As `metrics`.
    """
    await _let_in(request)
    probing = request.app[SERVICES].probing
    text = await probing.scrapes.exposition() if probing is not None else ""
    return _answered(text.encode(), CONTENT_TYPE_PLAIN_0_0_4)


def _answered(text: bytes, content_type: str) -> web.Response:
    response = web.Response(body=text, headers={"Content-Type": content_type})
    response.enable_compression()
    return response


async def _let_in(request: web.Request) -> None:
    if not request.app[METRICS_ALONE]:
        caller = await authorised(request, "read")
        request.pop(CALLER)  # else each look would add to the audit log, for ever
        if not caller.is_unrestricted:
            raise ForbiddenError(
                f"{caller.name} is for the projects {caller.project}, and metrics are of all",
                hint="use a token that was made without --project, or an address of its own:"
                " `listen: [{address: ..., serves: [metrics]}]`",
            )


async def count(request: web.Request, response: web.StreamResponse) -> None:
    """Count a request to the webhooks' door. A signal of aiohttp's."""
    resource = request.match_info.route.resource
    if resource is not None and request.path.lstrip("/").startswith("hooks"):
        found: Metrics = request.app[SERVICES].metrics
        found.answered(request.get(PROVED, ""), response.status)
