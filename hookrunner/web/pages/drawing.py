"""Small graphs as SVG: drawn here, without styles in them, so that one look fits all."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

from markupsafe import Markup

from hookrunner.model import Status
from hookrunner.web import shapes
from hookrunner.web.pages.words import KINDS, length, plain

_HEIGHT = 56
_BAR, _GAP = 10, 2


def days(counts: Mapping[date, Mapping[Status, int]], *, until: date, number: int) -> Markup:
    """Runs of each day by result, a bar a day: failed below, so that they start at the line."""
    shown = [until - timedelta(days=number - 1 - place) for place in range(number)]
    sums = [_by_kind(counts.get(day, {})) for day in shown]
    most = max((sum(one.values()) for one in sums), default=0)
    if not most:
        return Markup()
    bars = []
    for place, (day, kinds) in enumerate(zip(shown, sums, strict=True)):
        told = ", ".join(
            f"{kinds[kind]} {word}" for kind, word in _WORDS.items() if kinds.get(kind)
        )
        parts, top = [], float(_HEIGHT)
        for kind in _WORDS:
            high = kinds.get(kind, 0) / most * (_HEIGHT - 2)
            if high:
                high = max(high, 1.5)
                top -= high
                parts.append(_box(kind, place * (_BAR + _GAP), top, _BAR, high))
        title = Markup("<title>{}: {}</title>").format(day.isoformat(), told or "nothing ran")
        hit = _box("hit", place * (_BAR + _GAP), 0, _BAR + _GAP, _HEIGHT)
        bars.append(Markup("<g>{}{}{}</g>").format(title, hit, Markup().join(parts)))
    bad = sum(one.get("bad", 0) for one in sums)
    every = sum(sum(one.values()) for one in sums)
    label = f"Runs per day of the last {number} days: {every} in all, {bad} failed"
    return _svg("days", number * (_BAR + _GAP), _HEIGHT, label, bars)


_WORDS = {"bad": "failed", "ok": "succeeded", "off": "cancelled or superseded", "wait": "open"}


def _by_kind(counts: Mapping[Status, int]) -> dict[str, int]:
    found: dict[str, int] = {}
    for status, count in counts.items():
        kind = {"run": "wait"}.get(KINDS[status], KINDS[status])
        found[kind] = found.get(kind, 0) + count
    return found


def phases(steps: Sequence[shapes.Step]) -> Markup:
    """How long each phase took, step by step from left (oldest) to right."""
    shown = [step for step in reversed(steps) if step.seconds is not None]
    longest = max((step.seconds or 0.0 for step in shown), default=0.0)
    if len(shown) < 2 or not longest:  # noqa: PLR2004 - one bar compares with nothing
        return Markup()
    titles = list(dict.fromkeys(phase.title for step in shown for phase in step.phases))
    bars = []
    for place, step in enumerate(shown):
        top, parts = float(_HEIGHT), []
        named = sum(phase.seconds or 0.0 for phase in step.phases)
        rest = max(0.0, (step.seconds or 0.0) - named)
        for kind, took in [
            ("p0", rest),
            *((f"p{1 + titles.index(p.title) % 6}", p.seconds or 0.0) for p in step.phases),
        ]:
            high = took / longest * (_HEIGHT - 2)
            top -= high
            if high > 0.2:  # noqa: PLR2004 - less cannot be seen
                parts.append(_box(kind, place * (_BAR + _GAP), top, _BAR, high))
        told = ", ".join(f"{p.title} {length(p.seconds)}" for p in step.phases)
        took_all = f"{_exact(step.created_at)}, {step.status}: {length(step.seconds)}"
        title = Markup("<title>{}</title>").format(
            plain(f"{took_all}; {told}" if told else took_all)
        )
        bad = KINDS[step.status] == "bad"
        foot = _box("bad", place * (_BAR + _GAP), _HEIGHT + 2, _BAR, 3) if bad else ""
        bars.append(Markup("<g>{}{}{}</g>").format(title, Markup().join(parts), foot))
    label = (
        f"How long the last {len(shown)} steps took, by phase; the longest {length(longest)}"
    )
    return _svg("phases", len(shown) * (_BAR + _GAP), _HEIGHT + 5, label, bars)


_WIDE, _ROW = 720, 22


def timeline(run: shapes.Run, now: datetime) -> Markup:
    """Steps of a run against time, a row each, with their phases."""
    steps = [step for step in run.steps if step.started_at is not None]
    if not steps:
        return Markup()
    start = run.created_at
    end = run.finished_at or now
    whole = max((end - start).total_seconds(), 0.001)

    def across(at: datetime) -> float:
        return min(max((at - start).total_seconds() / whole, 0.0), 1.0) * _WIDE

    rows = []
    for place, step in enumerate(steps):
        began, ended = step.started_at or start, step.finished_at or end
        left, right, top = across(began), across(ended), place * _ROW + 3
        kind = KINDS[step.status]
        parts = [_box(f"whole {kind}", left, top, max(right - left, 2.0), _ROW - 8)]
        for number, phase in enumerate(step.phases):
            at = across(phase.started_at)
            wide = (phase.seconds or (ended - phase.started_at).total_seconds()) / whole * _WIDE
            title = Markup("<title>{}</title>").format(
                plain(f"{phase.title} {length(phase.seconds)}")
            )
            box = _box(f"phase {kind} n{number % 2}", at, top, max(wide, 1.0), _ROW - 8)
            parts.append(Markup("<g>{}{}</g>").format(title, box))
        waits = across(step.created_at)
        wait = _box("waited", waits, top + 6, max(left - waits, 0.0), 2)
        rows.append(wait + Markup().join(parts))
    label = f"Timeline of {len(steps)} steps in {length(whole)}"
    return _svg("timeline", _WIDE, len(steps) * _ROW, label, rows)


def _exact(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M UTC")


def _box(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, round(x, 1), round(y, 1), round(width, 1), round(height, 1)
    )


def _svg(kind: str, width: float, height: float, label: str, parts: Sequence[Markup]) -> Markup:
    return Markup(
        '<svg class="graph {}" viewBox="0 0 {} {}" preserveAspectRatio="xMinYMax meet"'
        ' role="img" aria-label="{}">{}</svg>'
    ).format(kind, width, height, label, Markup().join(parts))
