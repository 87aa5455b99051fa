"""What a git server says happened: pushes, decoded from deliveries."""

import msgspec


class RepositoryKey(msgspec.Struct, frozen=True, order=True):
    """A repository by where it lives: what all URLs of one repository have in common.

    Attributes:
        host: Lower case, without user, port and scheme; empty for a path on this machine.
        path: Lower case, without leading slash and ``.git``: ``ops/docker_bind``.
    """

    host: str
    path: str

    def __str__(self) -> str:
        return f"{self.host}/{self.path}"


class Push(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a delivery says happened to one ref.

    Attributes:
        repository: The full name as the forge has it, such as ``ops/docker_bind``.
        urls: Every URL that the delivery gives for the repository, in the sender's order.
        default_branch: The repository's own, without ``refs/heads/``; None if not told.
        ref: The full name: ``refs/heads/main``, ``refs/tags/v1``.
        before: The commit that the ref had; None for a new ref or where it is not told.
        after: The commit that the ref has now; None for a deleted ref.
        deleted: The ref is gone.
        pusher: Login name; None if not told.
        commits: Ids of the commits that the delivery lists, in the sender's order.
        paths: The changed files; None where the delivery does not tell all of them.
    """

    repository: str
    ref: str
    urls: tuple[str, ...] = ()
    default_branch: str | None = None
    before: str | None = None
    after: str | None = None
    deleted: bool = False
    pusher: str | None = None
    commits: tuple[str, ...] = ()
    paths: tuple[str, ...] | None = None

    @property
    def branch(self) -> str | None:
        """The branch's short name, or None where the ref is no branch."""
        prefix = "refs/heads/"
        return self.ref.removeprefix(prefix) if self.ref.startswith(prefix) else None

    @property
    def tag(self) -> str | None:
        """The tag's short name, or None where the ref is no tag."""
        prefix = "refs/tags/"
        return self.ref.removeprefix(prefix) if self.ref.startswith(prefix) else None

    @property
    def is_test(self) -> bool:
        """Nothing moved: what Gitea, Forgejo and Gogs send for "Test delivery"."""
        return self.before is not None and self.before == self.after


class Decoded(msgspec.Struct, frozen=True, kw_only=True):
    """What a forge's module makes of one request.

    Attributes:
        forge: The forge's name, a key of `hookrunner.forges.FORGES`.
        event: The event as the forge calls it; empty where it does not name events.
        sender_id: The sender's id of the delivery, or None.
        pushes: One per ref.
        ignored: Why there is no push to act on, in words, or None.
    """

    forge: str
    event: str
    sender_id: str | None = None
    pushes: tuple[Push, ...] = ()
    ignored: str | None = None
