"""Gitea and Forgejo. Gogs has no statuses.

Source:
    https://docs.gitea.com/api (repoCreateStatus), the same at
    https://codeberg.org/api/swagger
"""

from hookrunner.forges.statuses.status import Statuses, commit, request, segments, shortened
from hookrunner.model import CommitStatus, Outgoing

_TEXT = 255
"""Characters of a description, a guess: the column is unbounded, the page is not."""


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
        {"Authorization": f"token {token}"},
    )


GITEA = Statuses(make=_make)
