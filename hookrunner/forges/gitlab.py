"""GitLab: webhooks of projects and groups, and system hooks.

From 19.0 on GitLab signs in the way of Standard Webhooks where the webhook has a signing
token; where a signature is there, no token makes up for a bad one. GitLab does not tell
forced pushes, so the paths of one are those of its new commits only. A push that moves more
than three branches causes no push event, but the system hook ``repository_update`` tells
all of them.

Source:
    https://docs.gitlab.com/user/project/integrations/webhooks/
    https://docs.gitlab.com/user/project/integrations/webhook_events/
    https://docs.gitlab.com/administration/system_hooks/
"""

from collections.abc import Sequence

import msgspec

from hookrunner.errors import DeliveryError
from hookrunner.forges import standard_webhooks
from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, decoded_pushes, make_push, required
from hookrunner.forges.request import Request, checked_label
from hookrunner.forges.signature import verify_token
from hookrunner.model import Decoded, Push

_MOST_COMMITS = 20
"""The commits that GitLab lists at most. Source: lib/gitlab/data_builder/push.rb"""

_KINDS = {"Push Hook": "push", "Tag Push Hook": "tag_push"}
"""What the body of each event calls itself."""

_UPDATE = "repository_update"


class _Project(msgspec.Struct):
    path_with_namespace: str | None = None
    web_url: str | None = None
    git_ssh_url: str | None = None
    git_http_url: str | None = None
    url: str | None = None
    ssh_url: str | None = None
    http_url: str | None = None
    default_branch: str | None = None


class _Repository(msgspec.Struct):
    url: str | None = None
    git_http_url: str | None = None
    git_ssh_url: str | None = None


class _Kind(msgspec.Struct):
    object_kind: str | None = None
    event_name: str | None = None


class _Change(msgspec.Struct):
    ref: str | None = None
    before: str | None = None
    after: str | None = None


class _Body(msgspec.Struct):
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    checkout_sha: str | None = None
    user_username: str | None = None
    user_name: str | None = None
    project: _Project | None = None
    repository: _Repository | None = None
    changes: list[_Change] | None = None
    commits: list[Commit] | None = None
    total_commits_count: int | None = None


_KIND = msgspec.json.Decoder(_Kind)
_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    return request.has("X-Gitlab-Event")


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    if request.has(standard_webhooks.SIGNATURE):
        return standard_webhooks.verify(request, secrets)
    return verify_token(request.proof("X-Gitlab-Token"), secrets=secrets)


def _decode(request: Request) -> Decoded:
    event = required(request.label("X-Gitlab-Event"), "X-Gitlab-Event header")
    sender_id = request.label("webhook-id") or request.label("Idempotency-Key")
    text = json_text(request)
    body = decode_object(text, _KIND)
    kind = body.object_kind or body.event_name
    if event == "System Hook":
        event = required(checked_label(kind, "event_name"), "event_name")
    elif event in _KINDS and kind != _KINDS[event]:
        raise DeliveryError(
            f"X-Gitlab-Event says {event}, but the body is not a {_KINDS[event]}",
            hint="use no custom webhook template",
        )
    if event in _KINDS or event in _KINDS.values():
        pushes = (_push(decode_object(text, _BODY)),)
        return Decoded(forge="gitlab", event=event, sender_id=sender_id, pushes=pushes)
    if event == _UPDATE:
        changed = _changes(decode_object(text, _BODY))
        return decoded_pushes("gitlab", event=event, sender_id=sender_id, pushes=changed)
    ignored = f"event {event} is not a push"
    return Decoded(forge="gitlab", event=event, sender_id=sender_id, ignored=ignored)


def _changes(body: _Body) -> list[Push]:
    """All refs that a push moved, of which nothing but the ids is told."""
    if body.changes is None:
        raise DeliveryError("the body has no changes")
    return [
        _push(msgspec.structs.replace(body, ref=c.ref, before=c.before, after=c.after))
        for c in body.changes
    ]


def _push(body: _Body) -> Push:
    project, repository = body.project or _Project(), body.repository or _Repository()
    listed, total = len(body.commits or ()), body.total_commits_count
    return make_push(
        repository=required(project.path_with_namespace, "project.path_with_namespace"),
        ref=body.ref,
        before=required(body.before, "before"),
        after=body.after,
        urls=(
            project.web_url,
            project.git_ssh_url,
            project.git_http_url,
            project.url,
            project.ssh_url,
            project.http_url,
            repository.url,
            repository.git_http_url,
            repository.git_ssh_url,
        ),
        default_branch=project.default_branch,
        tagged=body.checkout_sha,
        pusher=body.user_username or body.user_name,
        commits=body.commits,
        lists_all=listed < _MOST_COMMITS if total is None else listed >= total,
    )


GITLAB = Forge(
    name="gitlab",
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    push_event=("X-Gitlab-Event", "Push Hook"),
    weakness="without a signing token it sends the secret itself, and signs nothing",
)
