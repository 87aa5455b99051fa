"""From the fields that most forges share to a checked `hookrunner.model.Push`.

Forges differ in where a field is; what may be in it is decided here, once.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from hookrunner.errors import DeliveryError
from hookrunner.model import Decoded, Push

_LONGEST = 1024
"""Characters of a ref or a repository's name: a guess, forges allow 255 for a part of it."""

_COMMIT_ID = re.compile(r"[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?")
_REF = re.compile(r"refs/[^\x00-\x20\x7f-\x9f\s~^:?*\[\\]+")
"""What git allows, without Unicode's spaces and controls, which no log should show.

Source: https://git-scm.com/docs/git-check-ref-format
"""

_USER = re.compile(r"(?<=://)(?!git@)[^/\s]*@")
"""A user in a URL, often with a password: it names no repository, and need not be kept.
``git`` is everybody's."""

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class Commit(msgspec.Struct):
    """A commit as GitHub, GitLab, the Gitea family and the generic form list it."""

    id: str | None = None
    added: list[str] | None = None
    modified: list[str] | None = None
    removed: list[str] | None = None


def required(value: str | None, field: str) -> str:
    """Return a field that has to be there.

    Raises:
        DeliveryError: It is missing, null or empty.
    """
    if not value:
        raise DeliveryError(f"the body has no {field}")
    return value


def commit_id(text: str, field: str) -> str | None:
    """Read the id of a commit; zeros mean that there is none.

    SHA-1 repositories have 40 digits, SHA-256 ones 64, in the zeros too.

    Raises:
        DeliveryError: It is no such id.
    """
    if not _COMMIT_ID.fullmatch(text):
        raise DeliveryError(f"{field} is not 40 or 64 hexadecimal digits")
    return text.lower() if text.strip("0") else None


def make_push(
    *,
    repository: str,
    ref: str | None,
    before: str | None,
    after: str | None,
    urls: Iterable[str | None] = (),
    default_branch: str | None = None,
    tagged: str | None = None,
    deleted: bool = False,
    forced: bool = False,
    pusher: str | None = None,
    commits: Sequence[Commit] | None = None,
    lists_all: bool = True,
) -> Push:
    """Check what a forge says of one ref, and make a push of it.

    Args:
        repository: The full name.
        ref: The full name.
        before: The id that the ref had, zeros for none; None where it is not told.
        after: The id that the ref has, zeros for none.
        urls: Clone and web URLs in the sender's order; users in them, and empty and repeated
            ones fall away.
        default_branch: Short or full.
        tagged: The commit that the ref comes to. A tag's `after` is the id of the tag
            object where the tag is annotated, which no checkout ever has.
        deleted: The forge says that the ref is gone.
        forced: The forge says that commits were thrown away.
        pusher: The login name.
        commits: The commits that the delivery lists.
        lists_all: `commits` was not cut short.

    Raises:
        DeliveryError: A field is missing, or not what it should be.
    """
    if len(repository) > _LONGEST or _UNPRINTABLE.search(repository):
        raise DeliveryError("the repository's name is too long or not printable")
    ref = _checked_ref(required(ref, "ref"))
    old = commit_id(before, "before") if before is not None else None
    new = commit_id(required(after, "after"), "after")
    gone = deleted or new is None
    if tagged and not gone and ref.startswith("refs/tags/"):
        new = commit_id(tagged, "the tag's commit")
    told = lists_all and not forced and not gone and old is not None
    return Push(
        repository=repository,
        ref=ref,
        urls=tuple(dict.fromkeys(_USER.sub("", url) for url in urls if url)),
        default_branch=(default_branch or "").removeprefix("refs/heads/") or None,
        before=old,
        after=None if gone else new,
        deleted=gone,
        pusher=pusher or None,
        commits=tuple(_commit_ids(commits or ())),
        paths=_changed_paths(commits or ()) if told else None,
    )


def decoded_pushes(
    forge: str, *, event: str, sender_id: str | None, pushes: Sequence[Push]
) -> Decoded:
    """What a delivery comes to that tells of any number of refs."""
    return Decoded(
        forge=forge,
        event=event,
        sender_id=sender_id,
        pushes=tuple(pushes),
        ignored=None if pushes else "it says that no ref was pushed",
    )


def _checked_ref(ref: str) -> str:
    if len(ref) > _LONGEST or not _REF.fullmatch(ref) or ".." in ref or ref.endswith("/"):
        raise DeliveryError("ref is not the full name of a ref, such as refs/heads/main")
    return ref


def _commit_ids(commits: Iterable[Commit]) -> Iterable[str]:
    for commit in commits:
        if commit.id and _COMMIT_ID.fullmatch(commit.id) and commit.id.strip("0"):
            yield commit.id.lower()


def _changed_paths(commits: Sequence[Commit]) -> tuple[str, ...] | None:
    """None where it is not told: no commits (the ref went back), or one without its paths.

    In one commit, null beside a list is an empty list (Gitea), but nothing but nulls is not.
    """
    paths: set[str] = set()
    for commit in commits:
        lists = (commit.added, commit.modified, commit.removed)
        if all(names is None for names in lists):
            return None
        paths.update(name for names in lists for name in names or ())
    return tuple(sorted(paths)) if commits else None
