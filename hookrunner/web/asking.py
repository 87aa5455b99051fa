"""What every request has that was let in and understood, at the API and at the page."""

from typing import Generic, TypeVar

import msgspec
from aiohttp import web

from hookrunner.web.caller import Caller
from hookrunner.web.services import SERVICES, Services

Q = TypeVar("Q", bound=msgspec.Struct)


class Asking(Generic[Q]):
    """A request that was let in and understood.

    Attributes:
        caller: Who asks; has what it takes.
        query: What stands behind the question mark.
    """

    def __init__(self, request: web.Request, caller: Caller, query: Q) -> None:
        self.request = request
        self.caller = caller
        self.query = query

    @property
    def services(self) -> Services:
        """What the handlers of requests work with."""
        return self.request.app[SERVICES]

    @property
    def id(self) -> str:
        """The last part of the path that names something."""
        return self.request.match_info["id"]
