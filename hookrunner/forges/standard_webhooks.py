"""Standard Webhooks, for senders that sign in that way and are no forge.

The body is a generic delivery, alone or as the ``data`` of the event that the standard
recommends. The id is in a header, where it is signed.

Source:
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from base64 import b64decode
from collections.abc import Sequence
from contextlib import suppress

import msgspec

from hookrunner.forges import generic
from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.ed25519 import NEEDS, verify_ed25519
from hookrunner.forges.forge import Forge
from hookrunner.forges.request import Request, checked_label
from hookrunner.forges.signature import STANDARD_WINDOW, check_time, verify_standard
from hookrunner.model import Decoded

SIGNATURE = "webhook-signature"

_KEYED = b"v1a,"
_NAME = "standard-webhooks"
_PUSHES = frozenset({"push", "git.push", "repository.push"})
"""What the type of a push may be; the standard leaves such names to the sender."""


class _Kind(msgspec.Struct):
    type: str | None = None


class _Event(msgspec.Struct):
    data: generic.Body | None = None


_KIND = msgspec.json.Decoder(_Kind)
_EVENT = msgspec.json.Decoder(_Event)


def _recognises(request: Request) -> bool:
    return request.has(SIGNATURE)


def verify(request: Request, secrets: Sequence[bytes]) -> int:
    """Check a request's three headers; GitLab sends them too."""
    return verify_standard(
        request.body,
        identity=request.proof("webhook-id"),
        timestamp=request.proof("webhook-timestamp"),
        claimed=request.proof(SIGNATURE),
        secrets=secrets,
        now=request.received_at,
    )


def _verify_key(request: Request, public_key: bytes | None) -> None:
    """Check a signature ``v1a``, which needs no secret on this side."""
    timestamp = request.proof("webhook-timestamp")
    message = b".".join((request.proof("webhook-id"), timestamp, request.body))
    signatures = []
    for part in request.proof(SIGNATURE).split(b" "):
        with suppress(ValueError):
            if part.startswith(_KEYED):
                signatures.append(b64decode(part.removeprefix(_KEYED), validate=True))
    verify_ed25519(message, signatures=signatures, public_key=public_key or b"")
    check_time(timestamp, now=request.received_at, window=STANDARD_WINDOW, unit=1.0)


def _decode(request: Request) -> Decoded:
    sender_id = request.label("webhook-id")
    text = json_text(request)
    kind = checked_label(decode_object(text, _KIND).type, "type") or "push"
    if kind not in _PUSHES:
        ignored = f"event {kind} is not a push"
        return Decoded(forge=_NAME, event=kind, sender_id=sender_id, ignored=ignored)
    body = decode_object(text, _EVENT).data or decode_object(text, generic.BODY)
    pushes = (generic.push(body),)
    return Decoded(forge=_NAME, event=kind, sender_id=sender_id, pushes=pushes)


STANDARD_WEBHOOKS = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=verify,
    verify_key=_verify_key,
    key_is_enough=True,
    needs=NEEDS,
    decode=_decode,
)
