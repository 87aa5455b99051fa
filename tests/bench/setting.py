"""What all lines have: a place, an engine, and how thorough they are to be."""

from dataclasses import dataclass
from pathlib import Path

from bench.engine import RawEngine


@dataclass(frozen=True)
class Bench:
    """Where and how to measure.

    Attributes:
        work: A directory of this run's own.
        is_quick: Fewer rounds, smaller amounts.
        engine: The engine by hand.
    """

    work: Path
    is_quick: bool
    engine: RawEngine

    def amount(self, whole: int, quick: int) -> int:
        """How many of something."""
        return quick if self.is_quick else whole
