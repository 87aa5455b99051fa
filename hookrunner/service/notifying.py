"""Tell people what went wrong, and that it is well again."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import structlog
from msgspec.structs import replace

from hookrunner.adapters import apprise_urls
from hookrunner.adapters.outgoing import Sender
from hookrunner.config import Notify
from hookrunner.core.history import ContainerState
from hookrunner.core.masking import mask_value
from hookrunner.core.notices import (
    TEXT,
    TITLE,
    Conditions,
    Notice,
    What,
    fill,
    monitored,
)
from hookrunner.core.tokens import reaches, reaches_all
from hookrunner.errors import ConfigError, OutgoingError, SignatureError
from hookrunner.forges.signature import sign_standard
from hookrunner.model import Container, Outgoing, Step
from hookrunner.service.feed import Change, StateChanged
from hookrunner.service.metrics import Metrics
from hookrunner.service.outbox import Outbox, check
from hookrunner.service.settings import Settings
from hookrunner.service.watcher import Watcher
from hookrunner.units import new_id

log = structlog.get_logger()

_LOOK = 5.0
"""Seconds between looks at the engines."""
_AWAY = 30.0
"""Seconds that an engine may be away before anybody is told: a daemon's restart takes 5."""


def check_receivers(receivers: Mapping[str, Notify], secrets: Mapping[str, bytes]) -> None:
    """Make sure that each receiver's secret is one of its kind.

    Raises:
        ConfigError: It is not, or what it takes is not installed.
    """
    for name, receiver in receivers.items():
        if receiver.url is None:
            apprise_urls.check(secrets[name], f"notify.{name}")
            continue
        try:
            sign_standard(b"", identity="", at=0, secret=secrets[name])
        except SignatureError as error:
            raise ConfigError(f"`notify.{name}`: {error}") from error


class Notifying:
    """Notices changes of conditions, and sends them to who wants to know.

    Args:
        steps: The last step of each container.
        states: What is known of each container.
        group: Where it is sent.
    """

    def __init__(
        self,
        *,
        settings: Settings,
        group: asyncio.TaskGroup,
        steps: Sequence[Step],
        states: Sequence[ContainerState],
        watchers: Mapping[str, Watcher],
        sender: Sender,
        metrics: Metrics,
    ) -> None:
        self._settings = settings
        self._group = group
        self._metrics = metrics
        self._watchers = watchers
        self._sender = sender
        self._conditions = Conditions(steps, states)
        self._away_since: dict[str, float] = {}
        self._outboxes: dict[str, Outbox[Notice]] = {}

    @property
    def _receivers(self) -> Mapping[str, Notify]:
        return self._settings.config.notify

    def _outbox(self, name: str) -> Outbox[Notice]:
        """What is sent to a receiver; its first notice opens it."""

        async def deliver(notice: Notice) -> None:
            if name in self._receivers:
                await self._deliver(name, notice)

        if name not in self._outboxes:
            self._outboxes[name] = Outbox(
                kind="notification", to=name, deliver=deliver, metrics=self._metrics
            )
            self._group.create_task(self._outboxes[name].run(), name=f"notify {name}")
        return self._outboxes[name]

    def observe(self, change: Change) -> None:
        """Take a change from the feed."""
        if isinstance(change, StateChanged):
            self._take_state(change.container)
        if not isinstance(change, Step) or not change.status.is_final:
            return
        found = self._conditions.take(change)
        if found is None:
            return
        what, before = found
        self._tell(
            Notice(
                id=new_id(datetime.now(UTC)),
                what=what,
                before=before,
                subject=(change.engine, change.container, change.action.value),
                project=change.project,
                container=change.container,
                host=change.engine,
                action=change.action,
                reason=change.reason or "",
                run=change.run,
                url=self._url(change.run),
            )
        )

    def _take_state(self, container: Container) -> None:
        """Take how a container says that it is."""
        told = container.monitored
        if told is None:
            return
        subject, condition = monitored(container.engine, container.name, told.state)
        found = self._conditions.change(subject, condition)
        if found is None:
            return
        public_url = self._settings.config.public_url
        place = f"{container.engine}/{container.name}"
        self._tell(
            Notice(
                id=new_id(datetime.now(UTC)),
                what=found[0],
                before=found[1],
                subject=subject,
                project=container.project,
                container=container.name,
                host=container.engine,
                action=subject[-1],
                reason=told.text,
                url=f"{public_url}/containers/{place}" if public_url else "",
            )
        )

    def _url(self, run: str) -> str:
        public_url = self._settings.config.public_url
        return f"{public_url}/runs/{run}" if public_url else ""

    def _tell(self, notice: Notice) -> None:
        shown = replace(notice, reason=mask_value(notice.reason, self._settings.masker))
        log.info("notice", what=shown.what, container=shown.container, host=shown.host)
        for name, receiver in self._receivers.items():
            if _wants(receiver, shown):
                self._outbox(name).put(shown.subject, shown)

    async def run(self) -> None:
        """Look for ever whether engines are away."""
        while True:
            self._look_at_engines(asyncio.get_running_loop().time())
            await asyncio.sleep(_LOOK)

    def _look_at_engines(self, now: float) -> None:
        for name, watcher in self._watchers.items():
            condition = None
            if watcher.is_connected:
                self._away_since.pop(name, None)
            elif now - self._away_since.setdefault(name, now) < _AWAY:
                continue
            else:
                condition = What.engine_away
            found = self._conditions.change((name,), condition)
            if found is not None:
                self._tell(
                    Notice(
                        id=new_id(datetime.now(UTC)),
                        what=found[0],
                        before=found[1],
                        subject=(name,),
                        host=name,
                        reason=watcher.error or "",
                    )
                )

    async def test(self) -> dict[str, str | None]:
        """Send a test to every receiver at once.

        Returns:
            By name why it did not arrive, or None.
        """
        notice = Notice(
            id=new_id(datetime.now(UTC)),
            what=What.test,
            subject=("test",),
            container="test",
            reason="somebody ran `hookrunner notify test`",
        )
        found: dict[str, str | None] = {}
        for name in self._receivers:
            try:
                await self._deliver(name, notice)
                found[name] = None
            except OutgoingError as error:
                found[name] = str(error)
        return found

    async def _deliver(self, name: str, notice: Notice) -> None:
        """Send a notice to one receiver, once.

        Raises:
            OutgoingError: It did not arrive.
        """
        receiver, secret = self._receivers[name], self._settings.carried.notify[name]
        title = fill(receiver.title or TITLE, notice)
        text = fill(receiver.text or TEXT, notice)
        where = f"notify.{name}"
        if receiver.url is None:
            await apprise_urls.send(secret, where, title=title, text=text)
            return
        told = {
            "type": f"hookrunner.{notice.what}",
            "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "data": {
                **notice.values(),
                "recovers_from": notice.before[-1] if notice.before else None,
                "title": title,
                "text": text,
            },
        }
        body = json.dumps(told, ensure_ascii=False).encode()
        headers = sign_standard(
            body, identity=f"msg_{notice.id}", at=int(time.time()), secret=secret
        )
        answer = await self._sender.send(
            Outgoing(
                url=receiver.url,
                body=body,
                headers={"Content-Type": "application/json", **headers},
            )
        )
        check(answer, f"{where}.url")


def _wants(receiver: Notify, notice: Notice) -> bool:
    """Whether a receiver is to be told; of a recovery only where it was of the failure."""
    wanted = {event.value for event in receiver.events}
    if notice.what.value not in wanted:
        return False
    if notice.before and not wanted.intersection(notice.before):
        return False
    pattern = ",".join(receiver.projects)
    return reaches(pattern, notice.project) if notice.container else reaches_all(pattern)
