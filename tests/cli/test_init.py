"""`hookrunner init`: what it writes can be served, what it says is enough for a webhook."""

import re
import stat
from pathlib import Path

import pytest
from click.testing import CliRunner

from hookrunner.adapters.credentials import load_secrets
from hookrunner.cli.main import cli
from hookrunner.config import FORGES, Door, loads


@pytest.fixture
def init(tmp_path):
    """A function: run the command, with a file in a directory that is not there yet."""
    file = tmp_path / "etc/hookrunner.yaml"

    def invoke(*words, stdin=None):
        told = CliRunner().invoke(cli, ["init", *words, "--config", str(file)], input=stdin)
        return file, told

    return invoke


@pytest.mark.parametrize("forge", FORGES)
def test_each_forge_gets_a_source_that_can_be_served(forge, init):
    file, told = init(*("--forge", forge), *("--where", "here"), *("--repositories", "ops/*"))

    assert told.exit_code == 0, told.stderr
    config = loads(file.read_text(), name="x")
    (secret,) = load_secrets(config.sources, {})[forge]
    assert config.sources[forge].forge == forge
    assert config.sources[forge].repositories == ("ops/*",)
    assert len(secret) >= 32
    secret_file = file.with_name(f"{forge}.secret")
    assert stat.S_IMODE(secret_file.stat().st_mode) == 0o600
    assert f"/hooks/{forge}" in told.stdout
    assert (secret.decode() in told.stdout) == (forge != "generic")


@pytest.mark.parametrize(
    ("forge", "setting"),
    [
        ("forgejo", "FORGEJO__webhook__ALLOWED_HOST_LIST=192.0.2.7"),
        ("gitea", "[webhook] ALLOWED_HOST_LIST = 192.0.2.7"),
        ("gogs", "[security] LOCAL_NETWORK_ALLOWLIST = 192.0.2.7"),
        ("gitlab", "Allow requests to the local network from webhooks and integrations"),
    ],
)
def test_a_container_gets_an_address_of_its_own_and_its_forges_setting(forge, setting, init):
    file, told = init(
        *("--forge", forge, "--where", "container", "--address", "192.0.2.7"),
        *("--repositories", "ops/*"),
    )

    config = loads(file.read_text(), name="x")
    assert [str(one.address) for one in config.listen] == ["127.0.0.1:4665", "192.0.2.7:4665"]
    assert config.listen[1].serves == {Door.hooks}
    assert f"http://192.0.2.7:4665/hooks/{forge}" in told.stdout
    assert setting in told.stdout


def test_what_no_option_says_is_asked(init):
    answers = "github\ninternet\nops/*, web/www\nhttps://hooks.example.net/\n"

    file, told = init(stdin=answers)

    assert told.exit_code == 0, told.stderr
    config = loads(file.read_text(), name="x")
    assert config.public_url == "https://hooks.example.net"
    assert config.sources["github"].repositories == ("ops/*", "web/www")
    assert "https://hooks.example.net/hooks/github" in told.stdout
    assert [str(one.address) for one in config.listen] == ["127.0.0.1:4665"]


def test_gerrits_secret_is_in_its_url_and_needs_no_escape(init):
    _, told = init(*("--forge", "gerrit", "--where", "here", "--repositories", "**"))

    assert re.search(
        r"http://127.0.0.1:4665/hooks/gerrit/[A-Za-z0-9_-]{43}$", told.stdout, re.MULTILINE
    )


def test_nothing_that_is_there_is_written_over(init):
    words = ("--forge", "gitea", "--where", "here", "--repositories", "ops/*")
    file, first = init(*words)
    before = file.read_text()

    again = init(*words)[1]
    file.unlink()
    kept = init(*words)[1]

    assert (again.exit_code, "is there already" in again.stderr) == (1, True)
    assert file.read_text() == before
    secret = file.with_name("gitea.secret").read_text().strip()
    assert secret in first.stdout
    assert secret in kept.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("--repositories", "a b\n"),
        ("--repositories", "ops/*", "--public-url", "ftp://x"),
        ("--repositories", "ops/*", "--address", "not an address"),
    ],
)
def test_what_cannot_be_configured_is_not_written(words, init):
    file, told = init("--forge", "gitea", "--where", "here", *words)

    assert told.exit_code == 78
    assert not Path(file).exists()


def test_a_service_has_its_secret_as_a_credential_and_its_engine_behind_the_gate(init):
    file, told = init(
        *("--forge", "gitea", "--where", "here", "--repositories", "ops/*", "--service")
    )

    assert told.exit_code == 0, told.stderr
    config = loads(file.read_text(), name=str(file))
    assert config.engines == {"local": "unix:///run/hookrunner/engine.sock"}
    [reference] = config.sources["gitea"].secrets
    assert reference.kind == "credential"
    # Commands by hand find it beside the configuration.
    assert load_secrets(config.sources, {})["gitea"][0].decode() in told.stdout
    assert "hookrunner serve" not in told.stdout
