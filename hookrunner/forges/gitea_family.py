"""What Gogs, Gitea and Forgejo have in common, which is nearly everything.

They sign the JSON text, also where they send it in a form (GitHub signs the form).
A branch that is deleted causes no push event, only ``delete``, with the ref's short name
(Forgejo: the full one). None of them tells forced pushes, so the paths of one are those
of its new commits only. ``original_url`` is the repository that this one was imported
from, another one, so it is not read.

Source:
    https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go
    https://codeberg.org/forgejo/forgejo/src/branch/forgejo/services/webhook/default.go
    https://github.com/gogs/gogs/blob/main/internal/database/webhook.go
"""

from collections.abc import Sequence

import msgspec

from hookrunner.errors import DeliveryError
from hookrunner.forges.body import check_object, decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, make_push, required
from hookrunner.forges.request import Request
from hookrunner.forges.signature import verify_hmac_sha256
from hookrunner.model import Decoded, Push

_FEWEST_COMMITS = 5
"""The shortest list that may be cut, where no total is told: ``FEED_MAX_COMMIT_NUM``."""

_ZEROS = "0" * 40
_PREFIXES = {"branch": "refs/heads/", "tag": "refs/tags/"}


class _Repository(msgspec.Struct):
    full_name: str | None = None
    html_url: str | None = None
    ssh_url: str | None = None
    clone_url: str | None = None
    default_branch: str | None = None


class _User(msgspec.Struct):
    login: str | None = None
    username: str | None = None


class _Body(msgspec.Struct):
    ref: str | None = None
    ref_type: str | None = None
    sha: str | None = None
    pusher_type: str | None = None
    before: str | None = None
    after: str | None = None
    repository: _Repository | None = None
    pusher: _User | None = None
    sender: _User | None = None
    commits: list[Commit] | None = None
    head_commit: Commit | None = None
    total_commits: int | None = None


_BODY = msgspec.json.Decoder(_Body)


def make_forge(name: str, brand: str, *, pushes_tags: bool = True) -> Forge:
    """Describe one forge of the family.

    Args:
        name: The forge's name.
        brand: How it stands in the headers: ``X-BRAND-Event``.
        pushes_tags: A tag causes a push event. Where it does not, ``create`` and
            ``delete`` events of tags are read as pushes.
    """

    def recognises(request: Request) -> bool:
        return request.has(f"X-{brand}-Event")

    def verify(request: Request, secrets: Sequence[bytes]) -> int:
        claimed = request.proof(f"X-{brand}-Signature")
        message = json_text(request, forms=True)
        return verify_hmac_sha256(message, claimed=claimed, secrets=secrets)

    def decode(request: Request) -> Decoded:
        event = required(request.label(f"X-{brand}-Event"), f"X-{brand}-Event header")
        sender_id = request.label(f"X-{brand}-Delivery")
        text = json_text(request, forms=True)
        push, ignored = _read(event, text, pushes_tags=pushes_tags)
        pushes = (push,) if push else ()
        return Decoded(
            forge=name, event=event, sender_id=sender_id, pushes=pushes, ignored=ignored
        )

    return Forge(
        name=name,
        recognises=recognises,
        verify=verify,
        decode=decode,
        push_event=(f"X-{brand}-Event", "push"),
    )


def _read(event: str, text: bytes, *, pushes_tags: bool) -> tuple[Push | None, str | None]:
    """The push that an event is, or why it is none."""
    if event == "push":
        body = decode_object(text, _BODY)
        return _push(body, ref=body.ref, before=required(body.before, "before")), None
    if event not in {"create", "delete"}:
        check_object(text)
        return None, f"event {event} is not a push"
    body = decode_object(text, _BODY)
    kind = required(body.ref_type, "ref_type")
    if kind not in _PREFIXES:
        raise DeliveryError("ref_type is neither branch nor tag")
    if event == "create" and (kind == "branch" or pushes_tags):
        return None, f"event create of a {kind}: the push event tells the same"
    if event == "delete" and kind == "tag" and pushes_tags:
        return None, "event delete of a tag: the push event tells the same"
    prefix = _PREFIXES[kind]
    ref = prefix + required(body.ref, "ref").removeprefix(prefix)
    if event == "create":
        return _push(body, ref=ref, before=None, after=required(body.sha, "sha")), None
    if body.sha or not body.pusher_type:  # a create event's body under another header
        raise DeliveryError("the event is delete, but the body does not tell of a deletion")
    return _push(body, ref=ref, before=None, after=_ZEROS), None


def _push(
    body: _Body, *, ref: str | None, before: str | None, after: str | None = None
) -> Push:
    repository = body.repository or _Repository()
    pusher = body.pusher or body.sender or _User()
    listed, total = len(body.commits or ()), body.total_commits
    return make_push(
        repository=required(repository.full_name, "repository.full_name"),
        ref=ref,
        before=before,
        after=after or body.after,
        urls=(repository.html_url, repository.ssh_url, repository.clone_url),
        default_branch=repository.default_branch,
        tagged=body.head_commit.id if body.head_commit else None,
        pusher=pusher.login or pusher.username,
        commits=body.commits,
        lists_all=listed < _FEWEST_COMMITS if total is None else listed >= total,
    )
