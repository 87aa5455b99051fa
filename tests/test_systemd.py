"""The systemd units: what systemd itself says of them, and what they share with the program."""

import re
import shutil
import subprocess
import tomllib
from configparser import ConfigParser
from pathlib import Path

import pytest

from hookrunner.config import DEFAULT_STATE, Config
from hookrunner.errors import ConfigError
from hookrunner.units import parse_duration

UNITS = Path(__file__).parents[1] / "systemd"
UNIT = UNITS / "hookrunner.service"
EXAMPLES = sorted(UNITS.parent.glob("config/examples/*/hookrunner-*.timer"))
PROGRAM = "/opt/hookrunner/bin/hookrunner"
TIMEOUT = 60.0
EXPOSURE = 1.5
"""What ``systemd-analyze security`` may say of the server at most."""


@pytest.fixture
def service():
    parser = ConfigParser(interpolation=None, strict=False, comment_prefixes="#")
    parser.optionxform = str
    parser.read_string(UNIT.read_text("utf-8"))
    return parser["Service"]


@pytest.fixture
def analyze(tmp_path):
    """A function: what ``systemd-analyze`` says of the units, and how it ends."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    for unit in UNITS.glob("hookrunner*.s*"):
        # The program of a unit need not be installed here: it must only be one.
        text = unit.read_text("utf-8").replace(f"={PROGRAM} ", "=/bin/true ")
        (tmp_path / unit.name).write_text(text, "utf-8")

    def run(*words):
        return subprocess.run(
            [program, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    return run


@pytest.mark.process
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda unit: unit.name)
def test_systemd_finds_nothing_wrong_with_the_examples(analyze, tmp_path, example):
    for unit in example.parent.glob("hookrunner-*.*"):
        text = re.sub("ExecStart=(?!/bin/sh)[^ \n]+", "ExecStart=/bin/true", unit.read_text())
        (tmp_path / unit.name).write_text(text)

    done = analyze("verify", "--man=no", f"./{example.name}")

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.process
def test_systemd_finds_nothing_wrong_with_the_units(analyze, service):
    assert service["ExecStart"].startswith(f"{PROGRAM} serve ")

    done = analyze("verify", "--man=no", f"./{UNIT.name}", "./hookrunner.socket")

    assert [line for line in done.stderr.splitlines() if "hookrunner" in line] == []
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_the_server_is_little_exposed(analyze, measured):
    done = analyze("security", "--offline=yes", f"./{UNIT.name}")

    found = re.search(r"Overall exposure level for .*: ([0-9.]+) ", done.stdout)
    assert found, done.stdout + done.stderr
    measured(f"exposure of {UNIT.name}: {found[1]}")
    assert float(found[1]) <= EXPOSURE


def test_the_server_has_no_right_to_the_engine_but_through_the_gate(service):
    assert service["CapabilityBoundingSet"] == ""
    assert service["PrivateDevices"] == service["ProtectHome"] == "yes"
    assert "SupplementaryGroups" not in service
    assert "-/run/docker.sock" in service["InaccessiblePaths"].split()


def test_the_socket_is_where_the_server_listens_by_default():
    text = (UNITS / "hookrunner.socket").read_text("utf-8")
    [address] = [str(listen.address) for listen in Config().listen]

    assert re.findall(r"^ListenStream=(.*)$", text, re.MULTILINE) == [address]


def test_a_mistake_in_the_configuration_is_not_tried_again(service):
    assert service["Restart"] == "on-failure"
    assert service["RestartPreventExitStatus"].split() == [str(ConfigError.exit_code)]


def test_systemd_waits_longer_than_the_server_drains(service):
    assert parse_duration(service["TimeoutStopSec"]) > Config().drain_timeout


def test_the_unit_keeps_state_where_root_looks_for_it(service):
    [home] = re.findall(r"^Environment=XDG_STATE_HOME=(.*)$", UNIT.read_text(), re.MULTILINE)
    directory = f"{home}/hookrunner"

    assert directory == f"/var/lib/{service['StateDirectory']}" == DEFAULT_STATE
    assert service["StateDirectoryMode"] == "0710"


def test_the_installation_knows_every_extra():
    text = (UNITS / "install").read_text("utf-8")
    extras = tomllib.loads((UNITS.parent / "pyproject.toml").read_text("utf-8"))["project"][
        "optional-dependencies"
    ]

    [known] = re.findall(r"^ +case \$extra in (.*?)\) ;;", text, re.MULTILINE)
    assert set(known.split(" | ")) == {*extras} - {"dev"}
