"""The steps that wait, in the order in which they may start.

However many they are, one is found by its id or by its line, and takes another's place, in
the same time: a push may reach thousands of containers.
"""

from collections.abc import Iterator, Mapping, ValuesView
from datetime import datetime

from hookrunner.model import Action, Step


def line_of(step: Step) -> tuple[str, str]:
    """Engine and container name: where a step waits and runs."""
    return (step.engine, step.container)


def is_due(step: Step, now: datetime) -> bool:
    """Whether a waiting step need not wait for its time."""
    return step.not_before is None or step.not_before <= now


class Waiting(Mapping[str, Step]):
    """Steps by id, in order."""

    def __init__(self) -> None:
        self._steps: dict[int, Step] = {}
        self._places: dict[str, int] = {}
        self._lines: dict[tuple[tuple[str, str], Action], list[int]] = {}
        self._last = 0

    def __getitem__(self, step_id: str) -> Step:
        return self._steps[self._places[step_id]]

    def __iter__(self) -> Iterator[str]:
        return (step.id for step in self._steps.values())

    def __len__(self) -> int:
        return len(self._steps)

    def values(self) -> ValuesView[Step]:
        """The steps in order."""
        return self._steps.values()

    def put(self, step: Step) -> None:
        """Let a step wait behind all others; one that waits already stays where it is."""
        if step.id not in self._places:
            self._last += 1
            self._places[step.id] = self._last
            self._lines.setdefault((line_of(step), step.action), []).append(self._last)
        self._steps[self._places[step.id]] = step

    def take_place(self, old: Step, new: Step) -> None:
        """Let a step wait where another one of its line did, so that nobody starves."""
        place = self._places.pop(old.id)
        self._places[new.id] = place
        self._steps[place] = new

    def remove(self, step_id: str) -> None:
        """Let a step wait no more, if it did."""
        place = self._places.pop(step_id, None)
        if place is not None:
            step = self._steps.pop(place)
            key = (line_of(step), step.action)
            self._lines[key].remove(place)
            if not self._lines[key]:
                del self._lines[key]

    def rivals(self, step: Step) -> list[Step]:
        """The steps that wait for the same action in the same container, in order."""
        places = self._lines.get((line_of(step), step.action), ())
        return [self._steps[place] for place in places]
