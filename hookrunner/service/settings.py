"""The configuration in force: whoever needs it asks here each time, so that it can change."""

from collections.abc import Awaitable, Callable, Mapping, Sequence

from msgspec import Struct

from hookrunner.config import Config, Project
from hookrunner.core.masking import Masker
from hookrunner.model import Container

Secrets = Mapping[str, Sequence[bytes]]
"""The secrets of each source by its name, newest first."""


class Reloaded(Struct, frozen=True):
    """What a reload did.

    Attributes:
        changed: The keys that say something else now; ``secrets`` where only they do.
        kept: What is as it was since it cannot change while the program runs, and why.
    """

    changed: list[str]
    kept: list[str]


class Carried(Struct, frozen=True):
    """The secrets beside those of sources.

    Attributes:
        tokens: For forges, by source.
        notify: For those who are notified, by name.
        chat: Of chats, by platform: secrets, or a public key.
        polls: What git servers are asked with, by source.
    """

    tokens: Mapping[str, str] = {}
    notify: Mapping[str, bytes] = {}
    chat: Secrets = {}
    polls: Mapping[str, str] = {}


_NOTHING = Carried()


class Settings:
    """Holds the configuration, and the secrets that go with it.

    Nobody is told of a change: a part that keeps nothing of it has nothing to bring up to
    date. The few that make something of it (listening addresses, engines, what containers
    are) are taken through a reload by `hookrunner.web.reload`.

    Attributes:
        config: With `state` and `engines` filled in.
        secrets: Of `config`'s sources, no others.
        carried: The other secrets that `config` names.
        known_secrets: Every secret since the start: output that has one in it is still shown
            after it was taken out of the configuration.
        masker: Masks them in whole texts.
        reload: Puts what the file says now in force; None where no server runs.
    """

    def __init__(self, config: Config, secrets: Secrets, carried: Carried = _NOTHING) -> None:
        self.known_secrets: tuple[bytes, ...] = ()
        self.reload: Callable[[], Awaitable[Reloaded]] | None = None
        self.change(config, secrets, carried)

    def change(self, config: Config, secrets: Secrets, carried: Carried) -> None:
        """Put another configuration in force, checked as a whole by the caller."""
        several = (*secrets.values(), *carried.chat.values())
        now = [one for some in several for one in some]
        tokens = (*carried.tokens.values(), *carried.polls.values())
        now += [*map(str.encode, tokens), *carried.notify.values()]
        self.known_secrets = tuple(dict.fromkeys((*self.known_secrets, *now)))
        self.config = config
        self.secrets = secrets
        self.carried = carried
        self.masker = Masker(self.known_secrets)

    def project_of(self, container: Container) -> Project:
        """What the operator says of a container's project."""
        return self.config.project(container.project)
