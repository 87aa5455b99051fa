"""GitLab.

Before 18.2 a status that is sent a second time is answered 400, "Cannot transition".

Source:
    https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
    https://gitlab.com/gitlab-org/gitlab-foss/-/issues/25807
"""

from urllib.parse import quote

from hookrunner.forges.statuses.status import Statuses, commit, request, segments, shortened
from hookrunner.model import Answer, CommitStatus, Outgoing, State

_TEXT = 255
"""Characters of a description. Source: a longer one is answered 400."""
_STATES = {State.pending: "pending", State.success: "success", State.failure: "failed"}
_REFUSED = 400


def _make(api: str, token: str, status: CommitStatus) -> Outgoing:
    segments(status)
    ref = status.ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    return request(
        f"{api}/projects/{quote(status.repository, safe='')}/statuses/{commit(status)}",
        {
            "state": _STATES[status.state],
            "ref": ref,
            "name": status.context,
            "description": shortened(status.text, _TEXT),
            "target_url": status.url,
        },
        {"PRIVATE-TOKEN": token},
    )


def _is_there(answer: Answer) -> bool:
    return answer.status == _REFUSED and "Cannot transition status" in answer.text


GITLAB = Statuses(make=_make, is_there=_is_there)
