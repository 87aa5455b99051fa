"""Webhooks whose proof did not hold: those that are alike as one."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from hookrunner.web.senders import Refusal

_SHOWN_FOR = timedelta(days=1)


class Refused(msgspec.Struct, frozen=True):
    """The last of some refusals that are alike, and how many there are."""

    last: Refusal
    count: int


def refused(refusals: Iterable[Refusal]) -> list[Refused]:
    """What was refused within a day, as far as it is remembered; newest first."""
    oldest = datetime.now(UTC) - _SHOWN_FOR
    found: dict[tuple[str, str, str], Refused] = {}
    for one in refusals:
        if one.at >= oldest:
            key = (one.address, one.path, one.reason)
            earlier = found.pop(key, None)
            found[key] = Refused(one, earlier.count + 1 if earlier else 1)
    return list(reversed(found.values()))
