"""What is said to each command of a chat."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime

from msgspec import Struct

from hookrunner.adapters.store import DeliveryQuery, RunQuery
from hookrunner.chat import Asked, Platform
from hookrunner.chat.commands import HELP, Command
from hookrunner.chat.message import Message
from hookrunner.chat.rights import projects
from hookrunner.config import Allow
from hookrunner.core.outcome import FAILURES
from hookrunner.core.repository import parse_repository_url
from hookrunner.core.selection import (
    NothingMatchedError,
    Selector,
    select,
    written_selector,
)
from hookrunner.errors import HookrunnerError, NotFoundError
from hookrunner.model import Action, Delivery, PushReceipt, Status, Step, Trigger
from hookrunner.service.following import Result
from hookrunner.web import shapes
from hookrunner.web.api.containers import last_steps, listed, view
from hookrunner.web.api.deliveries import visible as visible_delivery
from hookrunner.web.api.explain import explained
from hookrunner.web.api.runs import page_of_runs, visible
from hookrunner.web.caller import Caller, widened
from hookrunner.web.pages.words import relative
from hookrunner.web.rendering import TextRendering
from hookrunner.web.services import Services
from hookrunner.web.views import summary

_NOUNS = {Action.update: "the update", Action.validate: "the validation"}
_RUNS = 10
"""Runs that are listed."""
_TAIL = 15
"""Lines of output that the end of a run that failed shows: the reason is among the last."""
_LINES = 400
"""Lines of output that are kept for `logs`; no platform takes as many."""
_READ = 128 * 2**10
"""Bytes at the end of a run's record that are looked at, and of a line that has no end."""
_DIGITS = 7
"""Digits of a commit's id."""
_NEAR = 5
"""Verdicts that are told where nothing matched."""


class Said(Struct, frozen=True):
    """What is said at once, and what later.

    Attributes:
        then: Waits for the run's end and says how it ended; None: there is nothing more.
    """

    message: Message
    then: Callable[[], Awaitable[Message]] | None = None


class Talk:
    """One command of somebody, and the answer.

    Args:
        allow: The platform's rules.
    """

    def __init__(
        self, services: Services, platform: Platform, asked: Asked, allow: Sequence[Allow]
    ) -> None:
        self._services = services
        self._platform = platform
        self._asked = asked
        self._allow = allow

    def caller(self, scope: str) -> Caller | None:
        """Who asks, as far as they have a scope; None where they have it for no project."""
        asked = self._asked
        pattern = projects(self._allow, user=asked.user, channel=asked.channel, scope=scope)
        if pattern is None:
            return None
        return Caller(
            name=f"{self._platform.name} {asked.user}",
            scopes=widened(frozenset({scope})),
            project=pattern,
        )

    async def answer(self, command: Command) -> Said:
        """Do what a command says, as far as whoever asks may."""
        scope = "run" if command.starts_run else "read"
        caller = self.caller(scope)
        if caller is None:
            return Said(self._refusal(scope))
        try:
            match command.verb:
                case "update" | "validate":
                    return await self._start(command, caller)
                case "status":
                    return Said(await self._status(command, caller))
                case "runs":
                    return Said(await self._runs(caller))
                case "logs":
                    return Said(await self._logs(command, caller))
                case "why":
                    return Said(await self._why(command, caller))
        except NothingMatchedError as error:
            near = [f"{one.container}: {one.reason}" for one in error.verdicts[:_NEAR]]
            return Said(Message(prose=[f"No: {error}.", *near]))
        except HookrunnerError as error:
            return Said(Message(prose=[f"No: {error}.", *([error.hint] if error.hint else [])]))
        wrong = [f"I do not understand that: {command.mistake}"] if command.mistake else []
        return Said(Message(prose=[*wrong, "I know these commands:"], block=HELP))

    def _refusal(self, scope: str) -> Message:
        """Say who may change what somebody may do, and the ids that this takes."""
        asked, what = self._asked, "do that" if scope == "run" else "ask me anything"
        said = (
            f"You may not {what} here. Whoever looks after hookrunner can let you: your id is"
            f" {asked.user}, this channel's {asked.channel}. In the configuration:"
        )
        return Message(
            prose=[said],
            block=[
                "chat:",
                f"  {self._platform.name}:",
                "    allow:",
                f'      - users: ["{asked.user}"]',
                f'        channels: ["{asked.channel}"]',
                f"        may: {scope}",
                '        projects: ["NAME"]',
            ],
        )

    async def _start(self, command: Command, caller: Caller) -> Said:
        services, asked = self._services, self._asked
        action = Action(command.verb)
        selector = written_selector(command.about)
        await services.settled()
        run = await asyncio.shield(
            services.intake.request(
                selector,
                action,
                force=False,
                reason=command.reason or None,
                requested_by=f"{caller.name} ({asked.name})" if asked.name else caller.name,
                may_reach=caller.may_touch,
                trigger=Trigger.chat,
            )
        )
        found, steps = await services.following.find(run.id)
        names = dict.fromkeys(services.views.name(one.engine, one.container) for one in steps)
        said = f"Run {run.id}: {_NOUNS[action]} of {', '.join(names)}"
        if found.status is Status.superseded:
            said += " is what another run that waits will do too."
        elif found.finished_at is None:
            said += " is under way."
        else:
            return Said(await self._ended(run.id))
        message = Message(prose=[said], link=self._link(run.id), is_public=True, run=run.id)
        return Said(message, lambda: self._ended(run.id))

    async def _ended(self, run_id: str) -> Message:
        """Wait for a run's end, and say what became of it; where it failed, the last lines."""
        lines, result = await self._printed(run_id, live=True, most=_TAIL)
        if result is None:
            raise NotFoundError(f"run {run_id} is gone")
        views = self._services.views
        prose = [
            f"Run {run_id} {summary(result.run, result.steps)}.",
            *(
                f"{views.name(step.engine, step.container)} {_end(step)}"
                for step in result.steps
                if step.reason and step.status not in {Status.succeeded, Status.superseded}
            ),
            *(
                f"Run {run.id} took its place: {views.name(step.engine, step.container)}"
                f" {_end(step)}"
                for run, step in result.ran_instead
            ),
        ]
        return Message(
            prose=prose,
            block=lines if result.run.status is Status.failed else (),
            keeps_end=True,
            link=self._link(run_id),
            is_public=True,
            run=run_id,
        )

    async def _printed(
        self, run_id: str, *, live: bool, most: int
    ) -> tuple[list[str], Result | None]:
        """The last lines of what a run printed, and its end.

        Args:
            live: Wait for it.
        """
        following = self._services.following
        _, steps = await following.find(run_id)
        end = await asyncio.to_thread(following.end_of, run_id)
        rendering = TextRendering(self._services.views, steps)
        kept: deque[str] = deque(maxlen=most)
        rest, result = "", None
        async for event in following.follow(run_id, offset=max(end - _READ, 0), live=live):
            if isinstance(event, Result):
                result = event
                continue
            *lines, rest = (rest + rendering.render(event).decode()).split("\n")
            rest = rest[-_READ:]
            kept.extend(line for line in lines if line.strip())
        if rest.strip():
            kept.append(rest)
        return list(kept)[-most:], result

    async def _status(self, command: Command, caller: Caller) -> Message:
        services = self._services
        if command.about:
            found, near = select(
                services.inventory,
                written_selector(command.about),
                services.intake.known,
                may_reach=caller.may_touch,
            )
            if not found:
                raise NothingMatchedError(f"nothing that runs matches {command.about}", near)
        else:
            found = await listed(services, caller)
        last = await last_steps(services)
        shown = [view(services, one, last, whole=False) for one in found]
        shown.sort(key=lambda one: not _is_odd(one))
        odd = sum(map(_is_odd, shown))
        noun = "container" if len(shown) == 1 else "containers"
        said = f"{len(shown)} {noun}, {f'{odd} to look at' if odd else 'all is well'}."
        if not shown:
            said = "No container is known that is yours to see."
        return Message(prose=[said], block=_columns([_standing(one) for one in shown]))

    async def _runs(self, caller: Caller) -> Message:
        items, _ = await page_of_runs(self._services, caller, RunQuery(limit=_RUNS))
        if not items:
            return Message(prose=["There was no run yet that is yours to see."])
        rows = [
            (one.id, _ago(one.created_at), str(one.trigger), _what(one), str(one.status))
            for one in items
        ]
        return Message(prose=["The last runs:"], block=_columns(rows))

    async def _logs(self, command: Command, caller: Caller) -> Message:
        run_id = command.about.lower()
        run, steps = await self._services.following.find(run_id)
        seen = visible(caller, steps)
        if seen is None or len(seen) != len(steps):
            raise NotFoundError(f"there is no run {run_id}, or not all of it is yours to see")
        lines, _ = await self._printed(run_id, live=False, most=_LINES)
        end = summary(run, steps) if run.finished_at is not None else f"is {run.status}"
        printed = "" if lines else " It printed nothing."
        return Message(
            prose=[f"Run {run_id} {end}.{printed}"],
            block=lines,
            keeps_end=True,
            link=self._link(run_id),
            run=run_id,
        )

    async def _why(self, command: Command, caller: Caller) -> Message:
        """What the last push of a repository reaches as things are now."""
        services = self._services
        key = parse_repository_url(command.about)
        name = key.path if key is not None else command.about.strip("/").lower()
        found, near = select(
            services.inventory,
            Selector("repository", command.about),
            services.intake.known,
            may_reach=caller.may_touch,
        )
        paths = [one.path for c in found for one in services.inventory.repositories(c)]
        last = await self._last_push([name, *paths], caller)
        if last is None and not found:
            raise NothingMatchedError(
                f"no push of {name} came yet that is yours to see, and no container belongs"
                " to it",
                near,
            )
        if last is None:
            names = ", ".join(services.views.name(one.engine, one.name) for one in found)
            return Message(
                prose=[f"No push of {name} came yet that is yours to see.", f"Its: {names}."]
            )
        delivery, receipt = last
        push, source = receipt.push, delivery.source
        told = explained(
            services, caller, push, source if source in services.config.sources else None
        )
        what = f"{push.branch or push.ref} {(push.after or '')[:_DIGITS]}"
        head = f"The last push of {push.repository} ({what}, {_ago(delivery.received_at)})"
        prose = [f"{head} reaches, as things are now:"]
        if told.ignored:
            prose.append(f"Nothing: {told.ignored}.")
        lines = [line for one in told.verdicts for line in _verdict(one)]
        if told.others:
            prose.append(f"{told.others} other(s) have nothing to do with it.")
        return Message(prose=prose, block=lines)

    async def _last_push(
        self, names: Sequence[str], caller: Caller
    ) -> tuple[Delivery, PushReceipt] | None:
        """The newest push of a repository, as far as somebody may see it.

        Args:
            names: Full names that may be its own; the first that is one counts.
        """
        for name in dict.fromkeys(names):
            query = DeliveryQuery(repository=name, limit=1)
            for whole in await self._services.store.deliveries(query):
                delivery = visible_delivery(caller, whole)
                for receipt in delivery.pushes if delivery else ():
                    if delivery and receipt.push.repository.lower() == name:
                        return delivery, receipt
        return None

    def _link(self, run_id: str) -> str | None:
        public_url = self._services.config.public_url
        return f"{public_url}/runs/{run_id}" if public_url else None


def _end(step: Step) -> str:
    """How a step ended, and why."""
    outcome = f" ({step.outcome})" if step.outcome else ""
    return f"{step.status}{outcome}" + (f": {step.reason}" if step.reason else "")


def _is_odd(one: shapes.Container) -> bool:
    """Whether somebody should look at a container."""
    failed = one.last_step is not None and one.last_step.status in FAILURES
    return bool(one.behind or one.dirty or one.held or one.valid is False or failed)


def _standing(one: shapes.Container) -> tuple[str, ...]:
    """A container, its project, what it serves, and how that compares."""
    since = f" since {_ago(one.behind_since)}" if one.behind_since else ""
    words = [{True: f"behind{since}", False: "current", None: "not compared"}[one.behind]]
    words += [word for word in ("dirty", "held") if getattr(one, word)]
    if one.valid is False:
        words.append("invalid")
    if (step := one.last_step) is not None:
        outcome = f" ({step.outcome})" if step.outcome else ""
        words.append(f"last {step.action} {step.status}{outcome} {_ago(step.finished_at)}")
    return one.name, one.project or "-", (one.current_gitref or "?")[:_DIGITS], ", ".join(words)


def _what(run: shapes.Run) -> str:
    """What a run is about, in few words."""
    names = list(dict.fromkeys(step.container for step in run.steps))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"{run.action} {names[0]}{more}" if names else str(run.repository or run.action)


def _verdict(one: shapes.Verdict) -> list[str]:
    mark = "skipped" if one.skipped else "yes" if one.target else "no"
    return [
        f"{mark:8}{one.container}: {one.reason}",
        *(f"        {line}" for line in (one.remedy or "").splitlines()),
    ]


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Rows of text, below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _ago(at: datetime | None) -> str:
    return relative((datetime.now(UTC) - at).total_seconds()) if at else ""
