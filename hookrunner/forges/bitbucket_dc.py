"""Bitbucket Data Center and Server.

One delivery tells of every ref that a push moved. Older servers give no URLs, so their
sources need a ``url:``. Commits come without their paths, and only the newest five.
"Test connection" is not signed, even where the webhook has a secret.

Source:
    https://confluence.atlassian.com/bitbucketserver/event-payload-938025882.html
    https://github.com/runatlantis/atlantis/issues/474 (the test's headers)
"""

from collections.abc import Sequence

import msgspec

from hookrunner.errors import DeliveryError
from hookrunner.forges.body import check_object, decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, decoded_pushes, make_push, required
from hookrunner.forges.request import Request
from hookrunner.forges.signature import basic_password, verify_hmac_sha256, verify_token
from hookrunner.model import Decoded, Push

_NAME = "bitbucket-dc"
_EVENT = "X-Event-Key"
_SIGNATURE = "X-Hub-Signature"
_PUSH = "repo:refs_changed"
_PUSHES = frozenset({_PUSH, "mirror:repo_synchronized"})
_PING = "diagnostics:ping"
_PINGED = "a ping: Bitbucket reaches hookrunner"


class _Link(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    clone: list[_Link] | None = None
    own: list[_Link] | None = msgspec.field(default=None, name="self")


class _Project(msgspec.Struct):
    key: str | None = None


class _Repository(msgspec.Struct):
    slug: str | None = None
    project: _Project | None = None
    links: _Links | None = None


class _Ref(msgspec.Struct):
    id: str | None = None


class _Change(msgspec.Struct):
    ref: _Ref | None = None
    ref_id: str | None = msgspec.field(default=None, name="refId")
    before: str | None = msgspec.field(default=None, name="fromHash")
    after: str | None = msgspec.field(default=None, name="toHash")


class _Actor(msgspec.Struct):
    name: str | None = None


class _Body(msgspec.Struct):
    repository: _Repository | None = None
    changes: list[_Change] | None = None
    actor: _Actor | None = None
    commits: list[Commit] | None = None
    head: Commit | None = msgspec.field(default=None, name="toCommit")


_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    return request.has(_EVENT)


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    """A signature where there is one; else the password that some webhooks have instead."""
    if not request.has(_SIGNATURE) and request.has("Authorization"):
        claimed = basic_password(request.proof("Authorization"))
        return verify_token(claimed, secrets=secrets)
    return verify_hmac_sha256(
        request.body, claimed=request.proof(_SIGNATURE), secrets=secrets, prefix=b"sha256="
    )


def _unsigned_test(request: Request) -> str | None:
    if request.has(_SIGNATURE) or request.has("Authorization"):
        return None
    events = [value for name, value in request.headers if name.lower() == _EVENT.lower()]
    if events != [_PING]:
        return None
    return f"{_PINGED}; it does not sign this test, so the secret was not tried"


def _decode(request: Request) -> Decoded:
    event = required(request.label(_EVENT), f"{_EVENT} header")
    sender_id = request.label("X-Request-Id")
    text = json_text(request)
    if event not in _PUSHES:
        check_object(text)
        ignored = f"event {event} is not a push"
        if event == _PING:
            ignored = f"{_PINGED}, and the secret fits"
        return Decoded(forge=_NAME, event=event, sender_id=sender_id, ignored=ignored)
    body = decode_object(text, _BODY)
    if body.changes is None:
        raise DeliveryError("the body has no changes")
    pushes = [_read(body, change) for change in body.changes]
    return decoded_pushes(_NAME, event=event, sender_id=sender_id, pushes=pushes)


def _read(body: _Body, change: _Change) -> Push:
    repository = body.repository or _Repository()
    links = repository.links or _Links()
    project = repository.project or _Project()
    key = required(project.key, "repository.project.key")
    is_alone = len(body.changes or ()) == 1
    return make_push(
        repository=f"{key}/{required(repository.slug, 'repository.slug')}",
        ref=(change.ref and change.ref.id) or change.ref_id,
        before=required(change.before, "fromHash"),
        after=change.after,
        urls=[link.href for link in (*(links.clone or ()), *(links.own or ()))],
        tagged=body.head.id if body.head and is_alone else None,
        pusher=body.actor.name if body.actor else None,
        commits=[Commit(id=c.id) for c in body.commits or ()] if is_alone else None,
    )


BITBUCKET_DC = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    push_event=(_EVENT, _PUSH),
    weakness="with a password instead of a secret it signs nothing and sends the secret",
    unsigned_test=_unsigned_test,
)
