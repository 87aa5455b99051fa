"""Discord: interactions, signed with the application's key.

A command may be one of its own (``/update``) or have the verb as a sub-command
(``/hookrunner update``): names and values of options, in order, are the words.

Source:
    https://discord.com/developers/docs/interactions/receiving-and-responding
    https://discord.com/developers/docs/interactions/overview
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from hookrunner.chat.commands import VERBS
from hookrunner.chat.markdown import escape_markdown
from hookrunner.chat.message import Markup, fenced
from hookrunner.chat.platform import (
    JSON,
    WINDOW,
    Asked,
    Platform,
    identity,
    proving,
    readable,
    worded,
)
from hookrunner.errors import DeliveryError
from hookrunner.forges import Request
from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.ed25519 import verify_ed25519
from hookrunner.forges.signature import check_time

_KEY = "chat.discord.public_key has to be the Public Key of the application"
_PING, _COMMAND = 1, 2
_PONG, _MESSAGE, _DEFERRED = 1, 4, 5
_EPHEMERAL = 64
_SUB_COMMAND, _GROUP = 1, 2
_DEEPEST = 3
"""Levels of options: a group, a command in it, its options."""
_PLACE = re.compile(r"([0-9]{1,20})/([A-Za-z0-9_.=~+-]{1,1000})")
"""An application and an interaction's token."""


class _User(msgspec.Struct):
    id: str | None = None
    username: str | None = None


class _Member(msgspec.Struct):
    user: _User | None = None


class _Channel(msgspec.Struct):
    name: str | None = None


class _Option(msgspec.Struct):
    type: int = 0
    name: str = ""
    value: Any = None
    options: list["_Option"] | None = None


class _Data(msgspec.Struct):
    name: str = ""
    options: list[_Option] | None = None


class _Interaction(msgspec.Struct):
    type: int = 0
    application_id: str = ""
    token: str = ""
    data: _Data | None = None
    member: _Member | None = None
    user: _User | None = None
    channel_id: str | None = None
    channel: _Channel | None = None


_BODY = msgspec.json.Decoder(_Interaction)


def _verify(request: Request, keys: Sequence[bytes]) -> int:
    """Check the signature. Discord sends wrong ones on purpose, and wants them refused."""
    with proving(_KEY):
        at = request.proof("X-Signature-Timestamp")
        claimed = request.proof("X-Signature-Ed25519")
        try:
            signature = bytes.fromhex(claimed.decode("ascii"))
        except ValueError:
            signature = b""
        verify_ed25519(at + request.body, signatures=[signature], public_key=keys[0])
    check_time(at, now=request.received_at, window=WINDOW, unit=1.0)
    return 0


def _decode(request: Request) -> Asked | None:
    told = decode_object(json_text(request), _BODY)
    if told.type == _PING:
        return None
    if told.type != _COMMAND or told.data is None:
        raise DeliveryError(f"an interaction of type {told.type} is no command")
    user = (told.member.user if told.member else None) or told.user or _User()
    words = " ".join(_words(told.data.options or [], _DEEPEST))
    return Asked(
        text=worded(told.data.name, words, VERBS),
        user=identity(user.id, "user"),
        channel=identity(told.channel_id, "channel_id"),
        name=readable(user.username),
        place=readable(told.channel.name) if told.channel else None,
        later=f"{told.application_id}/{told.token}",
    )


def _words(options: Sequence[_Option], depth: int) -> Iterator[str]:
    for option in options if depth else ():
        if option.type in {_SUB_COMMAND, _GROUP}:
            yield option.name
            yield from _words(option.options or [], depth - 1)
        elif isinstance(option.value, (str, int)):
            yield str(option.value)


def _target(place: str, base: str) -> tuple[str, str] | None:
    found = _PLACE.fullmatch(place)
    if found is None:
        return None
    return "PATCH", f"{base}/webhooks/{found[1]}/{found[2]}/messages/@original"


def _late(text: str, _is_public: bool) -> JSON:
    """A text that calls nobody, whatever stands in it."""
    return {"content": text, "allowed_mentions": {"parse": []}}


def _said(text: str, is_public: bool) -> JSON:
    return {"type": _MESSAGE, "data": _late(text, is_public) | _seen_by(is_public)}


def _deferred(is_public: bool) -> JSON:
    return {"type": _DEFERRED, "data": _seen_by(is_public)}


def _seen_by(is_public: bool) -> JSON:
    return {} if is_public else {"flags": _EPHEMERAL}


DISCORD = Platform(
    name="discord",
    title="Discord",
    key=_KEY,
    markup=Markup(prose=escape_markdown, block=fenced, limit=2000),
    verify=_verify,
    decode=_decode,
    pong={"type": _PONG},
    said=_said,
    late=_late,
    deferred=_deferred,
    target=_target,
    patience=2.0,  # of 3
    lasts=870.0,  # of 15 min
)
