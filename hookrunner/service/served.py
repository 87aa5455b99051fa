"""What a step tells of its container: kept in the inventory, and across restarts."""

from msgspec.structs import replace

from hookrunner.core.inventory import Inventory
from hookrunner.model import Action, Container, Outcome, Status, Step, Validity
from hookrunner.service.recorder import Recorder


def remember(
    step: Step, container: Container, inventory: Inventory, recorder: Recorder
) -> None:
    """Keep what an update left: the commit that is served, or that it is not known.

    Of a validation it is what it said.

    Where several repositories feed a container, a step for one tells nothing of the others,
    and one for none of them leaves all unknown.
    """
    current = inventory.get(container.engine, container.id)
    if current is None:
        return
    if step.action is Action.validate:
        known = replace(current, validity=_validity(step, current.validity))
        if known.validity is not current.validity:
            recorder.put(containers=[inventory.remember(known)])
        return
    if step.status is not Status.succeeded:
        recorder.put(containers=[inventory.remember(replace(current, dirty=True))])
        return
    known = replace(current, current_gitref=step.gitref, dirty=False)
    feeds = [str(key) for key in inventory.feeds(current)]
    if feeds:
        others = {
            k: v for k, v in current.gitrefs.items() if step.after and k != step.repository
        }
        own = {step.repository: step.gitref} if step.gitref else {}
        gitrefs = others | own
        known = replace(known, gitrefs=gitrefs, current_gitref=first_of(feeds, gitrefs))
    recorder.put(containers=[inventory.remember(known)])


def _validity(step: Step, before: Validity | None) -> Validity | None:
    """What is known after a validation; one that could not be run says nothing.

    One that hangs is no pass: what does not answer in its time is not known to be good.
    """
    valid = step.outcome is Outcome.valid
    is_answer = valid or step.outcome is Outcome.invalid or step.status is Status.timed_out
    if not is_answer or step.finished_at is None:
        return before
    goes_on = before is not None and before.valid is valid
    return Validity(
        valid=valid,
        since=before.since if before is not None and goes_on else step.finished_at,
        at=step.finished_at,
        reason=None if valid else step.reason,
    )


def first_of(feeds: list[str], gitrefs: dict[str, str]) -> str | None:
    """The commit that stands for all where several repositories feed a container.

    Args:
        feeds: Their keys as text, the container's own repository first.
    """
    return next((gitrefs[key] for key in feeds if key in gitrefs), None)
