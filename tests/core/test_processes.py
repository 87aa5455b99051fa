"""How a step's processes are found and stopped, by real shells; and what the scripts tell."""

import os
import secrets
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from hookrunner.core import processes
from hookrunner.core.commands import wrapped
from hookrunner.core.processes import Look, Process

GITREF = "ab" * 20
PATH = {"PATH": os.environ["PATH"]}
STEP = f"mine{secrets.token_hex(8)}"
"""A step of this test run alone: the script looks at every process of the machine."""
MARKED = PATH | {"HOOKRUNNER_STEP": STEP, "HOOKRUNNER_RUN": "run"}
SHELLS = [["dash"], ["bash", "--posix"], ["busybox", "sh"]]
KINDS = {
    "a child": "sleep 1000 & wait",
    "a session of its own": "setsid sleep 1000 & wait",
    "no environment": "env -i sleep 1000 & wait",
    "neither, while its parent lives": "env -i setsid sleep 1000 & wait",
    "an orphan": "(sleep 1000 &)",
    "an orphan in a session of its own": "(setsid sleep 1000 &)",
    "an orphan without environment": "(env -i sleep 1000 &); setsid sleep 999 & sleep 1000",
    "deaf to TERM": "trap '' TERM; while :; do sleep 1; done",
    "deaf to TERM and HUP": "trap '' HUP TERM; nohup sleep 1000 >/dev/null 2>&1 & wait",
    "stopped": "kill -STOP $$",
}


@pytest.fixture(params=SHELLS, ids=lambda shell: shell[0])
def look(request):
    """A function: run the stop script once, with one of the shells that images have."""
    if shutil.which(request.param[0]) is None:
        pytest.skip(f"{request.param[0]} is not there")

    def run(signal, *, wait=0, seen="", age=3600):
        done = subprocess.run(
            [*request.param, *processes.STOP[1:]],
            env=PATH
            | {
                "HOOKRUNNER_STOP": STEP,
                "HOOKRUNNER_SIGNAL": signal,
                "HOOKRUNNER_WAIT": str(wait),
                "HOOKRUNNER_AGE": str(age),
                "HOOKRUNNER_SEEN": seen,
            },
            capture_output=True,
            check=True,
            timeout=60,
        )
        return processes.looked(done.stdout.decode())

    return run


def start(script, environment):
    return subprocess.Popen(["sh", "-c", script], env=environment, start_new_session=True)


def sessions_of(*pids):
    """The processes that run in these sessions."""
    done = subprocess.run(
        ["ps", "-eo", "pid=,sid=,stat=,args="], capture_output=True, check=True, text=True
    )
    found = [line.split(maxsplit=3) for line in done.stdout.splitlines()]
    return [one for one in found if int(one[1]) in pids and not one[2].startswith("Z")]


@pytest.mark.process
def test_the_stop_script_stops_ten_kinds_of_processes_and_no_other_service(look):
    marked = [start(script, MARKED) for script in KINDS.values()]
    other = start("sleep 1000", PATH | {"HOOKRUNNER_STEP": "other", "HOOKRUNNER_RUN": "run"})
    service = start("env -u HOOKRUNNER_STEP setsid sleep 1000 & wait", MARKED)
    child = wait_for_sleep(service)
    try:
        look("TERM")
        left = look("KILL", wait=1)

        assert left == Look(frozenset(), {})
        assert sessions_of(*(process.pid for process in marked)) == []
        assert other.poll() is None
        assert sessions_of(child), "what left the step on purpose was stopped"
    finally:
        os.kill(child, 9)
        for process in (*marked, other, service):
            process.kill()
            process.wait(10)


def wait_for_sleep(parent):
    """The pid of a child that calls itself sleep by now."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done = subprocess.run(
            ["ps", "-o", "pid=,comm=", "--ppid", str(parent.pid)],
            capture_output=True,
            check=False,
            text=True,
        )
        for line in done.stdout.splitlines():
            pid, name = line.split()
            if name == "sleep":
                return int(pid)
    pytest.fail("no child came up")


@pytest.mark.process
def test_what_was_seen_before_is_found_without_its_mark(look):
    process = start("exec sleep 1000", PATH)
    try:
        stat = Path(f"/proc/{process.pid}/stat").read_text()
        born = stat.rpartition(")")[2].split()[19]

        assert look("KILL").alive == frozenset()
        assert process.poll() is None
        assert look("KILL", seen=f"{process.pid}:1{born}").alive == frozenset()
        assert process.poll() is None
        look("KILL", seen=f"{process.pid}:{born}")
        assert process.wait(10) == -9
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.process
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start something as another user")
def test_what_nobody_could_look_into_is_named_and_never_counts_as_none():
    stranger = subprocess.Popen(
        ["sleep", "1000"], env=MARKED, start_new_session=True, user=65534, group=65533
    )
    other = subprocess.Popen(
        ["sleep", "1000"], env=PATH, start_new_session=True, user=65534, group=65533
    )
    try:
        told = _as_user(65533, age=10**7)
        nobody = _as_user(65534, age=10**7)
        later = _as_user(65533, age=-60)

        assert str(stranger.pid) in {process.split(":")[0] for process in told.unread}
        assert set(told.unread.values()) >= {"65534:65533"}
        assert stranger.wait(30) == -15
        assert other.poll() is None
        assert not {str(stranger.pid), str(other.pid)} & {
            process.split(":")[0] for process in nobody.unread | later.unread
        }
    finally:
        for process in (stranger, other):
            process.kill()
            process.wait(10)


def _as_user(user, *, age):
    done = subprocess.run(
        processes.STOP,
        env=PATH
        | {
            "HOOKRUNNER_STOP": STEP,
            "HOOKRUNNER_SIGNAL": "TERM",
            "HOOKRUNNER_WAIT": "0",
            "HOOKRUNNER_AGE": str(age),
            "HOOKRUNNER_SEEN": "",
        },
        capture_output=True,
        check=True,
        timeout=60,
        user=user,
        group=65533,
        extra_groups=[],
    )
    return processes.looked(done.stdout.decode())


@pytest.fixture
def here(tmp_path):
    """A function: a command that keeps its word below the test's directory, as this machine
    is no container."""

    def moved(command):
        return [_moved(word, tmp_path) for word in command]

    return moved


def _moved(word, directory):
    for number, place in enumerate(processes.KEPT):
        word = word.replace(place, str(directory / f"kept{number}"))
    return word


@pytest.mark.process
@pytest.mark.parametrize("code", [0, 7])
def test_a_wrapper_is_alive_until_it_told_how_it_ended(tmp_path, here, code):
    go = tmp_path / "go"
    script = f"while [ ! -e {go} ]; do sleep 0.05; done; exit {code}"
    process = subprocess.Popen(
        here(wrapped(["sh", "-c", script], ["echo", GITREF])),
        env=MARKED | {"HOOKRUNNER_NONCE": "n"},
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert _recover(here) == "alive"
        go.touch()
        process.wait(30)

        assert processes.recovered(_recover(here)) == (code, GITREF)
        assert _recover(here, "other") == "gone"
    finally:
        process.kill()
        process.wait(10)


@pytest.mark.process
def test_a_wrapper_that_was_killed_left_no_word_though_its_command_lives(here):
    process = start("sleep 1000", MARKED)
    try:
        assert _recover(here) == "gone"
    finally:
        process.kill()
        process.wait(10)


def _recover(here, step=STEP):
    done = subprocess.run(
        here(processes.RECOVER),
        env=PATH | {"HOOKRUNNER_STOP": step},
        capture_output=True,
        check=True,
        timeout=60,
    )
    return done.stdout.decode().strip()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"ended 65 {GITREF}\n", (65, GITREF)),
        ("ended 0 \n", (0, None)),
        ("ended 0 abc\n", (0, None)),
        ("alive\n", None),
        ("gone\n", None),
        ("ended x\n", None),
        ("", None),
    ],
)
def test_what_a_container_kept_is_read_back(text, found):
    assert processes.recovered(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("complete\n", Look(frozenset(), {})),
        (
            "alive 7:100\nalive 8:101\nunread 9:102 33:0\ncomplete\n",
            Look(frozenset({"7:100", "8:101"}), {"9:102": "33:0"}),
        ),
        ("unread 9:102 \ncomplete\n", Look(frozenset(), {"9:102": ""})),
        ("alive 7:100\n", None),
        ("", None),
        ("cannot look into /proc\n", None),
        ("OCI runtime exec failed: something\r\n", None),
        ("nonsense\ncomplete\n", None),
    ],
)
def test_only_a_whole_report_says_anything(text, found):
    assert processes.looked(text) == found


def test_without_a_script_all_that_is_young_and_not_the_service_may_be_the_steps():
    found = [
        Process(pid=10, session=10, age=5.0),
        Process(pid=11, session=10, age=1.0),
        Process(pid=12, session=12, age=100.0),
        Process(pid=13, session=13, age=20.0),
        Process(pid=14, session=13, age=3.0),
    ]

    assert processes.possible(found, service=10, age=20.0) == [13, 14]
    assert processes.possible(found[:3], service=10, age=20.0) == []
