"""The program ``container`` under dash, bash and a busybox that has nothing else."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
from importlib import resources
from pathlib import Path

import pytest
from author import GIT

from hookrunner.core.examination import image_text
from hookrunner.core.packages import Package, parse_packages

pytestmark = pytest.mark.process

COMMIT = "e1b0a445744fec5e584919711cafd8f4cebdee0e"
ANCESTOR = {"project": "base", "image_name": "ops/base", "gitref": "f" * 40, "owner": "dns"}
DOCUMENT = {"project": "bind", "image_name": "ops/bind", "gitref": COMMIT}


def until(look, seconds=30):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s, and found {found!r}"
        time.sleep(0.02)
    return found


def test_metadata_is_the_document(kit):
    kit.write(DOCUMENT | {"ancestors": [ANCESTOR], "owner": "é"})

    done = kit.run("--metadata", check=0)

    assert json.loads(done.stdout) == DOCUMENT | {"ancestors": [ANCESTOR], "owner": "é"}


def test_examine_begins_with_the_first_start_and_ends_with_what_is_known_at_run_time(kit):
    kit.write(DOCUMENT | {"ancestors": [ANCESTOR], "start_method": "true"})
    kit.run("--start", check=0)
    (kit.state / "started").write_text("1427691757\n")
    kit.run("--start", check=0)

    done = kit.run("--examine", env={"CONTAINER_DEPLOYED_BY": "anna"}, check=0)

    assert done.stdout == (
        "Container first started at 2015-03-30 05:02:37 +0000 (1427691757)\n"
        + image_text(DOCUMENT | {"ancestors": [ANCESTOR], "start_method": "true"})
        + "\nRuntime facts\n\n             Deployed By: anna\n"
    )


def test_a_container_that_was_started_otherwise_tells_when_its_first_process_did(kit):
    kit.write(DOCUMENT)

    done = kit.run("--examine", check=0)

    assert re.match(
        r"Container first started at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 \(\d+\)\n",
        done.stdout,
    )


@pytest.mark.parametrize("code", [0, 1, 75])
def test_update_runs_its_method_and_ends_with_its_code(kit, code):
    kit.write(DOCUMENT | {"update_method": f"echo done; exit {code}"})

    done = kit.run("--update", check=code)

    assert done.stdout == "done\n"


@pytest.mark.parametrize("call", ["update", "validate", "start"])
def test_a_method_that_is_not_there_is_78(kit, call):
    kit.write(DOCUMENT)

    done = kit.run(f"--{call}", check=78)

    assert done.stdout == f"container: this image has no {call} method\n"


def test_a_script_may_lack_its_bit_and_its_first_line(kit):
    script = kit.script("srv/update.sh", 'echo "took $0"\n', mode=0o644)
    kit.write(DOCUMENT | {"update_method": script})

    assert kit.run("--update", check=0).stdout == f"took {script}\n"


def test_validate_is_65_whatever_its_method_says(kit):
    kit.write(DOCUMENT | {"validate_method": "echo wrong; exit 3"})

    assert kit.run("--validate", check=65).stdout == "wrong\n"


# The article's three lines, with words in place of git and rndc.
SEEDS = """\
echo ">> Fetching latest git checkout"

echo ">> Validating configuration"
container --validate

echo ">> Reloading name server"
"""


PIPED = ': >"$AT/piped"; container --validate | { : >"$AT/read"; cat; }'
READ = 'while [ -e "$AT/piped" ] && [ ! -e "$AT/read" ]; do :; done; '
"""Waits for the reader: a script that is ended before it started that leaves its pipe full."""


@pytest.mark.parametrize(
    "script",
    [
        SEEDS,
        SEEDS.replace("container --validate", PIPED),
        SEEDS.replace("container --validate", "(container --validate) || true"),
        SEEDS.replace("container --validate", "if container --validate; then :; fi"),
        SEEDS.replace("container --validate", "sh -c 'container --validate; echo inner'"),
        "trap 'echo trapped' EXIT TERM\n" + SEEDS,
    ],
)
def test_nothing_of_an_update_runs_after_a_validation_that_failed(kit, script, tmp_path):
    kit.write(
        DOCUMENT
        | {
            "update_method": kit.script("update.sh", "#!/bin/sh\n" + script),
            "validate_method": READ + "echo checked; exit 1",
        }
    )

    done = kit.run("--update", check=65, env={"AT": str(tmp_path)})

    assert done.stdout == (
        ">> Fetching latest git checkout\n>> Validating configuration\nchecked\n"
    )


def test_an_update_goes_on_after_a_validation_that_passed(kit):
    kit.write(
        DOCUMENT | {"update_method": kit.script("update.sh", SEEDS), "validate_method": "true"}
    )

    assert kit.run("--update", check=0).stdout.endswith(">> Reloading name server\n")


def test_a_validation_outside_of_an_update_ends_nothing(kit):
    kit.write(DOCUMENT | {"validate_method": "false"})
    script = kit.script("elsewhere.sh", "#!/bin/sh\ncontainer --validate\necho went on: $?\n")

    done = subprocess.run(
        [script],
        env=kit.env | {"CONTAINER_UPDATE": "4194304"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "went on: 65\n"


def test_methods_run_in_the_checkout_and_are_told_where_it_is(kit):
    checkout = kit.root / "data"
    checkout.mkdir()
    kit.write(
        DOCUMENT
        | {"checkout": str(checkout), "validate_method": "pwd; echo $CONTAINER_CHECKOUT"}
    )

    assert kit.run("--validate", check=0).stdout == f"{checkout}\n{checkout}\n"


def test_git_in_a_method_never_asks(kit):
    kit.write(DOCUMENT | {"update_method": "env"})

    found = dict(
        line.split("=", 1) for line in kit.run("--update", check=0).stdout.splitlines()
    )

    assert found["GIT_TERMINAL_PROMPT"] == "0"
    assert found["GIT_SSH"] == f"{kit.lib}/ssh"
    assert found["GIT_ASKPASS"] == f"{kit.lib}/askpass"


def test_git_ssh_command_of_the_image_counts_more(kit):
    kit.write(DOCUMENT | {"update_method": "env"})

    found = kit.run("--update", env={"GIT_SSH_COMMAND": "mine"}, check=0).stdout

    assert "GIT_SSH_COMMAND=mine\n" in found
    assert "GIT_SSH=" not in found


@pytest.mark.parametrize(
    ("method", "code", "line"),
    [
        ("echo OK; exit 0", 0, "OK\n"),
        ("echo WARNING; echo more; exit 1", 1, "WARNING\n"),
        ("echo CRITICAL; exit 2", 2, "CRITICAL\n"),
        ("echo gone; exit 9", 3, "UNKNOWN: exit code 9: gone\n"),
        (None, 3, "UNKNOWN: this image has no monitor method\n"),
    ],
)
def test_monitor_is_one_line_and_four_codes(kit, method, code, line):
    kit.write(DOCUMENT | {"monitor_method": method})

    assert kit.run("--monitor", check=code).stdout == line


def test_metrics_are_the_images_and_the_methods(kit):
    kit.write(
        DOCUMENT | {"build_time_stamp": 1427691730, "metrics_method": "echo queries_total 7"}
    )

    assert kit.run("--metrics", check=0).stdout.splitlines()[2::3] == [
        f'container_build_info{{project="bind",image="ops/bind",gitref="{COMMIT}"}} 1',
        "container_build_timestamp_seconds 1427691730",
    ]
    assert kit.run("--metrics").stdout.endswith("\nqueries_total 7\n")


def test_packages_are_those_of_the_build(kit):
    packages = [Package("bash", "5.2", "dpkg"), Package("openssl", "3.0.15-1", "dpkg")]
    kit.write(DOCUMENT, packages=packages)

    assert parse_packages(kit.run("--packages", check=0).stdout) == packages


def test_packages_that_nobody_recorded_are_78(kit):
    kit.write(DOCUMENT)

    assert kit.run("--packages", check=78).stdout.endswith("recorded no packages\n")


def test_a_call_that_is_none_is_64_with_the_usage(kit):
    kit.write(DOCUMENT)

    assert "usage: container CALL" in kit.run("--frobnicate", check=64).stdout


# ---------------------------------------------------------------- gitref


def checkout_at(path: Path, text="one"):
    subprocess.run(["git", "init", "-q", path], check=True)
    words = ["commit", "--quiet", "--allow-empty", "--message", text]
    subprocess.run(["git", "-C", path, *words], env=os.environ | GIT, check=True)
    done = subprocess.run(
        ["git", "-C", path, "rev-parse", "HEAD"], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


def test_gitref_is_that_of_the_only_checkout_whoever_asks(kit):
    head = checkout_at(kit.root / "data")
    kit.write(DOCUMENT | {"checkout": str(kit.root / "data")})

    assert kit.run("--gitref", check=0).stdout == f"{head}\n"
    assert kit.run("--gitref", "some/mirror", check=0).stdout == f"{head}\n"


@pytest.mark.parametrize(
    "name", ["ops/Zones", "https://git.example.net/ops/zones.git", "git@git:ops/zones", "zones"]
)
def test_gitref_of_several_checkouts_is_that_of_the_repository(kit, name):
    checkout_at(kit.root / "conf", "conf")
    head = checkout_at(kit.root / "zones", "zones")
    kit.write(
        DOCUMENT
        | {
            "checkouts": [
                {"path": str(kit.root / "conf"), "repository": "https://git/ops/conf.git"},
                {"path": str(kit.root / "zones"), "repository": "git@git:ops/zones.git"},
            ]
        }
    )

    assert kit.run("--gitref", name, check=0).stdout == f"{head}\n"
    assert kit.run("--gitref", env={"HOOKRUNNER_REPOSITORY": name}).stdout == f"{head}\n"
    assert kit.run("--gitref", check=78).stdout == ""
    assert kit.run("--gitref", "ops/other", check=78).stdout == ""


def test_gitref_without_a_checkout_is_78_and_nothing(kit):
    (kit.root / "empty").mkdir()
    kit.write(DOCUMENT | {"checkout": str(kit.root / "empty")})

    assert kit.run("--gitref", check=78).stdout == ""


# ---------------------------------------------------------------- start

SERVICE = """\
#!/bin/sh
trap 'echo got TERM; exit 7' TERM
trap 'echo got HUP' HUP
echo ready
while :; do sleep 0.1; done
"""


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_start_passes_signals_on_and_ends_with_the_services_code(kit, stop):
    kit.write(DOCUMENT | {"start_method": kit.script("start.sh", SERVICE)})
    with kit.start("--start") as process:
        assert process.stdout.readline() == "ready\n"

        process.send_signal(signal.SIGHUP)
        assert process.stdout.readline() == "got HUP\n"
        process.send_signal(stop)

        assert process.stdout.readline() == "got TERM\n"
        assert process.wait(30) == 7


@pytest.mark.parametrize("code", [0, 3, 127])
def test_start_ends_with_the_code_of_a_service_that_ends_by_itself(kit, code):
    kit.write(DOCUMENT | {"start_method": f"exit {code}"})

    kit.run("--start", check=code)


def test_start_gives_the_service_its_input(kit):
    kit.write(DOCUMENT | {"start_method": "cat"})

    done = subprocess.run(
        [kit.bin / "container", "--start"],
        input="word\n",
        env=kit.env,
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "word\n"


def test_start_in_an_update_leaves_no_mark_on_the_service(kit):
    kit.write(DOCUMENT | {"start_method": "env", "update_method": "container --start"})

    done = kit.run("--update", env={"HOOKRUNNER_STEP": "s", "HOOKRUNNER_RUN": "r"}, check=0)

    assert "PATH=" in done.stdout
    assert "HOOKRUNNER_" not in done.stdout


def test_the_first_start_is_remembered(kit):
    kit.write(DOCUMENT | {"start_method": "true"})

    kit.run("--start", check=0)
    first = (kit.state / "started").read_text()
    kit.run("--start", check=0)

    assert abs(int(first) - time.time()) < 600
    assert (kit.state / "started").read_text() == first


def test_shellcheck_finds_nothing():
    program = shutil.which("shellcheck")
    if program is None:
        pytest.skip("no shellcheck on this machine")
    folder = Path(str(resources.files("hookrunner.kit").joinpath("files")))
    files = [
        folder / name for name in ("container", "container-update", "trees", "ssh", "askpass")
    ]

    done = subprocess.run([program, *files], capture_output=True, text=True, check=False)

    assert done.stdout == ""
