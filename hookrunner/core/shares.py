"""Who holds how much of something scarce, and who has to let go of it."""

from collections.abc import Hashable
from typing import Generic, TypeVar

T = TypeVar("T", bound=Hashable)


class Shares(Generic[T]):
    """Things of a size each, by their owner, oldest first.

    Where there is too much, the owner who holds most loses the oldest of what may be taken.
    So whoever takes a lot takes it from themselves, and somebody else with little keeps it.
    """

    def __init__(self) -> None:
        self.total = 0
        self._sizes: dict[str, dict[T, int]] = {}
        self._held: dict[str, int] = {}
        self._kept: set[T] = set()

    def grow(self, owner: str, thing: T, size: int) -> None:
        """Add to a thing's size; one that is not there yet is new."""
        things = self._sizes.setdefault(owner, {})
        things[thing] = things.get(thing, 0) + size
        self._held[owner] = self._held.get(owner, 0) + size
        self.total += size

    def keep(self, thing: T) -> None:
        """From now on a thing may not be taken."""
        self._kept.add(thing)

    def unkeep(self, thing: T) -> None:
        """A thing may be taken again."""
        self._kept.discard(thing)

    def drop(self, owner: str, thing: T) -> None:
        """A thing is gone; it may have been already."""
        self._kept.discard(thing)
        things = self._sizes.get(owner, {})
        size = things.pop(thing, 0)
        self.total -= size
        self._held[owner] = self._held.get(owner, 0) - size
        if not things:
            self._sizes.pop(owner, None)
            del self._held[owner]

    def victim(self) -> tuple[str, T] | None:
        """Who has to let go of what; None where nothing may be taken."""
        for owner in sorted(self._held, key=lambda one: -self._held[one]):
            for thing in self._sizes[owner]:
                if thing not in self._kept:
                    return owner, thing
        return None
