"""All that may go wrong around the safe update, and what it leaves behind then."""

import os
import shutil
import signal
import subprocess
import threading
import time

import pytest

pytestmark = pytest.mark.process


def test_a_server_that_is_away_is_75_and_changes_nothing(site):
    site.update()
    site.describe(git_repo="http://127.0.0.1:1/ops/dns.git")

    said = site.update(code=75)

    assert said.endswith("nothing was fetched; nothing changed\n")
    assert site.zone() == "first"


def test_a_branch_that_is_not_there_is_no_matter_of_time(one):
    one.describe(git_branch="gone")

    assert "couldn't find remote ref" in one.update(code=1)


def test_without_a_branch_it_is_the_servers_own(one):
    one.describe(git_branch=None)

    one.update()

    assert one.loaded() == "first"


def test_a_disk_without_room_is_75_and_changes_nothing(one):
    one.update()
    (one.work / "large").write_bytes(os.urandom(1 << 20))
    second = one.push("second")
    before = one.trees()
    limited = f"ulimit -f 600; exec {one.kit.bin}/container --update"

    done = subprocess.run(
        ["sh", "-c", limited], env=one.kit.env, capture_output=True, text=True, check=False
    )

    assert done.returncode == 75, done.stdout + done.stderr
    assert (one.zone(), one.loaded(), one.trees()) == ("first", "first", before)
    one.update()
    assert one.gitref() == second


def test_submodules_are_checked_out_with_it(one, tmp_path):
    one.git("init", "-q", "--bare", "-b", "main", tmp_path / "sub.git")
    one.git("clone", "-q", tmp_path / "sub.git", tmp_path / "sub")
    (tmp_path / "sub" / "part").write_text("of the submodule\n")
    for words in (
        ["add", "-A"],
        ["commit", "-qm", "sub"],
        ["push", "-q", "origin", "HEAD:main"],
    ):
        one.git(*words, at=tmp_path / "sub")
    one.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../sub.git", "parts")
    one.push("with parts")

    one.update()

    assert (one.live / "parts" / "part").read_text() == "of the submodule\n"
    one.push("second")
    one.update()
    assert (one.live / "parts" / "part").read_text() == "of the submodule\n"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_checkout_of_another_user_is_taken(one):
    one.update()
    subprocess.run(["chown", "-R", "12345", one.live.parent], check=True)
    one.push("second")

    one.update()

    assert (one.loaded(), one.zone()) == ("second", "second")


def test_two_updates_at_once_wait_for_each_other(site):
    site.update()
    site.push("second")
    (site.kit.root / "slow").touch()
    slow = f"while [ -e {site.kit.root}/slow ]; do sleep 0.1; done; {site.reload}"
    site.describe(update_method=f'container-update --wait 0 --reload "{slow}"')
    with site.kit.start("--update") as first:
        seen = ""
        while ">> Reloading" not in seen:
            seen += first.stdout.readline()

        assert "still runs" in site.update(code=75)

        (site.kit.root / "slow").unlink()
        assert first.wait(30) == 0
    assert site.loaded() == "second"


def test_a_daemon_that_a_reload_started_does_not_hold_the_lock(one):
    one.describe(
        update_method=f"container-update --wait 0 --reload"
        f" 'sleep 300 >/dev/null 2>&1 & echo $! >{one.kit.root}/pid'"
    )
    one.update()
    try:
        one.push("second")
        one.describe()
        one.update()
    finally:
        os.kill(int((one.kit.root / "pid").read_text()), signal.SIGKILL)
    assert one.loaded() == "second"


def test_a_mount_is_refused_with_the_remedy(one):
    one.describe(checkout="/proc")

    assert "is a mount, which cannot be switched" in one.update(code=78)


def test_the_store_is_swept_of_trees_that_nobody_needs(one):
    for text in ("a", "b", "c", "d"):
        one.push(text)
        one.update()
    past = time.time() - 3600
    for name in one.trees():
        os.utime(one.store / "trees" / name, (past, past))
    one.push("e")

    one.update()

    assert len(one.trees()) == 3  # the live one, the one before, and the one that was before


SHIM = """\
#!{shell}
echo "$0 $1 $2 $3" >>{calls}
turn=$(grep -c . {calls})
[ "$turn $KILL" != "$KILL_AT before" ] || kill -KILL 0
{real} "$@"
code=$?
[ "$turn" != "$KILL_AT" ] || kill -KILL 0
exit "$code"
"""
"""A program that first counts, and at its turn ends all: before or after its work."""


@pytest.mark.parametrize("when", ["before", pytest.param("after", marks=pytest.mark.soak)])
def test_a_kill_at_any_step_is_healed_by_the_next_update(one, tmp_path, when):
    one.update()
    shims, calls = tmp_path / "shims", tmp_path / "calls"
    shims.mkdir()
    for name in ("git", "mv", "ln", "rm", "mkdir", "touch", "find", "cat", "env", "sh"):
        shim = shims / name
        real, shell = shutil.which(name, path=one.kit.path), one.kit.bin / "sh"
        shim.write_text(SHIM.format(shell=shell, calls=calls, real=real))
        shim.chmod(0o755)
    seen = []

    for step in range(1, 200):
        commit = one.push(f"push {step}")
        calls.write_text("")
        done = subprocess.run(
            [one.kit.bin / "container", "--update"],
            env=one.kit.env
            | {"PATH": f"{shims}:{one.kit.path}", "KILL": when, "KILL_AT": str(step)},
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        zone, copy = (one.live / "zone").read_text(), (one.live / "copy").read_text()
        assert zone == copy, calls.read_text()
        if done.returncode == 0:
            break
        seen.append(calls.read_text().splitlines()[-1])

        one.update()

        assert (one.gitref(), one.loaded()) == (commit, f"push {step}"), seen[-1]
    assert len(seen) > 15
    assert not (one.store / "unfinished").exists()


@pytest.mark.skipif(shutil.which("strace") is None, reason="no strace to end it at every call")
@pytest.mark.parametrize("call", ["rename", "mkdir", "unlink"])
def test_a_program_that_is_killed_in_its_work_is_healed_by_the_next_update(one, call):
    one.update()
    for when in range(1, 30):
        second = one.push(f"push {when}")
        done = subprocess.run(
            [
                *("strace", "-f", "-o", "/dev/null", "-e", f"trace=/^{call}"),
                *("-e", f"inject=/^{call}:signal=KILL:when={when}"),
                *(one.kit.bin / "container", "--update"),
            ],
            env=one.kit.env,
            capture_output=True,
            check=False,
        )

        one.update()

        assert (one.gitref(), one.loaded()) == (second, f"push {when}")
        if done.returncode == 0:
            break


def read_at(tree, name):
    file = os.open(name, os.O_RDONLY, dir_fd=tree)
    try:
        return os.read(file, 4096).decode()
    finally:
        os.close(file)


def test_a_reader_never_sees_half_a_tree(one):
    """A short form of what the soak does in containers: 30 updates, broken ones between."""
    one.update()
    stop, odd, seen = threading.Event(), [], set()

    def read():
        while not stop.is_set():
            tree = os.open(one.live, os.O_RDONLY | os.O_DIRECTORY)
            texts = {read_at(tree, name) for name in ("zone", "copy")}
            os.close(tree)
            seen.update(texts)
            if len(texts) != 1:
                odd.append(texts)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for number in range(15):
            one.push(f"good {number}")
            one.update()
            one.push(f"broken {number}")
            one.update(code=65)
    finally:
        stop.set()
        reader.join()

    assert odd == []
    assert "good 14\n" in seen
    assert not any(text.startswith("broken") for text in seen)
