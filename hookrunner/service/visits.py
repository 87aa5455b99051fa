"""Who is in a container to ask something while no step runs there: no step starts meanwhile."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from hookrunner.core.inventory import ContainerKey
from hookrunner.model import Container

_PATIENCE = 1.0
"""Seconds that a step waits for a visit's end: an exec takes 0.06, a method a little more."""
_COURTESY = 5.0
"""Seconds in which nobody goes in where a step waited: until then it has begun, or something
else keeps it."""


class Visits:
    """The visits that go on, at most one in each container.

    Args:
        on_free: Called when one ends.
    """

    def __init__(self, on_free: Callable[[], None]) -> None:
        self._on_free = on_free
        self._deadlines: dict[ContainerKey, asyncio.Timeout] = {}
        self._wanted: dict[ContainerKey, float] = {}

    def may_go_in(self, container: Container) -> bool:
        """Whether nobody is in a container, and no step waits for it."""
        key = (container.engine, container.id)
        return key not in self._deadlines and not self.is_wanted(container)

    def is_wanted(self, container: Container) -> bool:
        """Whether a step waits for a visit's end, or just did."""
        key = (container.engine, container.id)
        if self._wanted.get(key, 0.0) > asyncio.get_running_loop().time():
            return True
        self._wanted.pop(key, None)
        return False

    @contextmanager
    def visit(self, container: Container, deadline: asyncio.Timeout) -> Iterator[None]:
        """Be in a container.

        Args:
            deadline: Ends the visit; brought forward where a step waits for it.
        """
        key = (container.engine, container.id)
        self._deadlines[key] = deadline
        try:
            yield
        finally:
            del self._deadlines[key]
            self._on_free()

    def make_way(self, container: Container) -> bool:
        """Tell whether nobody is in a container; who is, leaves soon."""
        key = (container.engine, container.id)
        deadline = self._deadlines.get(key)
        if deadline is None:
            return True
        now = asyncio.get_running_loop().time()
        self._wanted[key] = now + _COURTESY
        when = deadline.when()
        if when is None or when > now + _PATIENCE:
            with suppress(RuntimeError):  # it is at its end already
                deadline.reschedule(now + _PATIENCE)
        return False
