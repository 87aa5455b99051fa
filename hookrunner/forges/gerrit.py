"""Gerrit, with its webhooks plug-in.

It sends the events of its stream, proves nothing and names no event in a header, so the
secret is in the path. It names no URL and no delivery either. Each review moves refs of
Gerrit's own, which are no branches.

Source:
    https://gerrit.googlesource.com/plugins/webhooks/+/refs/heads/master/src/main/resources/Documentation/config.md
    https://gerrit-review.googlesource.com/Documentation/cmd-stream-events.html#_ref_updated
"""

from collections.abc import Sequence

import msgspec

from hookrunner.errors import DeliveryError
from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import make_push, required
from hookrunner.forges.request import Request, checked_label
from hookrunner.forges.signature import verify_token
from hookrunner.model import Decoded, Push

_NAME = "gerrit"
_SHOWN = 200
"""Characters of a ref in a message."""


class _RefUpdate(msgspec.Struct):
    project: str | None = None
    ref: str | None = msgspec.field(default=None, name="refName")
    before: str | None = msgspec.field(default=None, name="oldRev")
    after: str | None = msgspec.field(default=None, name="newRev")


class _Submitter(msgspec.Struct):
    username: str | None = None
    name: str | None = None


class _Kind(msgspec.Struct):
    type: str | None = None


class _Body(msgspec.Struct):
    submitter: _Submitter | None = None
    update: _RefUpdate | None = msgspec.field(default=None, name="refUpdate")
    updates: list[_RefUpdate] | None = msgspec.field(default=None, name="refUpdates")


_KIND = msgspec.json.Decoder(_Kind)
_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    """Nothing names it; of those with a secret in the path it is the last to be asked."""
    return request.path_secret is not None


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    return verify_token(request.proof_in_path(), secrets=secrets)


def _decode(request: Request) -> Decoded:
    text = json_text(request)
    event = required(checked_label(decode_object(text, _KIND).type, "type"), "type")
    if event not in {"ref-updated", "batch-ref-updated"}:
        return Decoded(forge=_NAME, event=event, ignored=f"event {event} is not a push")
    body = decode_object(text, _BODY)
    updates = body.updates if event.startswith("batch-") else body.update and [body.update]
    if not updates:
        raise DeliveryError("the body has no refUpdate")
    pushes = tuple(_read(body, update) for update in updates)
    counting = tuple(push for push in pushes if push.branch or push.tag)
    if counting:
        return Decoded(forge=_NAME, event=event, pushes=counting)
    ignored = f"{pushes[0].ref[:_SHOWN]} is neither a branch nor a tag"
    return Decoded(forge=_NAME, event=event, ignored=ignored)


def _read(body: _Body, update: _RefUpdate) -> Push:
    submitter = body.submitter or _Submitter()
    ref = required(update.ref, "refUpdate.refName")
    return make_push(
        repository=required(update.project, "refUpdate.project"),
        ref=ref if ref.startswith("refs/") else f"refs/heads/{ref}",
        before=required(update.before, "refUpdate.oldRev"),
        after=update.after,
        pusher=submitter.username or submitter.name,
    )


GERRIT = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    weakness="its secret is a part of the URL, and it signs neither the body nor the time",
)
