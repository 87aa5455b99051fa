"""The gate's units: what systemd itself says of them."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from hookrunner.config.gate import Gate, loads
from hookrunner.errors import ConfigError

UNITS = Path(__file__).parents[2] / "systemd"
SERVICE = "hookrunner-gate.service"
PROGRAM = "/opt/hookrunner/bin/hookrunner"
EXPOSURE = 1.0
"""The server's is to be 1.5 at most, and the gate is less exposed than that."""


@pytest.fixture
def analyze(tmp_path):
    """A function: what ``systemd-analyze`` says of the units, and how it ends."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed (Debian: apt-get install systemd)")
    for unit in UNITS.glob("hookrunner-gate.*"):
        # The program need not be installed here: it must only be one.
        text = unit.read_text("utf-8").replace(f"={PROGRAM} ", "=/bin/true ")
        (tmp_path / unit.name).write_text(text, "utf-8")

    def run(*words):
        return subprocess.run(
            [program, *words],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=tmp_path,
        )

    return run


def directive(name):
    text = (UNITS / SERVICE).read_text("utf-8")
    return re.findall(rf"^{name}=(.*)$", text, re.MULTILINE)


@pytest.mark.process
def test_systemd_finds_nothing_wrong_with_the_units(analyze):
    done = analyze("verify", "--man=no", f"./{SERVICE}", "./hookrunner-gate.socket")

    assert [line for line in done.stderr.splitlines() if "hookrunner-gate" in line] == []
    assert done.returncode == 0, done.stderr


@pytest.mark.process
def test_the_gate_is_hardly_exposed(analyze):
    done = analyze("security", "--offline=yes", f"./{SERVICE}")

    found = re.search(r"Overall exposure level for .*: ([0-9.]+) ", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) <= EXPOSURE


def test_the_units_say_what_the_program_reads():
    (command,) = directive("ExecStart")
    socket = (UNITS / "hookrunner-gate.socket").read_text("utf-8")
    default = Gate()

    assert command.split() == [
        *(PROGRAM, "gate"),
        *("--engine", default.engine),
        *("--listen", f"unix://{default.listen.path}"),
    ]
    assert loads(f"listen: {command.split()[-1]}", name="x").listen == default.listen
    assert f"\nListenStream={default.listen.path}\n" in socket
    assert "\nSocketMode=0660\n" in socket
    assert directive("RestartPreventExitStatus") == [str(ConfigError.exit_code)]
