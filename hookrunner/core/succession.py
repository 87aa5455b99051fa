"""Who took whose place, from step to step."""

from collections.abc import Mapping

from hookrunner.model import Step


def ends_of(known: Mapping[str, Step], *step_ids: str) -> dict[str, str]:
    """Who took the place of each step in the end, by id: itself where nobody did.

    Args:
        step_ids: Those that are asked for, or all; the others on their way are told too.
    """
    ends: dict[str, str] = {}
    for step_id in step_ids or known:
        way = [step_id]
        while way[-1] not in ends:
            then = known[way[-1]].superseded_by
            if then is None or then not in known:
                break
            way.append(then)
        ends |= dict.fromkeys(way, ends.get(way[-1], way[-1]))
    return ends
