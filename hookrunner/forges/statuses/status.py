"""How a forge takes statuses, and what its requests are made of."""

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from hookrunner.errors import UsageError
from hookrunner.model import Answer, CommitStatus, Outgoing

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Statuses(msgspec.Struct, frozen=True, kw_only=True):
    """How one kind of forge takes statuses.

    Attributes:
        make: Makes the request of the API's base, the token and the status; raises
            UsageError where the status cannot be one of that forge's.
        is_there: The answer, though an error, says that the status is there already.
    """

    make: Callable[[str, str, CommitStatus], Outgoing]
    is_there: Callable[[Answer], bool] = lambda _: False


def request(url: str, content: Mapping[str, Any], secret: Mapping[str, str]) -> Outgoing:
    """A request with a JSON body; what is None in it is left out."""
    told = {key: value for key, value in content.items() if value is not None}
    return Outgoing(
        url=url,
        body=json.dumps(told, ensure_ascii=False).encode(),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
        secret=secret,
    )


def like_github(
    api: str, token: Mapping[str, str], status: CommitStatus, limit: int
) -> Outgoing:
    """A status as GitHub takes it, and as others took over from it.

    Args:
        token: The header that has the token.
        limit: Characters of the description.
    """
    owner, name = segments(status, 2)
    return request(
        f"{api}/repos/{owner}/{name}/statuses/{commit(status)}",
        {
            "state": status.state,
            "context": status.context,
            "description": shortened(status.text, limit),
            "target_url": status.url,
        },
        token,
    )


def commit(status: CommitStatus) -> str:
    """The commit's id, for a path.

    Raises:
        UsageError: It is none: it came from outside, and would be a part of a URL.
    """
    if _COMMIT.fullmatch(status.commit) is None:
        raise UsageError(f"not the id of a commit: {status.commit[:80]!r}")
    return status.commit


def segments(status: CommitStatus, count: int | None = None) -> list[str]:
    """The parts of the repository's name, each as one segment of a path.

    Args:
        count: How many there must be; None: two at least.

    Raises:
        UsageError: There are others, or one would lead elsewhere.
    """
    parts = status.repository.split("/")
    is_wrong = len(parts) < 2 if count is None else len(parts) != count  # noqa: PLR2004
    if is_wrong or any(set(part) <= {"."} or not part.isprintable() for part in parts):
        raise UsageError(f"not the name of a repository: {status.repository[:80]!r}")
    return [quote(part, safe="") for part in parts]


def shortened(text: str, limit: int) -> str:
    """A text of that many characters at most."""
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def bearer(token: str) -> dict[str, str]:
    """The header of a token, or of ``USER:PASSWORD``."""
    if ":" in token:
        return {"Authorization": f"Basic {base64.b64encode(token.encode()).decode()}"}
    return {"Authorization": f"Bearer {token}"}
