"""Gitea and Forgejo. Gogs has no statuses.

Source:
    https://docs.gitea.com/api (repoCreateStatus), the same at
    https://codeberg.org/api/swagger
"""

from hookrunner.forges.statuses.status import Statuses, like_github
from hookrunner.model import CommitStatus, Outgoing

_TEXT = 255
"""Characters of a description, a guess: the column is unbounded, the page is not."""


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    return like_github(api, {"Authorization": f"token {token}"}, status, _TEXT)


GITEA = Statuses(make=_make)
