"""What all lists share: their pages, and the conditions that callers give."""

from datetime import datetime
from typing import Annotated

import msgspec

PAGE_LIMIT = 100
"""Items of a page at most."""


class ListQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The page that is wanted: what a list's cursor led to, and the conditions of all."""

    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=PAGE_LIMIT)] = 50
