"""Bitbucket Cloud: bitbucket.org.

One delivery tells of every ref that a push moved. It has no clone URLs, but the page's
address is the same place; ``website`` is what the owner likes, so it is not read. Commits
come without their paths. Bitbucket drops deliveries over 256 KB without a word.

Source:
    https://support.atlassian.com/bitbucket-cloud/docs/event-payloads/#Push
    https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/
"""

from collections.abc import Sequence

import msgspec

from hookrunner.errors import DeliveryError
from hookrunner.forges.body import check_object, decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, decoded_pushes, make_push, required
from hookrunner.forges.request import Request
from hookrunner.forges.signature import verify_hmac_sha256
from hookrunner.model import Decoded, Push

_NAME = "bitbucket-cloud"
_EVENT = "X-Event-Key"
_PUSH = "repo:push"
_PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/", "annotated_tag": "refs/tags/"}
_ZEROS = "0" * 40


class _Link(msgspec.Struct):
    href: str | None = None


class _Links(msgspec.Struct):
    html: _Link | None = None


class _Repository(msgspec.Struct):
    full_name: str | None = None
    links: _Links | None = None


class _Target(msgspec.Struct):
    hash: str | None = None


class _Ref(msgspec.Struct):
    type: str | None = None
    name: str | None = None
    target: _Target | None = None


class _Commit(msgspec.Struct):
    hash: str | None = None


class _Change(msgspec.Struct):
    old: _Ref | None = None
    new: _Ref | None = None
    forced: bool | None = None
    commits: list[_Commit] | None = None


class _Push(msgspec.Struct):
    changes: list[_Change] | None = None


class _Actor(msgspec.Struct):
    nickname: str | None = None
    username: str | None = None
    display_name: str | None = None


class _Body(msgspec.Struct):
    push: _Push | None = None
    repository: _Repository | None = None
    actor: _Actor | None = None


_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    return request.has(_EVENT) and (request.has("X-Hook-UUID") or request.has("X-Request-UUID"))


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    """The header is GitHub's old one, but the digest is SHA-256."""
    return verify_hmac_sha256(
        request.body,
        claimed=request.proof("X-Hub-Signature"),
        secrets=secrets,
        prefix=b"sha256=",
    )


def _decode(request: Request) -> Decoded:
    event = required(request.label(_EVENT), f"{_EVENT} header")
    sender_id = request.label("X-Request-UUID")
    text = json_text(request)
    if event != _PUSH:
        check_object(text)
        ignored = f"event {event} is not a push"
        return Decoded(forge=_NAME, event=event, sender_id=sender_id, ignored=ignored)
    body = decode_object(text, _BODY)
    if body.push is None or body.push.changes is None:
        raise DeliveryError("the body has no push.changes")
    pushes = [_read(body, change) for change in body.push.changes]
    return decoded_pushes(_NAME, event=event, sender_id=sender_id, pushes=pushes)


def _read(body: _Body, change: _Change) -> Push:
    repository, actor = body.repository or _Repository(), body.actor or _Actor()
    ref = change.new or change.old
    if ref is None:
        raise DeliveryError("a change has neither old nor new")
    prefix = _PREFIXES.get(ref.type or "")
    if prefix is None:
        raise DeliveryError("a change is neither of a branch nor of a tag")
    name = required(repository.full_name, "repository.full_name")
    link = repository.links and repository.links.html and repository.links.html.href
    return make_push(
        repository=name,
        ref=prefix + required(ref.name, "change's name"),
        before=_hash(change.old),
        after=_hash(change.new),
        urls=(link or f"https://bitbucket.org/{name}",),
        forced=bool(change.forced),
        pusher=actor.nickname or actor.username or actor.display_name,
        commits=[Commit(id=commit.hash) for commit in change.commits or ()],
    )


def _hash(ref: _Ref | None) -> str:
    if ref is None:
        return _ZEROS
    return required(ref.target.hash if ref.target else None, "change's target.hash")


BITBUCKET_CLOUD = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    push_event=(_EVENT, _PUSH),
)
