"""Answers to chats: worked out in their own time, and sent once there is something to say."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import structlog
from msgspec import Struct

from hookrunner.adapters.outgoing import Sender
from hookrunner.chat import PLATFORMS
from hookrunner.chat.message import Message, render
from hookrunner.core.masking import mask_value
from hookrunner.errors import OutgoingError
from hookrunner.model import Outgoing
from hookrunner.service.metrics import Metrics
from hookrunner.service.outbox import Outbox, check
from hookrunner.service.settings import Settings

log = structlog.get_logger()
T = TypeVar("T")

_MOST = 100
"""Commands that are worked on, or whose end is awaited, at once: a guess at what people can
start within the half hour that chats take later answers."""


class ReplyTo(Struct, frozen=True, kw_only=True):
    """Where later answers to one command go.

    Attributes:
        platform: A key of `PLATFORMS`.
        url: Below what is configured for the platform; has a secret in it.
        until: The loop's time after which nothing is taken there.
    """

    platform: str
    method: str
    url: str
    until: float

    def __repr__(self) -> str:
        """Show it without its URL, which lets anybody answer."""
        return f"ReplyTo(platform={self.platform!r})"


class _Late(Struct, frozen=True):
    to: ReplyTo
    body: bytes


class Answering:
    """Works on commands after their requests were answered.

    What is wrong with one, even with this program, ends no other, and not the program.

    Args:
        group: Where it works.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        group: asyncio.TaskGroup,
        sender: Sender,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._group = group
        self._sender = sender
        self._metrics = metrics
        self._count = 0
        self._outboxes: dict[str, Outbox[_Late]] = {}

    @property
    def is_full(self) -> bool:
        """Whether so many commands are worked on that no more are taken."""
        return self._count >= _MOST

    def begin(self, work: Callable[[], Awaitable[T]]) -> asyncio.Task[T | None]:
        """Begin to work on something; None comes of what failed, and the log says why."""
        self._count += 1
        return self._group.create_task(self._guarded(work), name="chat")

    async def _guarded(self, work: Callable[[], Awaitable[T]]) -> T | None:
        try:
            return await work()
        except Exception:
            log.exception("command of a chat failed")
            return None
        finally:
            self._count -= 1

    async def send(self, to: ReplyTo, messages: AsyncIterator[Message]) -> None:
        """Send what comes; a newer one takes the place of one that still waits."""
        async for message in messages:
            body = PLATFORMS[to.platform].late(
                self.written(to.platform, message), message.is_public
            )
            data = json.dumps(body, ensure_ascii=False).encode()
            self._outbox(to.platform).put(to.url, _Late(to, data))

    def written(self, platform: str, message: Message) -> str:
        """A message in a platform's mark-up, with known secrets masked."""
        masker = self._settings.masker
        shown = Message(
            prose=mask_value(list(message.prose), masker),
            block=mask_value(list(message.block), masker),
            keeps_end=message.keeps_end,
            link=message.link,
        )
        return render(shown, PLATFORMS[platform].markup)

    def _outbox(self, platform: str) -> Outbox[_Late]:
        if platform not in self._outboxes:
            self._outboxes[platform] = Outbox(
                kind="chat", to=platform, deliver=self._deliver, metrics=self._metrics
            )
            outbox = self._outboxes[platform]
            self._group.create_task(outbox.run(), name=f"answer in {platform}")
        return self._outboxes[platform]

    async def _deliver(self, late: _Late) -> None:
        """Send one answer, once.

        Raises:
            OutgoingError: It did not arrive, or comes too late.
        """
        to = late.to
        if asyncio.get_running_loop().time() > to.until:
            raise OutgoingError("the chat takes no answer any more", is_transient=False)
        answer = await self._sender.send(
            Outgoing(
                method=to.method,
                url=to.url,
                body=late.body,
                headers={"Content-Type": "application/json"},
            )
        )
        check(answer, f"chat.{to.platform}.url")
