"""Azure DevOps Services and Server: service hooks of the kind "Web Hooks".

It signs nothing and names its event only in the body. What proves the sender is the
password of the subscription's Basic authentication, or the secret in the path. One delivery
tells of every ref that a push moved; commits come without their paths.

Source:
    https://learn.microsoft.com/en-us/azure/devops/service-hooks/services/webhooks
    https://learn.microsoft.com/en-us/azure/devops/service-hooks/events#code-pushed
"""

from collections.abc import Sequence

import msgspec

from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, decoded_pushes, make_push, required
from hookrunner.forges.request import Request, checked_label
from hookrunner.forges.signature import basic_password, verify_token
from hookrunner.model import Decoded, Push

_NAME = "azure-devops"
_PUSH = "git.push"


class _Project(msgspec.Struct):
    name: str | None = None


class _Repository(msgspec.Struct):
    name: str | None = None
    project: _Project | None = None
    default_branch: str | None = msgspec.field(default=None, name="defaultBranch")
    remote_url: str | None = msgspec.field(default=None, name="remoteUrl")
    ssh_url: str | None = msgspec.field(default=None, name="sshUrl")
    web_url: str | None = msgspec.field(default=None, name="webUrl")


class _RefUpdate(msgspec.Struct):
    name: str | None = None
    before: str | None = msgspec.field(default=None, name="oldObjectId")
    after: str | None = msgspec.field(default=None, name="newObjectId")


class _Commit(msgspec.Struct):
    id: str | None = msgspec.field(default=None, name="commitId")


class _Pusher(msgspec.Struct):
    unique_name: str | None = msgspec.field(default=None, name="uniqueName")
    display_name: str | None = msgspec.field(default=None, name="displayName")


class _Resource(msgspec.Struct):
    repository: _Repository | None = None
    ref_updates: list[_RefUpdate] | None = msgspec.field(default=None, name="refUpdates")
    commits: list[_Commit] | None = None
    pusher: _Pusher | None = msgspec.field(default=None, name="pushedBy")


class _Kind(msgspec.Struct):
    id: str | None = None
    event: str | None = msgspec.field(default=None, name="eventType")
    subscription: str | None = msgspec.field(default=None, name="subscriptionId")


class _Body(msgspec.Struct):
    resource: _Resource | None = None


_KIND = msgspec.json.Decoder(_Kind)
_BODY = msgspec.json.Decoder(_Body)


def _recognises(request: Request) -> bool:
    """Nothing names it; of those that send a password it is the last to be asked."""
    return request.has("Authorization")


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    if request.has("Authorization"):
        claimed = basic_password(request.proof("Authorization"))
    else:
        claimed = request.proof_in_path()
    return verify_token(claimed, secrets=secrets)


def _decode(request: Request) -> Decoded:
    text = json_text(request)
    kind = decode_object(text, _KIND)
    event = required(checked_label(kind.event, "eventType"), "eventType")
    sender_id = checked_label(kind.id, "id")
    ignored = None
    pushes: list[Push] = []
    if event != _PUSH:
        ignored = f"event {event} is not a push"
    elif kind.subscription and not kind.subscription.strip("0-"):
        ignored = "a test: Azure DevOps reaches hookrunner, and the secret fits"
    else:
        resource = decode_object(text, _BODY).resource or _Resource()
        if resource.ref_updates is None:
            ignored = (
                "it does not say what was pushed: set the subscription's"
                ' "Resource details to send" to All'
            )
        pushes = [_read(resource, update) for update in resource.ref_updates or ()]
    if ignored is None:
        return decoded_pushes(_NAME, event=event, sender_id=sender_id, pushes=pushes)
    return Decoded(forge=_NAME, event=event, sender_id=sender_id, ignored=ignored)


def _read(resource: _Resource, update: _RefUpdate) -> Push:
    repository = resource.repository or _Repository()
    pusher = resource.pusher or _Pusher()
    project = repository.project or _Project()
    owner = required(project.name, "resource.repository.project.name")
    is_alone = len(resource.ref_updates or ()) == 1
    return make_push(
        repository=f"{owner}/{required(repository.name, 'resource.repository.name')}",
        ref=update.name,
        before=required(update.before, "oldObjectId"),
        after=update.after,
        urls=(repository.remote_url, repository.ssh_url, repository.web_url),
        default_branch=repository.default_branch,
        pusher=pusher.unique_name or pusher.display_name,
        commits=[Commit(id=c.id) for c in resource.commits or ()] if is_alone else None,
    )


AZURE_DEVOPS = Forge(
    name=_NAME,
    recognises=_recognises,
    verify=_verify,
    decode=_decode,
    weakness="it sends the secret itself, and signs neither the body nor the time",
)
