"""Who may ask from a chat, and how each platform proves that it asks for them."""

import re
from typing import Annotated, ClassVar

import msgspec

from hookrunner.config.marks import Form, Items, Words
from hookrunner.config.secrets import SecretReference
from hookrunner.config.values import (
    PUBLIC_KEY_BYTES,
    Rate,
    parse_nonempty,
    parse_public_url,
    parse_rate,
)

_ID = re.compile(r"[!-~]{1,200}")


def parse_hex_key(text: str) -> bytes:
    """Read a public key of ed25519, in hexadecimal, as Discord shows it.

    Raises:
        ValueError: It is no hexadecimal, or not of 32 bytes.
    """
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * PUBLIC_KEY_BYTES}}}", text):
        raise ValueError(f"must be {2 * PUBLIC_KEY_BYTES} hexadecimal digits")
    return bytes.fromhex(text)


def parse_chat_id(text: str) -> str:
    """Check the id of a user or a channel of a chat.

    Raises:
        ValueError: It is a name, as people see it, or has blanks.
    """
    if text[:1] in {"@", "#"}:
        raise ValueError("must be an id, not a name, which anybody could take")
    if not _ID.fullmatch(text):
        raise ValueError("must be an id, such as U024BE7LH")
    return text


Ids = tuple[Annotated[str, Form(parse_chat_id)], ...]


class Allow(msgspec.Struct, frozen=True, kw_only=True):
    """Who may do what where; of several that fit, each gives what it says.

    Attributes:
        users: Ids, never names, which people choose themselves. Empty: anybody in `channels`.
        channels: Ids. Empty: wherever `users` write.
        may: ``run`` includes ``read``.
        projects: Patterns, as a token has them.
    """

    users: Ids = ()
    channels: Ids = ()
    may: Annotated[str, Words(("read", "run"))] = "read"
    projects: Annotated[tuple[Annotated[str, Form(parse_nonempty)], ...], Items(1)] = ("*",)


class Platform(msgspec.Struct, frozen=True, kw_only=True):
    """What all platforms have in common.

    Attributes:
        allow: Empty: nobody may do anything, and who tries is told the ids to write here.
        rate: How many commands it may send in a time; None is no limit.
    """

    allow: tuple[Allow, ...] = ()
    rate: Annotated[Rate, Form(parse_rate)] | None = None


class Slack(Platform, frozen=True, kw_only=True):
    """Slash commands of Slack.

    Attributes:
        secrets: The app's signing secret.
        url: The only place below which later answers are sent, whatever a request says.
            GovSlack has another.
    """

    secrets: Annotated[tuple[SecretReference, ...], Items(1)]
    url: Annotated[str, Form(parse_public_url)] = "https://hooks.slack.com"


class Mattermost(Platform, frozen=True, kw_only=True):
    """Slash commands of Mattermost.

    Attributes:
        secrets: The token of the command; of several commands each has its own.
        url: The server's Site URL; later answers are sent below it and nowhere else.
    """

    secrets: Annotated[tuple[SecretReference, ...], Items(1)]
    url: Annotated[str, Form(parse_public_url)]


class Discord(Platform, frozen=True, kw_only=True):
    """Interactions of Discord.

    Attributes:
        public_key: The application's, in hexadecimal.
        url: The base of the API, for later answers.
    """

    public_key: Annotated[bytes, Form(parse_hex_key)]
    url: Annotated[str, Form(parse_public_url)] = "https://discord.com/api/v10"


class Teams(Platform, frozen=True, kw_only=True):
    """Outgoing webhooks of Microsoft Teams.

    Attributes:
        secrets: The webhook's security token; of several webhooks each has its own.
        url: There is none: it takes no later answers.
    """

    secrets: Annotated[tuple[SecretReference, ...], Items(1)]
    url: ClassVar[None] = None


ChatPlatform = Slack | Mattermost | Discord | Teams


class Chat(msgspec.Struct, frozen=True, kw_only=True):
    """The platforms from which commands are taken; None: not from there."""

    slack: Slack | None = None
    mattermost: Mattermost | None = None
    discord: Discord | None = None
    teams: Teams | None = None

    def configured(self) -> dict[str, ChatPlatform]:
        """Those that are, by name."""
        found = {name: getattr(self, name) for name in self.__struct_fields__}
        return {name: one for name, one in found.items() if one is not None}
