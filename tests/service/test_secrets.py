"""What has to fit before a configuration is put in force."""

import sys

import pytest

from hookrunner.config import loads
from hookrunner.errors import ConfigError
from hookrunner.service.secrets import load_checked

KEY = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29"


def checked(text, **environment):
    return load_checked(loads(text, name="hookrunner.yaml"), environment)


def test_the_secrets_of_chats_are_read():
    _, carried = checked(
        f"chat: {{slack: {{secret_env: [NEW, OLD]}}, discord: {{public_key: {KEY}}}}}",
        NEW="the new one, long enough",
        OLD="the old one, long enough",
    )

    assert carried.chat == {
        "slack": (b"the new one, long enough", b"the old one, long enough"),
        "discord": (bytes.fromhex(KEY),),
    }


def test_the_secret_of_teams_has_to_be_what_teams_shows():
    with pytest.raises(ConfigError, match="security token of the outgoing webhook"):
        checked("chat: {teams: {secret_env: S}}", S="no base64 at all, sorry")


def test_a_secret_that_is_missing_is_told_with_its_place():
    with pytest.raises(ConfigError, match=r"hookrunner.yaml:1:29: this environment variable"):
        checked("chat: {slack: {secret_env: [S]}}")


def test_discord_needs_what_checks_its_signatures(monkeypatch):
    for name in [*sys.modules]:
        if name.partition(".")[0] == "cryptography":
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(sys, "path_importer_cache", {})

    with pytest.raises(ConfigError, match=r"chat.discord.*cryptography") as refused:
        checked(f"chat: {{discord: {{public_key: {KEY}}}}}")

    assert "pip install 'hookrunner[crypto]'" in refused.value.hint
