import os

import pytest

from hookrunner.cli.settings import default_file, load
from hookrunner.errors import ConfigError


def test_no_default_file_means_defaults():
    config = load(None) if os.geteuid() else load(os.devnull)

    assert config.engines == {"local": "unix:///var/run/docker.sock"}
    assert config.state


@pytest.mark.parametrize("root", [False, True])
def test_default_places(monkeypatch, tmp_path, root):
    monkeypatch.setattr(os, "geteuid", lambda: 0 if root else 1000)
    home = tmp_path / "home"

    config = load(os.devnull)

    assert str(default_file()) == (
        "/etc/hookrunner/hookrunner.yaml"
        if root
        else f"{home}/config/hookrunner/hookrunner.yaml"
    )
    assert config.state == ("/var/lib/hookrunner" if root else f"{home}/state/hookrunner")


def test_relative_xdg_directories_are_ignored(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.setenv("XDG_STATE_HOME", "")

    assert default_file() == tmp_path / "home/.config/hookrunner/hookrunner.yaml"
    assert load(os.devnull).state == str(tmp_path / "home/.local/state/hookrunner")


def test_the_option_beats_the_variable_and_that_the_default(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    places = {name: tmp_path / f"{name}.yaml" for name in ("option", "variable")}
    places["default"] = tmp_path / "home/config/hookrunner/hookrunner.yaml"
    places["default"].parent.mkdir(parents=True)
    for name, file in places.items():
        file.write_text(f"state: /{name}\n")

    assert load(None).state == "/default"
    monkeypatch.setenv("HOOKRUNNER_CONFIG", str(places["variable"]))
    assert load(None).state == "/variable"
    assert load(str(places["option"])).state == "/option"


@pytest.mark.parametrize("by", ["option", "variable"])
def test_a_named_file_that_is_missing_is_an_error(monkeypatch, tmp_path, by):
    missing = str(tmp_path / "missing.yaml")
    monkeypatch.setenv("HOOKRUNNER_CONFIG", missing if by == "variable" else "")

    with pytest.raises(ConfigError, match=r"missing\.yaml: there is no such file") as raised:
        load(missing if by == "option" else None)

    assert raised.value.exit_code == 78


def test_docker_host_is_the_engine_unless_the_file_names_some(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    file = tmp_path / "c.yaml"
    file.write_text("engines: {other: 'unix:///run/podman.sock'}\n")

    assert load(os.devnull).engines == {"local": "tcp://10.0.0.1:2376"}
    assert load(str(file)).engines == {"other": "unix:///run/podman.sock"}


def test_what_is_not_utf8_is_told_with_its_place(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_bytes(b"state: /s\nlisten: \xff\n")

    with pytest.raises(ConfigError) as raised:
        load(str(file))

    assert (raised.value.line, raised.value.column) == (2, 9)


def test_a_directory_is_no_configuration(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load(str(tmp_path))
