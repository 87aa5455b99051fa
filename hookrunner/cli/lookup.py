"""From what people write for an id to the id: its end, its beginning, or ``last``."""

import re
from urllib.parse import quote

from hookrunner.cli.client import Client
from hookrunner.errors import NotFoundError, UsageError

ID = re.compile(r"[0-9a-hjkmnp-tv-z]{26}")
"""An id as `hookrunner.units.new_id` makes it."""
SHORTEST = 6
"""Characters that a part of an id has at least: 30 bits, so two rarely share them."""
SEARCHED = 1000
"""Newest items that are searched for a part of an id; a guess."""
TOLD = 5
"""Ids that are named where several fit."""


async def find(client: Client, path: str, text: str) -> str:
    """The id that somebody means, as it stands in a list of the API.

    Args:
        path: The list, newest first, such as ``/api/v1/runs``.
        text: An id, a part of at least `SHORTEST` characters from its beginning or end,
            or ``last`` for the newest.

    Raises:
        NotFoundError: Nothing fits.
        UsageError: The part is too short, or several fit.
    """
    noun = path.rpartition("/")[2].removesuffix("s").replace("deliverie", "delivery")
    if text == "last":
        newest = await client.list(path, limit=1)
        if not newest.items:
            raise NotFoundError(f"there is no {noun} yet")
        return str(newest.items[0]["id"])
    wanted = text.lower()
    if ID.fullmatch(wanted):
        return wanted
    if len(wanted) < SHORTEST:
        raise UsageError(
            f"{text!r} is too short: give at least {SHORTEST} characters of the {noun}'s id"
        )
    page = await client.list(path, limit=SEARCHED)
    return choose(wanted, [str(item["id"]) for item in page.items], noun)


def choose(part: str, ids: list[str], noun: str) -> str:
    """The one id that begins or ends with a text.

    Raises:
        NotFoundError: None does.
        UsageError: Several do.
    """
    fitting = [one for one in ids if one.startswith(part) or one.endswith(part)]
    if not fitting:
        raise NotFoundError(f"there is no {noun} {part}")
    if len(fitting) > 1:
        raise UsageError(f"{part} fits several: {', '.join(fitting[:TOLD])}")
    return fitting[0]


def segment(text: str) -> str:
    """A name as one segment of a path."""
    return quote(text, safe="") if text not in {".", ".."} else text.replace(".", "%2E")
