"""The webhook door: verified before anything is parsed, recorded before the answer."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import msgspec
import structlog
from aiohttp import web

from hookrunner.config import Config, Source
from hookrunner.errors import SignatureError
from hookrunner.forges import FORGES, Forge, Request, detect
from hookrunner.service.arrivals import Proof
from hookrunner.service.settings import Secrets
from hookrunner.web import shapes
from hookrunner.web.address import client_address, owner_of
from hookrunner.web.answers import answer
from hookrunner.web.body import BODIES, SMALL
from hookrunner.web.connections import CONNECTIONS
from hookrunner.web.metrics import PROVED
from hookrunner.web.senders import SENDERS
from hookrunner.web.services import SERVICES
from hookrunner.web.stream import send_run
from hookrunner.web.views import ignored_reason

log = structlog.get_logger()

T = TypeVar("T")


class _Proved(msgspec.Struct, frozen=True):
    source: str
    forge: Forge
    secret: int
    body_hash: str


async def receive(request: web.Request) -> web.StreamResponse:
    """Take one delivery: ``POST /hooks``, ``/hooks/SOURCE`` or ``/hooks/SOURCE/SECRET``.

    An address from which many proofs did not hold is still listened to, since somebody else
    may share it: what holds is taken as ever, and all else is refused.
    """
    services = request.app[SERVICES]
    config, secrets = services.config, services.secrets  # whatever is reloaded meanwhile
    bodies, senders = request.app[BODIES], request.app[SENDERS]
    remote = client_address(request, config.trusted_proxies)
    owner = owner_of(remote)
    path = "/".join(request.path.split("/")[:3])[:80]
    with senders.watching(owner, remote, path):
        candidates = _candidates(request, config)
    async with bodies.reading(request, owner) as data:
        told = _told(request, data)
        if (test := _unsigned_test(told, candidates)) is not None:
            return web.json_response({"delivery": None, "ignored": test})
        with senders.watching(owner, remote, path):
            proved = await _worked(told, lambda: _prove(told, candidates, config, secrets))
        request[PROVED] = proved.source
        request.app[CONNECTIONS].keep(request)
        if proved.secret:
            log.info("an old secret is in use", source=proved.source, number=proved.secret + 1)
        senders.take(f"source {proved.source}", config.sources[proved.source].rate)
        proof = Proof(
            source=proved.source,
            secret=proved.secret,
            body_hash=proved.body_hash,
            remote=remote,
        )
        decoded = await _worked(told, lambda: proved.forge.decode(told))
        delivery = await services.intake.receive(decoded, proof)
    ignored = ignored_reason(delivery)
    if ignored is not None:
        return answer(request, shapes.Ignored(delivery=delivery.id, ignored=ignored))
    reply = services.views.accepted(delivery)
    if request.query.get("stream") == "1" and config.sources[proved.source].stream:
        return await send_run(request, reply.run)
    return answer(request, reply, status=202)


def _told(request: web.Request, data: bytes) -> Request:
    return Request(
        headers=tuple(request.headers.items()),
        body=data,
        path_secret=request.match_info.get("secret") or None,
        received_at=time.time(),
    )


def _candidates(request: web.Request, config: Config) -> list[tuple[str, Forge]]:
    """The sources that a request may be from, each with the forge that it has to prove.

    Raises:
        SignatureError: There is none, whatever the body is. A name that is not known is one
            of these cases: at 404 some forges switch a webhook off for good.
    """
    sources, name = config.sources, request.match_info.get("source") or None
    if not sources:
        raise SignatureError(
            "the webhook door is shut: no source is configured",
            hint="add one under `sources:`, with a secret and its repositories",
        )
    if name is not None and name not in sources:
        raise SignatureError(
            "there is no source of this name",
            hint="the path is /hooks/SOURCE, with a name under `sources:`, or /hooks alone",
        )
    detected = detect(_told(request, b""))
    possible = [
        (source, forge)
        for source, one in sources.items()
        if name in {None, source}
        and (forge := _forge(one, detected)) is not None
        and (name is not None or forge is detected)
    ]
    if not possible:
        raise SignatureError(
            "this request proves nothing that a source could be known by",
            hint="give the webhook the secret that its source has",
        )
    return possible


def _unsigned_test(told: Request, candidates: Sequence[tuple[str, Forge]]) -> str | None:
    """Why a forge's own test of the connection, which it does not sign, is welcome."""
    tests = (forge.unsigned_test(told) for _, forge in candidates)
    return next((test for test in tests if test is not None), None)


async def _worked(told: Request, work: Callable[[], T]) -> T:
    """Do something with a request, in a thread where it is large: others wait meanwhile.

    The thread is waited for in any case, since it keeps the body in memory.
    """
    if len(told.body) <= SMALL:
        return work()
    working = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(working)
    finally:
        await asyncio.wait([working])
        del working  # or its error would keep this frame, and this frame the error


def _prove(
    told: Request,
    candidates: Sequence[tuple[str, Forge]],
    config: Config,
    secrets: Secrets,
) -> _Proved:
    """Find the source whose secret fits, in the way of the forge that it is from.

    Raises:
        SignatureError: There is none.
        DeliveryError: What was signed cannot be told.
    """
    for source, forge in candidates:
        key = config.sources[source].public_key
        try:
            secret = forge.prove(told, secrets[source], key)
            return _Proved(source, forge, secret, hashlib.sha256(told.body).hexdigest())
        except SignatureError:
            if len(candidates) == 1:
                raise
    raise SignatureError("no source's secret fits this request")


def _forge(source: Source, detected: Forge | None) -> Forge | None:
    return FORGES[source.forge] if source.forge is not None else detected
