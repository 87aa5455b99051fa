"""GitHub and GitHub Enterprise Server.

Source:
    https://docs.github.com/en/webhooks/webhook-events-and-payloads#push
"""

from collections.abc import Sequence

import msgspec

from hookrunner.forges.body import check_object, decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, make_push, required
from hookrunner.forges.request import Request
from hookrunner.forges.signature import verify_hmac_sha256
from hookrunner.model import Decoded, Push

_MOST_COMMITS = 2048
"""The commits that GitHub lists at most. Source: GitHub's OpenAPI description of push."""


class _Repository(msgspec.Struct):
    full_name: str | None = None
    html_url: str | None = None
    git_url: str | None = None
    ssh_url: str | None = None
    clone_url: str | None = None
    svn_url: str | None = None
    default_branch: str | None = None


class _Pusher(msgspec.Struct):
    name: str | None = None


class _Sender(msgspec.Struct):
    login: str | None = None


class _Body(msgspec.Struct):
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    deleted: bool | None = None
    forced: bool | None = None
    repository: _Repository | None = None
    pusher: _Pusher | None = None
    sender: _Sender | None = None
    commits: list[Commit] | None = None
    head_commit: Commit | None = None


_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    return request.has("X-GitHub-Event")


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    """GitHub signs the raw body, of a form too."""
    return verify_hmac_sha256(
        request.body,
        claimed=request.proof("X-Hub-Signature-256"),
        secrets=secrets,
        prefix=b"sha256=",
    )


def _decode(request: Request) -> Decoded:
    event = required(request.label("X-GitHub-Event"), "X-GitHub-Event header")
    sender_id = request.label("X-GitHub-Delivery")
    text = json_text(request, forms=True)
    if event == "push":
        pushes = (_push(decode_object(text, _BODY)),)
        return Decoded(forge="github", event=event, sender_id=sender_id, pushes=pushes)
    check_object(text)
    ignored = f"event {event} is not a push"
    if event == "ping":
        ignored = "a ping: GitHub reaches hookrunner, and the secret fits"
    return Decoded(forge="github", event=event, sender_id=sender_id, ignored=ignored)


def _push(body: _Body) -> Push:
    repository = body.repository or _Repository()
    pusher = (body.pusher and body.pusher.name) or (body.sender and body.sender.login)
    return make_push(
        repository=required(repository.full_name, "repository.full_name"),
        ref=body.ref,
        before=required(body.before, "before"),
        after=body.after,
        urls=(
            repository.html_url,
            repository.git_url,
            repository.ssh_url,
            repository.clone_url,
            repository.svn_url,
        ),
        default_branch=repository.default_branch,
        tagged=body.head_commit.id if body.head_commit else None,
        deleted=bool(body.deleted),
        forced=bool(body.forced),
        pusher=pusher or None,
        commits=body.commits,
        lists_all=len(body.commits or ()) < _MOST_COMMITS,
    )


GITHUB = Forge(
    name="github",
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    push_event=("X-GitHub-Event", "push"),
)
