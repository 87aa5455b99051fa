"""GitHub and GitHub Enterprise Server.

Source:
    https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
"""

from hookrunner.forges.statuses.status import Statuses, bearer, like_github
from hookrunner.model import CommitStatus, Outgoing

_TEXT = 140
"""Characters of a description. Source: GitHub answers 422 above it."""


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    return like_github(
        api, bearer(token) | {"X-GitHub-Api-Version": "2022-11-28"}, status, _TEXT
    )


GITHUB = Statuses(make=_make)
