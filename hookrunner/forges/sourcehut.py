"""SourceHut: git.sr.ht, and other instances of it.

It signs with the instance's own key, so a signature proves that the instance sends this, but
not for whom: anybody there can make a webhook that leads here. Therefore the secret is in
the path. The body is the answer to the query that the webhook was made with; one that does
not ask for the repository is of no use, and the old webhooks never told it.

Source:
    https://man.sr.ht/graphql.md#webhooks
    https://git.sr.ht/~sircmpwn/core-go/tree/master/item/crypto/crypto.go
"""

from base64 import b64decode
from collections.abc import Sequence

import msgspec

from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.ed25519 import NEEDS, verify_ed25519
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import decoded_pushes, make_push, required
from hookrunner.forges.request import Request, checked_label
from hookrunner.forges.signature import verify_token
from hookrunner.model import Decoded, Push

PUBLIC_KEY = b64decode("uX7KWyyDNMaBma4aVbJ/cbUQpdjqczuCyK/HxzV/u+4=")
"""The key of sr.ht. Source: https://git.sr.ht/query/api-meta.json, as others have it too."""

_NAME = "sourcehut"
_EVENT = "X-Webhook-Event"
_NONCE = "X-Payload-Nonce"
_SIGNATURE = "X-Payload-Signature"
_PUSH = "GIT_POST_RECEIVE"
_ZEROS = "0" * 40
_QUERY = "make the webhook with the query of `hookrunner help sourcehut`"


class _Owner(msgspec.Struct):
    name: str | None = msgspec.field(default=None, name="canonicalName")


class _Repository(msgspec.Struct):
    name: str | None = None
    owner: _Owner | None = None


class _Named(msgspec.Struct):
    name: str | None = None


class _Object(msgspec.Struct):
    id: str | None = None


class _Update(msgspec.Struct):
    ref: _Named | None = None
    old: _Object | None = None
    new: _Object | None = None


class _Webhook(msgspec.Struct):
    event: str | None = None
    repository: _Repository | None = None
    pusher: _Owner | None = None
    updates: list[_Update] | None = None


class _Data(msgspec.Struct):
    webhook: _Webhook | None = None


class _Body(msgspec.Struct):
    data: _Data | None = None


_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    return request.has(_SIGNATURE) and request.has(_NONCE)


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    return verify_token(request.proof_in_path(), secrets=secrets)


def _verify_key(request: Request, public_key: bytes | None) -> None:
    message = request.body + request.proof(_NONCE)
    try:
        signature = b64decode(request.proof(_SIGNATURE), validate=True)
    except ValueError:
        signature = b""
    try:
        verify_ed25519(message, signatures=[signature], public_key=public_key or PUBLIC_KEY)
    except SignatureError as error:
        raise SignatureError(
            f"{_SIGNATURE}: {error}",
            hint=error.hint
            or "an instance other than sr.ht needs its public_key in the source",
        ) from error


def _decode(request: Request) -> Decoded:
    """The nonce is the delivery's id: unlike the header that has one, it is signed."""
    nonce = request.label(_NONCE)
    body = decode_object(json_text(request), _BODY)
    webhook = (body.data and body.data.webhook) or _Webhook()
    said = checked_label(webhook.event, "webhook.event") or request.label(_EVENT)
    event = required(said, "data.webhook.event")
    if event != _PUSH:
        ignored = f"event {event} is not a push"
        if event == "repo:post-update":
            ignored = f"an old webhook, which tells no repository: {_QUERY}"
        return Decoded(forge=_NAME, event=event, sender_id=nonce, ignored=ignored)
    if webhook.updates is None:
        raise DeliveryError("the body has no data.webhook.updates", hint=_QUERY)
    pushes = [_read(webhook, update) for update in webhook.updates]
    return decoded_pushes(_NAME, event=event, sender_id=nonce, pushes=pushes)


def _read(webhook: _Webhook, update: _Update) -> Push:
    repository = webhook.repository or _Repository()
    if not repository.name or not repository.owner or not repository.owner.name:
        raise DeliveryError("the body does not name the repository", hint=_QUERY)
    return make_push(
        repository=f"{repository.owner.name}/{repository.name}",
        ref=update.ref.name if update.ref else None,
        before=required(update.old.id, "old.id") if update.old else _ZEROS,
        after=required(update.new.id, "new.id") if update.new else _ZEROS,
        pusher=webhook.pusher.name if webhook.pusher else None,
    )


SOURCEHUT = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=_verify,
    verify_key=_verify_key,
    needs=NEEDS,
    decode=_decode,
    push_event=(_EVENT, _PUSH),
    weakness="its signature is of the instance, not of yours, and the secret is in the URL",
)
