"""The generic delivery, for whatever is no forge: a post-receive hook, a script, curl.

It is a subset of GitHub's push, and brings its id in the body, where it is signed.
"""

from collections.abc import Sequence

import msgspec

from hookrunner.forges.body import decode_object, json_text
from hookrunner.forges.forge import Forge
from hookrunner.forges.push import Commit, make_push, required
from hookrunner.forges.request import Request, checked_label
from hookrunner.forges.signature import verify_hmac_sha256
from hookrunner.model import Decoded, Push


class _Repository(msgspec.Struct):
    full_name: str | None = None
    clone_url: str | None = None
    default_branch: str | None = None


class _Pusher(msgspec.Struct):
    name: str | None = None


class Body(msgspec.Struct):
    """A generic delivery."""

    delivery: str | None = None
    ref: str | None = None
    before: str | None = None
    after: str | None = None
    repository: _Repository | None = None
    pusher: _Pusher | None = None
    commits: list[Commit] | None = None
    head_commit: Commit | None = None


BODY = msgspec.json.Decoder(Body)


def _recognises(request: Request) -> bool:
    return request.has("X-Hub-Signature-256")


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    return verify_hmac_sha256(
        request.body,
        claimed=request.proof("X-Hub-Signature-256"),
        secrets=secrets,
        prefix=b"sha256=",
    )


def _decode(request: Request) -> Decoded:
    body = decode_object(json_text(request), BODY)
    sender_id = checked_label(body.delivery, "delivery")
    return Decoded(forge="generic", event="push", sender_id=sender_id, pushes=(push(body),))


def push(body: Body) -> Push:
    """Make a push of a generic delivery.

    Raises:
        DeliveryError: A field is missing, or not what it should be.
    """
    repository = body.repository or _Repository()
    return make_push(
        repository=required(repository.full_name, "repository.full_name"),
        ref=body.ref,
        before=body.before,
        after=body.after,
        urls=(repository.clone_url,),
        default_branch=repository.default_branch,
        pusher=body.pusher.name if body.pusher else None,
        tagged=body.head_commit.id if body.head_commit else None,
        commits=body.commits,
    )


GENERIC = Forge(name="generic", recognises=_recognises, verify=_verify, decode=_decode)
