"""What was measured, as a ratio with its spread, and what was promised of it."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One thing, measured of hookrunner and of something else in the same rounds.

    Attributes:
        what: What was measured.
        against: What it is compared with.
        unit: Of both; empty where they are plain numbers.
        ours: One value a round.
        theirs: One value a round, or one for all of them; where a promise is a number and
            not a ratio this is 1.
        goal: What the ratio is to be: at most, or `at_least`.
        bound: What it must be, so that a release can be held on it.
        note: What else is to be known of it.
    """

    what: str
    against: str
    unit: str
    ours: Sequence[float]
    theirs: Sequence[float]
    goal: float
    bound: float
    at_least: bool = False
    note: str = ""

    @property
    def ratios(self) -> list[float]:
        """Ours by theirs, one a round, in order."""
        theirs = self.theirs if len(self.theirs) > 1 else [*self.theirs] * len(self.ours)
        return [mine / other for mine, other in zip(self.ours, theirs, strict=True)]

    @property
    def ratio(self) -> float:
        """The median of the rounds'."""
        return statistics.median(self.ratios)

    def keeps(self, promise: float) -> bool:
        """Whether the ratio is as good as that."""
        return self.ratio >= promise if self.at_least else self.ratio <= promise

    def row(self) -> list[str]:
        """Its line of the table."""
        is_number = tuple(self.theirs) == (1,)
        sign = "≥" if self.at_least else "≤"
        state = "ok" if self.keeps(self.goal) else "misses its goal"
        return [
            self.what,
            _amount(statistics.median(self.ours), self.unit),
            self.against,
            "" if is_number else _amount(statistics.median(self.theirs), self.unit),
            "" if is_number else f"{self.ratio:.2f}{_spread(self.ratios)}",
            f"{sign} {self.goal:g}",
            f"{sign} {self.bound:g}",
            state if self.keeps(self.bound) else "OUT OF BOUNDS",
        ]


HEAD = [
    "what",
    "hookrunner",
    "against",
    "there",
    "ratio (quartiles)",
    "goal",
    "bound",
    "",
]


def table(figures: Sequence[Figure]) -> str:
    """All of them in Markdown."""
    rows = [HEAD, ["---"] * len(HEAD), *(figure.row() for figure in figures)]
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    notes = [f"- {figure.what}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([*lines, "", *notes])


def percentile(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all is at most."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def _spread(values: Sequence[float]) -> str:
    if len(values) < 3:
        return ""
    low, _, high = statistics.quantiles(values, n=4)
    return f" ({low:.2f} to {high:.2f})"


def _amount(value: float, unit: str) -> str:
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} {unit}".rstrip()
