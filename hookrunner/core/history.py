"""What is known of each ref's past, so that older pushes are told from newer ones.

Pushes arrive out of order, twice, or go back to an earlier commit. Which one is newest is
decided by the before/after chain where it tells, else by first receipt.
"""

from collections.abc import Iterable
from datetime import datetime

import msgspec

from hookrunner.model import Monitored, Push, Validity

KEPT_PER_REF = 100
"""Pushes of one ref that are remembered; a guess: more than a container is ever behind."""


class KnownPush(msgspec.Struct, frozen=True, kw_only=True):
    """A push that hookrunner was told of, whether anything matched it or not.

    It is what "newer" and "behind" are measured against, so it outlives its delivery.

    Attributes:
        id: Sorts by first receipt.
        repository: The repository's key as text, such as ``git.example.net/ops/x``.
        ref: The full name, such as ``refs/heads/main``.
        before: The commit that the ref had; None for a new ref or where it is not told.
        after: The commit that the ref got; None for a deleted ref.
        deleted: The ref is gone.
        commits: Ids of the commits that the delivery lists, in the sender's order.
        name: The full name as the forge has it; empty where it was not kept.
        default_branch: The repository's own; None if not told.
        paths: The changed files; None where the delivery does not tell all of them.
        delivery: The id of the first delivery that told of it, or None.
    """

    id: str
    repository: str
    ref: str
    received_at: datetime
    before: str | None = None
    after: str | None = None
    deleted: bool = False
    commits: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None
    delivery: str | None = None
    name: str = ""
    default_branch: str | None = None

    def push(self) -> Push:
        """The push as a run has it that comes of it later."""
        return Push(
            repository=self.name or self.repository.partition("/")[2],
            ref=self.ref,
            before=self.before,
            after=self.after,
            deleted=self.deleted,
            commits=self.commits,
            paths=self.paths,
            default_branch=self.default_branch,
        )


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """A project that a push once found, and by which rule; a later `gitref` match uses it."""

    project: str
    repository: str
    rule: str


class ContainerState(msgspec.Struct, frozen=True, kw_only=True):
    """What hookrunner knows about a container that its engine does not.

    Attributes:
        engine: The engine's name in the configuration.
        container: The container's name.
        image_id: The image that it ran when this was learnt.
        container_id: The container that this was learnt of: another one of that name
            starts from its own build again.
        gitref: The commit that it serves; None if unknown.
        gitrefs: What it serves of each of several repositories, by key as text.
        dirty: Its last step did not succeed, so what lies on its disk is not known.
        validity: What its last validation said; None where there was none.
        monitored: How it said that it is when that last changed; None where it never did.
    """

    engine: str
    container: str
    image_id: str
    container_id: str
    gitref: str | None = None
    gitrefs: dict[str, str] = {}
    dirty: bool = False
    validity: Validity | None = None
    monitored: Monitored | None = None


class History:
    """The known pushes of every ref, oldest first."""

    def __init__(self, pushes: Iterable[KnownPush] = ()) -> None:
        self._refs: dict[tuple[str, str], list[KnownPush]] = {}
        for push in pushes:
            self.add(push)

    def add(self, push: KnownPush) -> None:
        """Put a push in its place; one that is known already stays where it is."""
        known = self._refs.setdefault((push.repository, push.ref), [])
        if any(other.id == push.id for other in known):
            return
        known[:] = _join(known, push)
        known.insert(_place(known, push), push)
        del known[:-KEPT_PER_REF]

    def refs(self, repository: str) -> list[str]:
        """The refs of a repository that pushes are known of."""
        return [ref for of, ref in self._refs if of == repository]

    def of(self, repository: str, ref: str) -> list[KnownPush]:
        """The known pushes of one ref, oldest first."""
        return self._refs.get((repository, ref), [])

    def serves(self, gitref: str | None, repository: str, ref: str, after: str | None) -> bool:
        """Tell whether a container with this gitref serves a push.

        It does if the gitref is the push's `after`, or the `after` or a commit of a newer
        push of the ref. Where `after` was pushed more than once, the newest counts.
        """
        if gitref is None or after is None:
            return False
        if gitref == after:
            return True
        known = self.of(repository, ref)
        place = _last_to(known, after)
        newer = known[place + 1 :] if place >= 0 else []
        return any(gitref == push.after or gitref in push.commits for push in newer)

    def is_older(self, repository: str, ref: str, after: str | None, than: str | None) -> bool:
        """Tell whether the push to `after` came before the push to `than`.

        Where one of them is not known it cannot be told, and the answer is no.
        """
        known = self.of(repository, ref)
        return -1 < _last_to(known, after) < _last_to(known, than)


def known_push(push: Push, *, key: str, push_id: str, delivery: str, at: datetime) -> KnownPush:
    """Make what is remembered of a push.

    Args:
        key: The repository's, as text.
        push_id: Sorts by first receipt; a redelivery's is that of the first.
        at: When it was first received.
    """
    return KnownPush(
        id=push_id,
        repository=key,
        ref=push.ref,
        received_at=at,
        before=push.before,
        after=push.after,
        deleted=push.deleted,
        commits=push.commits,
        paths=push.paths,
        delivery=delivery,
        name=push.repository,
        default_branch=push.default_branch,
    )


def _last_to(known: list[KnownPush], after: str | None) -> int:
    """The place of the newest push to a commit, mostly one of the last; -1 if none is known."""
    return next((n for n in range(len(known) - 1, -1, -1) if known[n].after == after), -1)


def _place(known: list[KnownPush], push: KnownPush) -> int:
    """Find where a push belongs: at the end, unless the chain says that it came late."""
    if not known or push.before == known[-1].after:
        return len(known)
    place = _follower(known, push)
    return len(known) if place is None else place


def _follower(known: list[KnownPush], push: KnownPush) -> int | None:
    """The place of the push that goes on from this one, where no other leads to it."""
    if push.after is None:
        return None
    for place in range(len(known) - 1, -1, -1):
        if known[place].before == push.after and not _is_linked(known, place):
            return place
    return None


def _is_linked(known: list[KnownPush], place: int) -> bool:
    """Whether a push goes on from the one in front of it."""
    before = known[place].before
    return bool(place) and before is not None and known[place - 1].after == before


def _join(known: list[KnownPush], push: KnownPush) -> list[KnownPush]:
    """Put the chain that a push ends before the chain that goes on from it.

    Where three pushes arrive as third, first, second, only the second tells that the first
    is not the newest.
    """
    place = _follower(known, push)
    if place is None or push.before is None or known[-1].after != push.before:
        return known
    start = len(known) - 1
    while _is_linked(known, start):
        start -= 1
    if start <= place:  # the ref went back to where it was
        return known
    return [*known[:place], *known[start:], *known[place:start]]
