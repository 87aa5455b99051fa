"""Gitee, with a password or with a signature.

What Gitee calls a signature is one of the time, not of the body, so either proves who
sends, and neither what is sent. ``homepage`` is the owner's to write, so it is not read.

Source:
    https://help.gitee.com/webhook/how-to-verify-webhook-keys
    https://help.gitee.com/webhook/gitee-webhook-push-data-format
"""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from urllib.parse import unquote_to_bytes

import msgspec

from hookrunner.errors import SignatureError
from hookrunner.forges.body import check_object, decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, make_push, required
from hookrunner.forges.request import Request
from hookrunner.forges.signature import check_time, first_fit, verify_token
from hookrunner.model import Decoded, Push

_NAME = "gitee"
_EVENT = "X-Gitee-Event"
_PUSHES = ("Push Hook", "Tag Push Hook")
_WINDOW = 3600.0
"""Seconds that a signature's time may differ from our clock. Source: Gitee's own page."""

_MOST_COMMITS = 10
"""The commits that may be all; above it a flag says so, which old payloads lack."""


class _Repository(msgspec.Struct):
    full_name: str | None = None
    path_with_namespace: str | None = None
    html_url: str | None = None
    clone_url: str | None = None
    git_http_url: str | None = None
    ssh_url: str | None = None
    git_ssh_url: str | None = None
    git_url: str | None = None
    default_branch: str | None = None


class _User(msgspec.Struct):
    username: str | None = None
    user_name: str | None = None
    login: str | None = None
    name: str | None = None


class _Body(msgspec.Struct):
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    deleted: bool | None = None
    repository: _Repository | None = None
    project: _Repository | None = None
    pusher: _User | None = None
    commits: list[Commit] | None = None
    head_commit: Commit | None = None
    total_commits_count: int | None = None
    has_more: bool | None = msgspec.field(default=None, name="commits_more_than_ten")


_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    return request.has(_EVENT)


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    claimed = request.proof("X-Gitee-Token")
    try:
        return verify_token(claimed, secrets=secrets)
    except SignatureError:
        timestamp = request.proof("X-Gitee-Timestamp")
    # Gitee's page has it percent-encoded, its servers send it as it is.
    signatures = [_signature(timestamp, secret) for secret in secrets]
    found = first_fit(unquote_to_bytes(claimed), signatures, secrets)
    if found is None:
        raise SignatureError("X-Gitee-Token is neither the secret nor a signature with it")
    check_time(timestamp, now=request.received_at, window=_WINDOW, unit=0.001)
    return found


def _signature(timestamp: bytes, secret: bytes) -> bytes:
    return b64encode(hmac.digest(secret, timestamp + b"\n" + secret, "sha256"))


def _decode(request: Request) -> Decoded:
    event = required(request.label(_EVENT), f"{_EVENT} header")
    text = json_text(request)
    if event in _PUSHES:
        pushes = (_read(decode_object(text, _BODY)),)
        return Decoded(forge=_NAME, event=event, pushes=pushes)
    check_object(text)
    return Decoded(forge=_NAME, event=event, ignored=f"event {event} is not a push")


def _read(body: _Body) -> Push:
    repository = body.repository or body.project or _Repository()
    pusher = body.pusher or _User()
    listed, total = len(body.commits or ()), body.total_commits_count
    is_cut = bool(body.has_more) or (
        listed >= _MOST_COMMITS if total is None else listed < total
    )
    return make_push(
        repository=required(
            repository.path_with_namespace or repository.full_name, "repository.full_name"
        ),
        ref=body.ref,
        before=required(body.before, "before"),
        after=body.after,
        urls=(
            repository.html_url,
            repository.clone_url,
            repository.git_http_url,
            repository.ssh_url,
            repository.git_ssh_url,
            repository.git_url,
        ),
        default_branch=repository.default_branch,
        tagged=body.head_commit.id if body.head_commit else None,
        deleted=bool(body.deleted),
        pusher=pusher.username or pusher.user_name or pusher.login or pusher.name,
        commits=body.commits,
        lists_all=not is_cut,
    )


GITEE = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    push_event=(_EVENT, _PUSHES[0]),
    weakness="it signs at most the time, within an hour, and never the body",
)
