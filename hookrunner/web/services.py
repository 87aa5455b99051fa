"""What the handlers of requests work with."""

import asyncio
from collections import deque
from collections.abc import Mapping

from aiohttp import web
from msgspec import Struct, field

from hookrunner.adapters.certificate import Certificate
from hookrunner.adapters.store import Store
from hookrunner.config import Config
from hookrunner.core.inventory import Inventory
from hookrunner.errors import UnavailableError
from hookrunner.service.again import Again
from hookrunner.service.answering import Answering
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.feed import Feed
from hookrunner.service.following import Following
from hookrunner.service.holding import Holding
from hookrunner.service.housekeeping import Housekeeping
from hookrunner.service.intake import Intake
from hookrunner.service.metrics import Metrics
from hookrunner.service.notifying import Notifying
from hookrunner.service.probing import Probing
from hookrunner.service.settings import Secrets, Settings
from hookrunner.service.watcher import Watcher
from hookrunner.web.links import Links
from hookrunner.web.senders import Refusal
from hookrunner.web.views import Views

_PATIENCE = 30.0
"""Seconds that a command without a server waits for the engines, as a push does."""
_SETTLING = 5.0
"""Seconds that a person's request waits for containers that just started. Asking one takes
less than one, and who waits for the answer sees nothing meanwhile."""
_LOOK_AGAIN = 0.02
"""Seconds between looks at whether they answered."""


class Services(Struct, frozen=True, kw_only=True):
    """The running program, as requests see it.

    Attributes:
        settings: The configuration in force.
        certificate: The server's own, where it has one.
        refusals: The last requests that were refused, newest last.
        notifying: Tells people; None where nothing runs.
        probing: Asks containers how they are; None where nothing runs.
        answering: Answers chats; None where nothing runs.
        is_offline: Nothing runs here: the records are only read.
    """

    settings: Settings
    store: Store
    inventory: Inventory
    holding: Holding
    intake: Intake
    dispatcher: Dispatcher
    following: Following
    feed: Feed
    metrics: Metrics
    again: Again
    watchers: Mapping[str, Watcher]
    views: Views
    certificate: Certificate | None
    housekeeping: Housekeeping
    refusals: deque[Refusal]
    links: Links = field(default_factory=Links)
    is_offline: bool = False
    notifying: Notifying | None = None
    probing: Probing | None = None
    answering: Answering | None = None

    def need_server(self) -> None:
        """Refuse what only a server can do.

        Raises:
            UnavailableError: None runs here.
        """
        if self.is_offline:
            raise UnavailableError(
                "hookrunner is not running", hint="start it: hookrunner serve"
            )

    @property
    def config(self) -> Config:
        """The configuration as it is now; who asks twice may get two."""
        return self.settings.config

    @property
    def secrets(self) -> Secrets:
        """The secrets of each source as they are now, newest first."""
        return self.settings.secrets

    async def listed(self) -> Inventory:
        """The inventory; where no server keeps it, once the engines were asked."""
        if self.is_offline:
            await self.settled(_PATIENCE)
        return self.inventory

    async def settled(self, patience: float = _SETTLING) -> None:
        """Wait until it is known what each container is, or cannot be known now.

        Args:
            patience: Seconds that this may take.
        """
        deadline = asyncio.get_running_loop().time() + patience
        while not all(w.is_settled or w.error for w in self.watchers.values()):
            if asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(_LOOK_AGAIN)


SERVICES: web.AppKey[Services] = web.AppKey("services", Services)
IS_CONTROL: web.AppKey[bool] = web.AppKey("is_control", bool)
"""The application serves the control socket: whoever reaches it may do everything."""
