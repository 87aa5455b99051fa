"""*Now*: what runs, what waits and why, and what is wrong."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from aiohttp import web
from msgspec.structs import replace

from hookrunner.adapters.store import DeliveryQuery, RunQuery
from hookrunner.core.standing import standing
from hookrunner.model import Container, MonitorState, Status, Step
from hookrunner.service.following import Output
from hookrunner.web import shapes
from hookrunner.web.api.containers import LastSteps, last_steps, listed
from hookrunner.web.api.runs import page_of_runs, visible
from hookrunner.web.health import health
from hookrunner.web.operation import Nothing
from hookrunner.web.pages import drawing, holds
from hookrunner.web.pages.lines import LineReader, Tail
from hookrunner.web.pages.looking import Look, look
from hookrunner.web.pages.refused import refused
from hookrunner.web.pages.words import KINDS
from hookrunner.web.services import Services

_TAIL = 5
"""Lines of output that are shown of what runs: enough to see that it moves."""
_TAIL_BYTES = 4096
_RECENT = 12
DAYS = 30
_NAMES = 3
"""Names of containers that have the same fault; more are a number."""
_MOST = 40
"""Things that are wrong which are shown one by one; more are a number."""


class Wrong(msgspec.Struct, frozen=True, kw_only=True):
    """Something that somebody should look at.

    Attributes:
        link: Where more of it is, relative to the page's root.
        remedy: What to do about it, or None.
    """

    kind: str
    word: str
    title: str
    reason: str
    link: str | None = None
    remedy: str | None = None
    at: datetime | None = None


class Waiting(msgspec.Struct, frozen=True):
    """A step that did not start yet."""

    step: shapes.Step
    run: shapes.Run
    why: str


@look("/")
async def now(look: Look[Nothing]) -> web.Response:
    """Show what happens now."""
    services, caller = look.services, look.caller
    live = [
        (run, seen)
        for run, steps in services.dispatcher.live()
        if (seen := visible(caller, steps)) is not None
    ]
    runs = [(services.views.run(run, steps), steps) for run, steps in live]
    running = [(run, steps) for run, steps in runs if run.status is Status.running]
    shown = await listed(services, caller)
    last = await last_steps(services)
    recent, _ = await page_of_runs(services, caller, RunQuery(limit=_RECENT, routine=False))
    today = datetime.now(UTC).date()
    counts = {}
    if caller.is_unrestricted:
        counts = await services.store.figures.run_days(today - timedelta(days=DAYS - 1))
    wrong = [
        replace(one, reason=services.views.masked(one.reason))
        for one in (*await _wrong_here(look), *_wrong_containers(services, shown, last))
    ]
    wrong.sort(key=lambda one: (one.kind, one.word, one.title))
    return await look.show(
        "now.html",
        running=[(run, await tails(services, steps)) for run, steps in running],
        waiting=list(_waiting(services, runs)),
        held=holds.shown(services, caller),
        wrong=wrong[:_MOST],
        more_wrong=max(0, len(wrong) - _MOST),
        recent=[run for run in recent if run.finished_at is not None],
        graph=drawing.days(counts, until=today, number=DAYS),
        days=DAYS,
        containers=len(shown),
        behind=sum(one.word == "behind" for one in wrong),
        sources=list(services.config.sources) if caller.is_unrestricted else [],
        has_deliveries=bool(recent or await services.store.deliveries(DeliveryQuery(limit=1))),
        has_runs=bool(recent),
    )


async def tails(services: Services, steps: Sequence[Step]) -> dict[str, list[object]]:
    """The last lines of each step that runs, by its id."""
    found: dict[str, list[object]] = {}
    for step in steps:
        if step.status is Status.running:
            tail, reader = Tail(_TAIL), LineReader()
            offset = await asyncio.to_thread(services.following.end_of, step.run)
            async for event in services.following.follow(
                step.run, offset=max(0, offset - _TAIL_BYTES), live=False
            ):
                if isinstance(event, Output) and event.step.id == step.id:
                    tail.add(reader.feed(event.piece))
            found[step.id] = [(line.stream, line.shown[-1]) for _, line in tail.lines]
    return found


def _waiting(
    services: Services, runs: Iterable[tuple[shapes.Run, list[Step]]]
) -> Iterable[Waiting]:
    for run, steps in runs:
        waits = {step.id: step for step in steps if step.status is Status.queued}
        for step in run.steps:
            if step.id in waits:
                why = services.dispatcher.why_it_waits(waits[step.id])
                yield Waiting(step, run, services.views.masked(why))


async def _wrong_here(look: Look[Nothing]) -> list[Wrong]:
    """What is wrong with what hookrunner rests on."""
    found = []
    told = await health(look.request)
    if told.store != "ok":
        found.append(Wrong(kind="bad", word="failing", title="store", reason=told.store))
    for name, engine in told.engines.items():
        if not engine.connected:
            found.append(
                Wrong(
                    kind="bad",
                    word="away",
                    title=f"engine {name}",
                    reason=engine.error or "it was not asked yet",
                    remedy=f"what is pushed waits for it; see that {engine.url} answers",
                )
            )
    if look.caller.is_unrestricted:
        found += [
            (
                Wrong(
                    kind="warn",
                    word="refused once" if one.count == 1 else f"refused {one.count} times",
                    title=f"webhook {one.last.path} from {one.last.address}",
                    reason=one.last.reason,
                    remedy=one.last.hint or "give the git server this source's secret",
                    at=one.last.at,
                )
            )
            for one in refused(look.services.refusals)
        ]
    return found


def _wrong_containers(
    services: Services, shown: Sequence[Container], last: LastSteps
) -> list[Wrong]:
    """Containers that are unwell, invalid, behind, of odd metadata, or whose last step failed.

    What is odd in the same way is told once: it comes from one image, or from one hand.
    """
    found: list[Wrong] = []
    odd: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
    for one in shown:
        step = last.get((one.engine, one.name))
        name, place = services.views.name(one.engine, one.name), f"{one.engine}/{one.name}"
        link = f"containers/{place}"
        found += _ailing(one, name, link)
        if step is not None and KINDS[step.status] == "bad":
            found.append(
                Wrong(
                    kind="bad",
                    word=step.outcome or step.status.replace("_", " "),
                    title=name,
                    reason=step.reason or f"exit code {step.exit_code}",
                    link=f"runs/{step.run}",
                    at=step.finished_at,
                )
            )
            continue
        if one.validity is not None and not one.validity.valid:
            found.append(
                Wrong(
                    kind="bad",
                    word="invalid",
                    title=name,
                    reason=one.validity.reason or "its last validation did not pass",
                    link=link,
                    at=one.validity.since,
                )
            )
        compared = standing(one, services.intake.known)
        if compared.behind:
            serves, pushed = one.current_gitref or "?", compared.pushed_gitref or "?"
            found.append(
                Wrong(
                    kind="warn",
                    word="behind",
                    title=name,
                    reason=f"serves {serves[:12]}, and {pushed[:12]} was pushed",
                    link=link,
                    at=compared.behind_since,
                )
            )
        for problem in one.metadata.problems[:3] if one.metadata is not None else ():
            odd[problem].append((name, link))
    for problem, places in odd.items():
        names = ", ".join(name for name, _ in places[:_NAMES])
        more = f" and {len(places) - _NAMES} more" if len(places) > _NAMES else ""
        at = places[0][1]
        found.append(
            Wrong(kind="warn", word="metadata", title=names + more, reason=problem, link=at)
        )
    return found


def _ailing(one: Container, name: str, link: str) -> Iterable[Wrong]:
    """What a container itself says is wrong with it."""
    told = one.monitored
    if told is not None and told.state is not MonitorState.ok:
        yield Wrong(
            kind="bad" if told.state is MonitorState.critical else "warn",
            word=told.state,
            title=name,
            reason=told.text,
            link=link,
            at=told.since,
        )


ROUTES = (now,)
