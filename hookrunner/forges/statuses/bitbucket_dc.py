"""Bitbucket Data Center 7.4 and newer: a build's status of one repository's commit.

Source:
    https://developer.atlassian.com/server/bitbucket/how-tos/updating-build-status-for-commits
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
"""Characters of a key and of a description. Source: longer ones are answered 400."""
_STATES = {State.pending: "INPROGRESS", State.success: "SUCCESSFUL", State.failure: "FAILED"}


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    project, slug = segments(status, 2)
    return request(
        f"{api}/rest/api/latest/projects/{project}/repos/{slug}/commits/{commit(status)}/builds",
        {
            "key": shortened(status.context, _TEXT),
            "state": _STATES[status.state],
            "name": shortened(status.context, _TEXT),
            "description": shortened(status.text, _TEXT),
            "ref": status.ref,
            "url": status.url,
        },
        bearer(token),
    )


BITBUCKET_DC = Statuses(make=_make)
