"""Bodies that name containers by a selector."""

from typing import Any

import msgspec

from hookrunner.core.selection import KINDS, Selector, parse_selector


class SelectingRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The part of a body that says which containers are meant: exactly one of these."""

    project: str | None = None
    repository: str | None = None
    container: str | None = None
    image: str | None = None

    @property
    def selector(self) -> Selector:
        """What it names."""
        return parse_selector({kind: getattr(self, kind) for kind in KINDS})


def names(key: str) -> dict[str, Any]:
    """What JSON Schema says of a body in which a key names something."""
    return {"required": [key], "properties": {key: {"type": "string", "minLength": 1}}}


ONE_SELECTOR = {"oneOf": [names(kind) for kind in KINDS]}
"""What JSON Schema says of a body that names one thing: `parse_selector`'s rule."""
