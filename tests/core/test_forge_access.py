"""Whether a git server in a container gets through: address, and its own setting."""

import pytest

from hookrunner.config import loads
from hookrunner.core.findings import Level
from hookrunner.core.forge_access import forge_access, forge_of
from hookrunner.model import Surroundings

SOURCES = "sources: {git: {forge: forgejo, secret_file: /s, repositories: ['**']}}\n"
BRIDGE = Surroundings(gateways=("172.17.0.1",))


@pytest.mark.parametrize(
    ("image", "forge"),
    [
        ("codeberg.org/forgejo/forgejo:13", "forgejo"),
        ("gitea/gitea", "gitea"),
        ("gitea/gitea:1.24-rootless@sha256:0", "gitea"),
        ("localhost:5000/gogs", "gogs"),
        ("gitlab/gitlab-ce:18", "gitlab"),
        ("gitlab/gitlab-runner", None),
        ("gitea/act_runner", None),
        ("code.forgejo.org/forgejo/runner:9", None),
        ("ops/bind", None),
    ],
)
def test_an_images_name_tells_the_forge(image, forge):
    assert forge_of(image) == forge


@pytest.fixture
def access(make_container):
    """A function: the finding on a Forgejo, for a configuration."""

    def look(text="", *, image="forgejo/forgejo:13", around=BRIDGE):
        return forge_access(
            make_container("git", image=image), around, loads(SOURCES + text, name="x")
        )

    return look


def test_a_container_cannot_reach_our_loopback_and_is_told_how_it_could(access):
    found = access()

    assert found.level is Level.wrong
    assert found.about == "Forgejo in container git"
    assert "cannot reach 127.0.0.1:4665" in found.text
    assert loads("\n".join(found.remedy.splitlines()[1:4]), name="x").listen[1].serves == {
        "hooks"
    }
    assert "{address: '172.17.0.1:4665', serves: [hooks]}" in found.remedy
    assert "http://172.17.0.1:4665/hooks/git" in found.remedy
    assert "[webhook] ALLOWED_HOST_LIST = 172.17.0.1" in found.remedy
    assert "FORGEJO__webhook__ALLOWED_HOST_LIST=172.17.0.1" in found.remedy


@pytest.mark.parametrize(
    ("image", "setting"),
    [
        ("gitlab/gitlab-ce", "Allow requests to the local network from webhooks"),
        ("gogs/gogs", "[security] LOCAL_NETWORK_ALLOWLIST = 172.17.0.1"),
        ("gitea/gitea", "GITEA__webhook__ALLOWED_HOST_LIST=172.17.0.1"),
    ],
)
def test_each_forge_has_its_own_setting(image, setting, access):
    assert setting in access(image=image).remedy


@pytest.mark.parametrize("listen", ["172.17.0.1:4665", "0.0.0.0:4665"])
def test_an_address_that_it_reaches_leaves_its_setting(listen, access):
    found = access(f"listen: '{listen}'\n")

    assert found.level is Level.note
    assert found.text == "its webhook's URL is http://172.17.0.1:4665/hooks/git"
    assert "ALLOWED_HOST_LIST = 172.17.0.1" in found.remedy


@pytest.mark.parametrize(
    ("said", "level"),
    [
        ("private", "ok"),
        ("*", "ok"),
        ("external, 172.17.0.1", "ok"),
        ("172.16.0.0/12", "ok"),
        ("external", "note"),
        ("loopback", "note"),
        ("10.0.0.0/8,example.net", "note"),
    ],
)
def test_its_setting_is_read_where_its_environment_has_it(said, level, access):
    environment = {"FORGEJO__webhook__ALLOWED_HOST_LIST": said}
    around = Surroundings(environment=environment, gateways=("172.17.0.1",))

    assert access("listen: 172.17.0.1:4665\n", around=around).level == level


def test_on_the_hosts_network_loopback_will_do(access):
    found = access(around=Surroundings(is_on_host=True))

    assert found.level is Level.note
    assert "http://127.0.0.1:4665/hooks/git" in found.text


def test_a_public_url_is_what_it_is_told(access):
    found = access("public_url: https://hooks.example.net\n")

    assert found.level is Level.note
    assert "https://hooks.example.net/hooks/git" in found.text


def test_hooks_on_no_address_at_all(access):
    found = access("listen: unix:/run/x.sock\n", around=Surroundings())

    assert found.level is Level.wrong
    assert "ADDRESS:4665" in found.remedy
