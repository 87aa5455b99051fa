"""Microsoft Teams: outgoing webhooks, signed, and answered at once or never.

What is signed has a time in it, by which a request that is sent again is known.

Source:
    https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook
"""

import hmac
import html
import re
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from hookrunner.chat.message import Markup
from hookrunner.chat.platform import WINDOW, Asked, Platform, identity, proving, readable
from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges import Request
from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.signature import check_time, first_fit

_KEY = "chat.teams.secret_file has to hold the security token of the outgoing webhook"
_SCHEME = "hmac "
_MENTION = re.compile(r"<at\b[^<>]*>[^<>]*</at>")
_TAG = re.compile(r"<[^<>]*>")
_LINE_END = re.compile(r"\n(?![^<]*</pre>)")
_MARKDOWN = re.compile(r"[\\`*_\[\]()#|~]")


class _From(msgspec.Struct, rename={"directory_id": "aadObjectId"}):
    id: str | None = None
    name: str | None = None
    directory_id: str | None = None


class _Channel(msgspec.Struct):
    id: str | None = None


class _ChannelData(msgspec.Struct):
    channel: _Channel | None = None


class _Conversation(msgspec.Struct):
    id: str | None = None


class _Activity(msgspec.Struct, rename={"sender": "from", "channel_data": "channelData"}):
    type: str = ""
    text: str | None = None
    timestamp: str | None = None
    sender: _From | None = None
    conversation: _Conversation | None = None
    channel_data: _ChannelData | None = None


_BODY = msgspec.json.Decoder(_Activity)


def _key_of(secret: bytes) -> bytes:
    """The key that a security token stands for; empty where it is no base64."""
    try:
        return b64decode(secret, validate=True)
    except ValueError:
        return b""


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    with proving(_KEY):
        claimed = request.proof("Authorization").decode("utf-8", "replace")
        if not claimed.lower().startswith(_SCHEME):
            raise SignatureError("the header Authorization is not `HMAC` and a signature")
        try:
            digest = b64decode(claimed[len(_SCHEME) :].strip(), validate=True)
        except ValueError:
            digest = b""
        keys = [_key_of(secret) for secret in secrets]
        digests = (hmac.digest(key, request.body, "sha256") for key in keys)
        found = first_fit(digest, digests, keys)
        if found is None:
            raise SignatureError("the signature does not match the body and the secret")
    at = decode_object(json_text(request), _BODY).timestamp
    if at is not None:
        seconds = b"%d" % max(_instant(at), 0)
        check_time(seconds, now=request.received_at, window=WINDOW, unit=1.0)
    return found


def _instant(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
        return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp())
    except (ValueError, OverflowError) as error:
        raise DeliveryError("the body's timestamp is no time") from error


def _decode(request: Request) -> Asked:
    told = decode_object(json_text(request), _BODY)
    if told.type != "message" or told.text is None:
        raise DeliveryError("the activity is no message")
    sender = told.sender or _From()
    channel = told.channel_data.channel if told.channel_data else None
    place = channel.id if channel else None
    if place is None and told.conversation is not None and told.conversation.id is not None:
        place = told.conversation.id.partition(";")[0]
    return Asked(
        text=html.unescape(_TAG.sub(" ", _MENTION.sub(" ", told.text))),
        user=identity(sender.directory_id or sender.id, "from.aadObjectId"),
        channel=identity(place, "channelData.channel.id"),
        name=readable(sender.name),
    )


def _prose(text: str) -> str:
    """Escape HTML, and Markdown too, since clients of either kind show it."""
    return _MARKDOWN.sub(lambda found: f"&#{ord(found[0])};", html.escape(text, quote=False))


def _message(text: str, _is_public: bool) -> dict[str, str]:
    """An answer; a line ends by a tag but within a block, which has no other tags in it."""
    return {"type": "message", "textFormat": "xml", "text": _LINE_END.sub("<br>", text)}


def _block(text: str) -> str:
    return f"<pre>{html.escape(text, quote=False)}</pre>"


def _nowhere(_place: str, _base: str) -> None:
    return None


TEAMS = Platform(
    name="teams",
    title="Microsoft Teams",
    key=_KEY,
    markup=Markup(prose=_prose, block=_block, limit=7000),  # of 28 KB, with UTF-8 and JSON
    fits=lambda secret: bool(_key_of(secret)),
    verify=_verify,
    decode=_decode,
    said=_message,
    late=_message,
    target=_nowhere,
    patience=4.0,  # of 5
    lasts=0.0,
)
