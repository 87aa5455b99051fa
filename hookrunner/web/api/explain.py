"""Verdicts on a push, a delivery, or what names containers; nothing runs."""

from aiohttp import web
from msgspec.structs import replace

from hookrunner.core.eligibility import idle_remedy
from hookrunner.core.matching import Match, claimed_repository, match
from hookrunner.core.nearness import closest
from hookrunner.core.selection import select
from hookrunner.errors import ConflictError, NotFoundError
from hookrunner.model import Action, Push
from hookrunner.web import shapes
from hookrunner.web.api.deliveries import permitted_delivery
from hookrunner.web.api.selecting import ONE_SELECTOR, names
from hookrunner.web.api.starting import RunRequest
from hookrunner.web.caller import Caller
from hookrunner.web.operation import Ask, Nothing, operation
from hookrunner.web.services import Services


class ExplainRequest(RunRequest, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of a request for verdicts: a push, a delivery, or what names containers."""

    push: Push | None = None
    source: str | None = None
    delivery: str | None = None


_SCHEMA = {
    "anyOf": [
        {"required": ["push"], "properties": {"push": {"type": "object"}}},
        names("delivery"),
        ONE_SELECTOR,
    ]
}


@operation(
    "POST",
    "/api/v1/explain",
    scope="read",
    body=ExplainRequest,
    schema=_SCHEMA,
    answers={200: shapes.Explanation},
)
async def explain(ask: Ask[Nothing, ExplainRequest]) -> web.Response:
    """Say which containers something reaches and why, and why not the others."""
    services, asked, caller = ask.services, ask.body, ask.caller
    await services.listed()
    if asked.push is not None:
        ask.concerns(f"{asked.push.repository} {asked.push.ref}")
        told = explained(services, caller, asked.push, asked.source)
        return ask.answer(
            shapes.Explanation(
                ignored=told.ignored,
                verdicts=told.verdicts,
                others=told.others,
                repository=told.repository,
                ref=told.ref,
                closest=told.closest,
            )
        )
    if asked.delivery:
        ask.concerns(f"delivery {asked.delivery}")
        delivery = await permitted_delivery(services, caller, asked.delivery)
        pushes = [
            explained(services, caller, receipt.push, delivery.source)
            for receipt in delivery.pushes
        ]
        return ask.answer(
            shapes.Explanation(
                ignored=delivery.ignored,
                verdicts=[verdict for one in pushes for verdict in one.verdicts],
                pushes=pushes,
            )
        )
    ask.concerns(str(asked.selector))
    return ask.answer(_selected(services, caller, asked))


def _selected(services: Services, caller: Caller, asked: ExplainRequest) -> shapes.Explanation:
    """What a selector means."""
    found, misses = select(
        services.inventory, asked.selector, services.intake.known, may_reach=caller.may_touch
    )
    verdicts = [
        shapes.Verdict(
            container=services.views.name(container.engine, container.name),
            host=container.engine,
            project=container.project or None,
            target=Action.update in container.methods,
            skipped=False,
            reason=f"selected by {asked.selector}"
            + ("" if Action.update in container.methods else ", but it has no update method"),
            remedy=None
            if Action.update in container.methods
            else idle_remedy(container, Action.update),
        )
        for container in found
    ] + [services.views.verdict(verdict) for verdict in misses]
    return shapes.Explanation(
        ignored=None, verdicts=verdicts, others=_others(services, caller, len(found))
    )


def explained(
    services: Services, caller: Caller, push: Push, source: str | None
) -> shapes.Explained:
    """All verdicts on a push, as far as the caller may see.

    A test delivery is judged as the push that it might be: somebody wants to know.
    """
    found = _match_any(services, replace(push, before=None) if push.is_test else push, source)
    ignored = found.ignored or ("a test delivery: nothing runs" if push.is_test else None)
    verdicts = [v for v in found.verdicts if caller.may_reach(v.project)]
    alike = None
    if not found.verdicts and found.ignored is None and caller.project == "*":
        alike = closest(push, services.intake.known)
    return shapes.Explained(
        repository=str(found.repository) if found.repository else push.repository,
        ref=push.ref,
        ignored=ignored,
        verdicts=[services.views.verdict(verdict) for verdict in verdicts],
        others=_others(services, caller, len(verdicts)),
        closest=services.views.masked(alike),
    )


def _others(services: Services, caller: Caller, told: int) -> int:
    """How many containers more the caller may see."""
    return sum(caller.may_touch(container) for container in services.inventory) - told


def _match_any(services: Services, push: Push, source: str | None) -> Match:
    """Match for a source, or for the first one that may speak for the repository."""
    sources = services.config.sources
    known = services.intake.known
    if source is not None:
        if source not in sources:
            raise NotFoundError(f"there is no source {source}")
        return match(push, sources[source], known)
    if not sources:
        raise ConflictError("no source is configured, so no push is taken")
    speaking = [s for s in sources.values() if claimed_repository(push, s, known) is not None]
    return match(push, (speaking or list(sources.values()))[0], known)


OPERATIONS = (explain,)
