"""Bitbucket Cloud: a build's status, told apart by a key of 40 characters at most.

Source:
    https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/
"""

import hashlib

from hookrunner.forges.statuses.status import (
    Statuses,
    bearer,
    commit,
    request,
    segments,
    shortened,
)
from hookrunner.model import CommitStatus, Outgoing, State

_KEY = 40
"""Characters of a key. Source: Bitbucket answers 400 above it."""
_TEXT = 255
_STATES = {State.pending: "INPROGRESS", State.success: "SUCCESSFUL", State.failure: "FAILED"}


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    workspace, name = segments(status, 2)
    key = status.context
    if len(key) > _KEY:
        key = hashlib.sha256(key.encode()).hexdigest()[:_KEY]
    return request(
        f"{api}/repositories/{workspace}/{name}/commit/{commit(status)}/statuses/build",
        {
            "key": key,
            "state": _STATES[status.state],
            "name": status.context,
            "description": shortened(status.text, _TEXT),
            "url": status.url,
        },
        bearer(token),
    )


BITBUCKET_CLOUD = Statuses(make=_make)
