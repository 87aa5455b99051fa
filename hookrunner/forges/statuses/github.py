"""GitHub and GitHub Enterprise Server.

Source:
    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
"""

from hookrunner.forges.statuses.status import (
    Statuses,
    bearer,
    commit,
    request,
    segments,
    shortened,
)
from hookrunner.model import CommitStatus, Outgoing

_TEXT = 140
"""Characters of a description. Source: GitHub answers 422 above it."""


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    owner, name = segments(status, 2)
    return request(
        f"{api}/repos/{owner}/{name}/statuses/{commit(status)}",
        {
            "state": status.state,
            "context": status.context,
            "description": shortened(status.text, _TEXT),
            "target_url": status.url,
        },
        bearer(token) | {"X-GitHub-Api-Version": "2022-11-28"},
    )


GITHUB = Statuses(make=_make)
