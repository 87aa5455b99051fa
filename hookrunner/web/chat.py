"""The chats' door: verified before anything is read, answered in the time that each gives.

What takes longer is told later, where the platform takes later answers: below the URL that
is configured for it, and nowhere else.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import structlog
from aiohttp import web

from hookrunner.chat import PLATFORMS, Asked, Platform
from hookrunner.chat.commands import parse
from hookrunner.chat.message import Message
from hookrunner.config import ChatPlatform
from hookrunner.errors import SignatureError, UnavailableError
from hookrunner.forges import Request
from hookrunner.service.answering import Answering, ReplyTo
from hookrunner.web.address import client_address, owner_of
from hookrunner.web.audit import ABOUT
from hookrunner.web.body import BODIES, SMALL
from hookrunner.web.caller import CALLER
from hookrunner.web.connections import CONNECTIONS
from hookrunner.web.replies import Said, Talk
from hookrunner.web.senders import SENDERS
from hookrunner.web.services import SERVICES

log = structlog.get_logger()

LAST_WORD = 60.0
"""Seconds before the end of later answers in which it is said that there will be no more."""
_BUSY = Message(prose=["Too many commands are being worked on: ask again in a while."])
_FAILED = Message(prose=["Something went wrong here; the log says what."])
_SOON = Message(prose=["I am on it: the answer follows."])
_SLOW = Message(prose=["That takes longer than I may: ask me for `runs` in a while."])


class _Heard(msgspec.Struct, frozen=True):
    """A proven command, and when its time is over.

    Attributes:
        due: The loop's time at which it has to be answered.
    """

    platform: Platform
    asked: Asked
    answering: Answering
    reply_to: ReplyTo | None
    due: float


async def receive(request: web.Request) -> web.StreamResponse:
    """Take one command: ``POST /chat/slack``, ``mattermost``, ``discord`` or ``teams``."""
    services, platform = request.app[SERVICES], PLATFORMS[request.path.rpartition("/")[2]]
    began = asyncio.get_running_loop().time()
    config, asked = await _proved(request, platform)
    if asked is None:
        return web.json_response(dict(platform.pong))
    if services.answering is None:
        raise UnavailableError("hookrunner is not running")
    talk = Talk(services, platform, asked, config.allow)
    caller = talk.caller("read")
    if caller is None:
        log.warning(
            "command refused", chat=platform.name, user=asked.user, channel=asked.channel
        )
    else:
        request[CALLER], request[ABOUT] = caller, " ".join(asked.text.split())
    heard = _Heard(
        platform,
        asked,
        services.answering,
        reply_to=_reply_to(platform, asked, config, until=began + platform.lasts),
        due=began + platform.patience,
    )
    return await _answer(heard, talk, services.views.run_url)


async def _proved(
    request: web.Request, platform: Platform
) -> tuple[ChatPlatform, Asked | None]:
    """What is configured for the platform, and what it asks; None is a test of its own.

    Raises:
        DeliveryError: It is not proved to be from there, or not understood.
        TooManyError: It comes too often.
    """
    services, senders = request.app[SERVICES], request.app[SENDERS]
    whole, secrets = services.config, services.settings.carried.chat
    remote = client_address(request, whole.trusted_proxies)
    owner = owner_of(remote)
    with senders.watching(owner, remote, request.path):
        config = _open(platform, whole.chat.configured())
    async with request.app[BODIES].reading(request, owner, most=SMALL) as data:
        told = Request(
            headers=tuple(request.headers.items()), body=data, received_at=time.time()
        )
        if platform.is_test(told):
            return config, None
        with senders.watching(owner, remote, request.path):
            platform.verify(told, secrets[platform.name])
        request.app[CONNECTIONS].keep(request)
        senders.take(f"chat {platform.name}", config.rate)
        return config, platform.decode(told)


def _open(platform: Platform, configured: dict[str, ChatPlatform]) -> ChatPlatform:
    """What is configured for a platform.

    Raises:
        SignatureError: Nothing is: the door is shut.
    """
    if platform.name not in configured:
        raise SignatureError(
            f"the door for {platform.title} is shut: it is not configured",
            hint=f"add `chat: {{{platform.name}: ...}}`; `hookrunner help chat` says how",
        )
    return configured[platform.name]


def _reply_to(
    platform: Platform, asked: Asked, config: ChatPlatform, *, until: float
) -> ReplyTo | None:
    """Where later answers go; None: nowhere, though the command may still be done."""
    if config.url is None or asked.later is None:
        return None
    found = platform.target(asked.later, config.url)
    if found is None:
        log.warning(
            "no later answer: the request names a place that is not below the configured url",
            chat=platform.name,
            url=config.url,
        )
        return None
    return ReplyTo(platform=platform.name, method=found[0], url=found[1], until=until)


async def _answer(
    heard: _Heard, talk: Talk, run_url: Callable[[str], str]
) -> web.StreamResponse:
    """Answer in time, and see to what is to be said later."""
    platform, answering = heard.platform, heard.answering
    if answering.is_full:
        return _said(heard, _BUSY)
    command = parse(heard.asked.text)
    working = answering.begin(lambda: talk.answer(command))
    await asyncio.wait([working], timeout=_left(heard.due))
    if not working.done():
        if heard.reply_to is None:
            return _said(heard, _SLOW)
        rest = _rest(heard, working, is_first_told=False)
        answering.begin(lambda: _sent(heard, rest))
        if platform.deferred is not None:
            return web.json_response(platform.deferred(command.starts_run))
        return _said(heard, _SOON)
    said = working.result() or Said(_FAILED)
    message = said.message
    if said.then is not None and heard.reply_to is not None:
        rest = _rest(heard, working, is_first_told=True)
        answering.begin(lambda: _sent(heard, rest))
    elif said.then is not None:
        message = await _in_time(heard, said, said.then)
    response = _said(heard, message)
    if message.run is not None:
        response.headers["Location"] = run_url(message.run)  # for the audit log
    return response


async def _sent(heard: _Heard, messages: AsyncIterator[Message]) -> None:
    if heard.reply_to is not None:
        await heard.answering.send(heard.reply_to, messages)


async def _rest(
    heard: _Heard, working: "asyncio.Task[Said | None]", *, is_first_told: bool
) -> AsyncIterator[Message]:
    """What is to be said later: what is not worked out yet, and how a run ended."""
    said = await working or Said(_FAILED)
    if not is_first_told:
        yield said.message
    if said.then is None or heard.reply_to is None:
        return
    try:
        async with asyncio.timeout_at(heard.reply_to.until - LAST_WORD):
            ended = await said.then()
    except TimeoutError:
        ended = _unfinished(said.message, f"{heard.platform.title} takes no later answer")
    yield ended


async def _in_time(
    heard: _Heard, said: Said, then: Callable[[], Awaitable[Message]]
) -> Message:
    """How a run ended, if it does while the request may wait; else that it goes on."""
    try:
        async with asyncio.timeout_at(heard.due):
            return await then()
    except TimeoutError:
        return _unfinished(said.message, "I cannot tell its end here")


def _unfinished(message: Message, why: str) -> Message:
    """A run that still goes on when nothing can be said later."""
    told = f"{why}: ask me for `logs {message.run}`."
    return msgspec.structs.replace(message, prose=[*message.prose, told])


def _said(heard: _Heard, message: Message) -> web.Response:
    text = heard.answering.written(heard.platform.name, message)
    return web.json_response(heard.platform.said(text, message.is_public))


def _left(due: float) -> float:
    return max(due - asyncio.get_running_loop().time(), 0.0)
