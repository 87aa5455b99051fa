"""Whoever makes a request, and what they may see and touch."""

from aiohttp import web
from msgspec import Struct

from hookrunner.core.tokens import SCOPES, reaches, reaches_all
from hookrunner.model import Container


class Caller(Struct, frozen=True, kw_only=True):
    """Whoever makes a request.

    Attributes:
        name: As it is recorded: ``token NAME``, ``user NAME``.
        project: The pattern of the projects that they may see and touch.
        token: Its id, or None over the control socket.
    """

    name: str
    scopes: frozenset[str]
    project: str = "*"
    token: str | None = None

    @property
    def is_unrestricted(self) -> bool:
        """Whether the caller may see and touch everything."""
        return reaches_all(self.project)

    def may_reach(self, project: str) -> bool:
        """Whether the caller may see and touch a project's containers."""
        return reaches(self.project, project)

    def may_touch(self, container: Container) -> bool:
        """Whether the caller may see and touch a container."""
        return self.may_reach(container.project)


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
"""Who makes the request, once that is known."""


def widened(scopes: frozenset[str]) -> frozenset[str]:
    """Add what a scope includes."""
    highest = max((SCOPES.index(scope) for scope in scopes if scope in SCOPES), default=-1)
    return frozenset(SCOPES[: highest + 1])
