"""Azure DevOps Services and Server: the API's base names the organisation or collection.

Source:
    https://learn.microsoft.com/en-us/rest/api/azure/devops/git/statuses/create
"""

from hookrunner.forges.statuses.status import (
    Statuses,
    bearer,
    commit,
    request,
    segments,
    shortened,
)
from hookrunner.model import CommitStatus, Outgoing, State

_TEXT = 255
_STATES = {State.pending: "pending", State.success: "succeeded", State.failure: "failed"}


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    project, name = segments(status, 2)
    genre, _, context = status.context.partition("/")
    return request(
        f"{api}/{project}/_apis/git/repositories/{name}/commits/{commit(status)}/statuses"
        "?api-version=6.0",
        {
            "state": _STATES[status.state],
            "description": shortened(status.text, _TEXT),
            "targetUrl": status.url,
            "context": {"genre": genre, "name": context or genre},
        },
        bearer(f":{token}"),  # a personal access token is the password of no user
    )


AZURE_DEVOPS = Statuses(make=_make)
