import pytest

from hookrunner.errors import SignatureError
from hookrunner.forges import FORGES, Request, detect


@pytest.mark.parametrize("forge", FORGES)
def test_a_forge_is_told_by_its_headers(forge, send, push_of):
    assert detect(send(forge, push_of(forge))) is FORGES[forge]


def test_names_of_headers_have_no_case():
    assert detect(Request((("x-GITLAB-event", "Push Hook"),), b"")) is FORGES["gitlab"]


def test_what_looks_like_no_forge_is_none():
    assert detect(Request((("Content-Type", "application/json"),), b"{}")) is None


@pytest.mark.parametrize("imitated", ["gitea", "gogs", "github", "generic"])
def test_a_header_of_another_forge_does_not_choose_how_to_prove(
    imitated, send, push_of, secret
):
    request = send("gitlab", push_of("gitlab"), change={"X-GitHub-Event": "push"})

    assert detect(request) is FORGES["gitlab"]
    with pytest.raises(SignatureError):
        FORGES[imitated].verify(request, [secret])


def test_names_are_the_keys():
    assert all(name == forge.name for name, forge in FORGES.items())


def test_a_request_does_not_print_its_secrets():
    request = Request((("X-Gitlab-Token", "hush"),), b"hush", path_secret="hush")

    assert "hush" not in repr(request)
