"""A status of a commit arrives at each forge as its API wants it, and nowhere else."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from receivers import _APIS, COMMIT, TOKEN, Receiver

from hookrunner.adapters.outgoing import Sender
from hookrunner.config import FORGES, STATUS_APIS
from hookrunner.errors import OutgoingError, UsageError
from hookrunner.forges.statuses import STATUSES
from hookrunner.model import Answer, CommitStatus, State
from hookrunner.service.outbox import check

STATUS = CommitStatus(
    repository="ops/bind",
    commit=COMMIT,
    ref="refs/heads/main",
    context="hookrunner/bind",
    state=State.success,
    text="2 of 2 updated in 1.4 s",
    url="https://hooks.example.net/runs/1",
)
WORDS = {
    "bitbucket-cloud": ("INPROGRESS", "SUCCESSFUL", "FAILED"),
    "bitbucket-dc": ("INPROGRESS", "SUCCESSFUL", "FAILED"),
    "azure-devops": ("pending", "succeeded", "failed"),
    "gitlab": ("pending", "success", "failed"),
}


def test_the_forges_with_statuses_are_the_same_words_everywhere():
    assert set(STATUSES) == set(STATUS_APIS) == set(_APIS)
    assert set(STATUSES) <= set(FORGES)


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("forge", STATUSES)
async def test_each_api_takes_it(forge, state):
    async with Receiver(forge).running() as receiver, Sender.open() as sender:
        told = msgspec.structs.replace(STATUS, state=state, text="x" * 300)
        request = STATUSES[forge].make(receiver.url, TOKEN, told)

        answer = await sender.send(request)

        assert answer.status == 201, answer.text
        (one,) = receiver.received
        words = WORDS.get(forge, ("pending", "success", "failure"))
        assert one.body["state"] == words[list(State).index(state)]
        assert "https://hooks.example.net/runs/1" in one.body.values()
        assert COMMIT in one.path
        assert TOKEN not in repr(request)


@pytest.mark.parametrize("forge", STATUSES)
def test_a_project_with_a_long_name_has_a_context_of_its_own(forge):
    def context(name):
        told = msgspec.structs.replace(STATUS, context=f"hookrunner/{name}")
        body = msgspec.json.decode(STATUSES[forge].make("http://x", TOKEN, told).body)
        return body.get("key") or str(body.get("context") or body["name"])

    assert context("a" * 90 + "1") != context("a" * 90 + "2")


HOSTILE = [
    "../../admin/users",
    "ops/../../x",
    "ops/..",
    "./bind",
    "ops",
    "",
    "/bind",
    "ops//bind",
    "ops/",
]


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("forge", STATUSES)
def test_a_name_that_would_lead_elsewhere_is_refused(forge, name):
    with pytest.raises(UsageError):
        STATUSES[forge].make(
            "http://x", TOKEN, msgspec.structs.replace(STATUS, repository=name)
        )


@settings(max_examples=30)
@given(st.text(min_size=1), st.text(min_size=1), st.sampled_from(sorted(STATUSES)))
def test_whatever_a_payload_names_the_request_goes_to_the_api(owner, name, forge):
    told = msgspec.structs.replace(STATUS, repository=f"{owner}/{name}")
    try:
        request = STATUSES[forge].make("https://api.example.net/base", TOKEN, told)
    except UsageError:
        return
    path = request.url.removeprefix("https://api.example.net/base/")
    assert path != request.url
    assert request.url.isascii()
    assert "/../" not in path
    assert "/./" not in path
    assert not {"#", "@", "\\", " "} & set(path)
    assert path.count("?") <= 1


@pytest.mark.parametrize("commit", ["", "HEAD", "1f" * 19, f"{COMMIT}/../x", f"{COMMIT}\n"])
@pytest.mark.parametrize("forge", STATUSES)
def test_what_is_no_commit_is_refused(forge, commit):
    with pytest.raises(UsageError):
        STATUSES[forge].make("http://x", TOKEN, msgspec.structs.replace(STATUS, commit=commit))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_no_redirect_is_followed(status):
    async with (
        Receiver().running() as elsewhere,
        Receiver("gitea").running() as forge,
        Sender.open() as sender,
    ):
        forge.refusals = [(status, {"Location": f"{elsewhere.url}/steal"}, "")]

        answer = await sender.send(STATUSES["gitea"].make(forge.url, TOKEN, STATUS))

        with pytest.raises(OutgoingError, match="asks elsewhere") as caught:
            check(answer, "sources.gitea.status.api")
        assert not caught.value.is_transient
        assert "sources.gitea.status.api" in caught.value.hint
        assert elsewhere.received == []


async def test_no_answer_is_an_error_of_ours():
    async with Sender.open() as sender:
        with pytest.raises(OutgoingError) as caught:
            await sender.send(STATUSES["gitea"].make("http://127.0.0.1:9", TOKEN, STATUS))

    assert caught.value.is_transient
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "is_transient"),
    [
        (400, False),
        (401, True),
        (403, True),
        (404, True),
        (422, False),
        (429, True),
        (503, True),
    ],
)
def test_what_may_pass_is_tried_again(status, is_transient):
    with pytest.raises(OutgoingError) as caught:
        check(Answer(status=status, retry_after=7.0), "there")

    assert caught.value.is_transient is is_transient
    assert caught.value.retry_after == 7.0


def test_gitlab_says_of_a_second_report_that_it_is_there():
    text = '{"message":"Cannot transition status via :enqueue from :pending"}'

    assert STATUSES["gitlab"].is_there(Answer(status=400, text=text))
    assert not STATUSES["gitlab"].is_there(Answer(status=400, text="ref is invalid"))
    assert not STATUSES["github"].is_there(Answer(status=400, text=text))
