"""Who may do what, by the ids of users and channels."""

from collections.abc import Iterable

from hookrunner.config import Allow


def projects(allow: Iterable[Allow], *, user: str, channel: str, scope: str) -> str | None:
    """The pattern of the projects for which somebody has a scope; None: there are none.

    Args:
        scope: ``read`` or ``run``, which includes ``read``.
    """
    patterns = [
        pattern
        for one in allow
        if (not one.users or user in one.users)
        and (not one.channels or channel in one.channels)
        and scope in {"read", one.may}
        for pattern in one.projects
    ]
    return ",".join(dict.fromkeys(patterns)) or None
