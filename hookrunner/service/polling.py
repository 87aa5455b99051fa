"""Ask git servers what their branches have, where deliveries get lost on the way.

What nobody told of is remembered as a push is, so that containers are seen to be behind;
those whose project says ``catch_up`` are updated.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

import structlog

from hookrunner.adapters.git import Identity, ls_remote
from hookrunner.adapters.store import Changes, Store
from hookrunner.config import Poll
from hookrunner.core.history import KnownPush
from hookrunner.core.masking import mask_value
from hookrunner.core.polling import Question, decode_refs, questions, untold
from hookrunner.core.spreading import due_at
from hookrunner.core.standing import followed_repositories
from hookrunner.errors import HookrunnerError, OutgoingError
from hookrunner.model import Action, Container
from hookrunner.service.clock import Clock
from hookrunner.service.feed import Change, Feed, Moved
from hookrunner.service.metrics import Metrics
from hookrunner.service.planner import Planner
from hookrunner.service.settings import Settings
from hookrunner.service.upkeep import Upkeep

log = structlog.get_logger()

_TIMEOUT = 30.0
"""Seconds for one answer; a large server takes one."""
_AT_ONCE = 4
"""How many are asked at once: each is a process of some 10 MB; a guess."""
_LOOK = (1.0, 30.0)
"""Seconds between looks at what is due, at least and at most."""
_NEVER, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


class Polling:
    """Asks.

    Args:
        planner: Knows what is known now, and makes ids.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        store: Store,
        planner: Planner,
        upkeep: Upkeep,
        feed: Feed,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._store = store
        self._planner = planner
        self._upkeep = upkeep
        self._feed = feed
        self._metrics = metrics
        self._clock = Clock()
        self._began = self._clock.now()
        self._asked: dict[str, datetime] = {}
        self._wrong: dict[str, str] = {}
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._wake = asyncio.Event()
        feed.observers.append(self._observe)

    def _observe(self, change: Change) -> None:
        """Take a change from the feed: another container may follow another repository."""
        if isinstance(change, Moved):
            self._wake.set()

    async def run(self) -> None:
        """Ask for ever, each repository in its turn."""
        while True:
            self._wake.clear()
            now = self._clock.now()
            asked = questions(self._planner.known)
            self._asked = {key: at for key, at in self._asked.items() if key in asked}
            self._wrong = {key: why for key, why in self._wrong.items() if key in asked}
            async with asyncio.TaskGroup() as group:
                for key, one in asked.items():
                    if self._due_at(one) <= now:
                        group.create_task(self._ask(one), name=f"poll {key}")
            next_due = min(map(self._due_at, asked.values()), default=_LAST)
            wait = (next_due - self._clock.now()).total_seconds()
            await asyncio.sleep(_LOOK[0])
            with suppress(TimeoutError):
                async with asyncio.timeout(min(_LOOK[1], max(0.0, wait - _LOOK[0]))):
                    await self._wake.wait()

    def _poll(self, source: str) -> Poll | None:
        told = self._settings.config.sources.get(source)
        return told.poll if told is not None else None

    def _due_at(self, question: Question) -> datetime:
        poll = self._poll(question.source)
        if poll is None:  # taken out meanwhile
            return _LAST
        last = self._asked.get(question.repository, _NEVER)
        return due_at(question.repository, poll.every, last=last, began=self._began)

    async def _ask(self, question: Question) -> None:
        """Ask for one repository; what goes wrong is in the log once until it changes."""
        key, source = question.repository, question.source
        async with self._slots:
            asked_at = datetime.now(UTC)
            self._asked[key] = self._clock.now()
            try:
                refs = decode_refs(
                    await ls_remote(
                        question.url,
                        sorted(question.refs),
                        identity=self._identity(source),
                        limit=_TIMEOUT,
                    )
                )
                await self._take(question, refs, asked_at)
            except HookrunnerError as error:
                why = mask_value(str(error), self._settings.masker)
                self._metrics.polled(source, is_failed=True)
                if self._wrong.get(key) != why:
                    self._wrong[key] = why
                    log.warning("cannot be polled", source=source, repository=key, error=why)
                return
        self._metrics.polled(source, is_failed=False)
        if self._wrong.pop(key, None) is not None:
            log.info("can be polled again", source=source, repository=key)

    def _identity(self, source: str) -> Identity:
        poll = self._poll(source)
        if poll is None:
            raise OutgoingError(f"{source} is not polled any more")
        token = self._settings.carried.polls.get(source)
        return Identity(user=poll.user, token=token, ssh_key=poll.ssh_key)

    async def _take(self, question: Question, refs: dict[str, str], asked_at: datetime) -> None:
        """Remember what nobody told of."""
        history = self._planner.known.history
        found = [
            KnownPush(
                id=f"{self._planner.new_id(asked_at)}-0",
                repository=question.repository,
                ref=ref,
                received_at=datetime.now(UTC),
                before=before,
                after=after,
                name=question.name,
            )
            for ref, after, before in untold(question, refs, history, asked_at=asked_at)
        ]
        if not found:
            return
        for push in found:
            history.add(push)
            log.info(
                "push found that nobody told of",
                source=question.source,
                repository=push.repository,
                ref=push.ref,
                after=push.after,
            )
        await self._store.save(Changes(pushes=tuple(found)))
        self._feed.tell(Moved())
        self._upkeep.fell_behind(self._to_catch_up(question.repository))

    def _to_catch_up(self, repository: str) -> Iterable[Container]:
        """The containers of a repository that are to be updated where they are behind."""
        known = self._planner.known
        for container in known.inventory:
            if (
                Action.update in container.methods
                and self._settings.project_of(container).catch_up
                and repository in followed_repositories(container, known)
            ):
                yield container
