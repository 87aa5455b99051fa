"""A machine with systemd, on which hookrunner is installed, used, broken, upgraded, removed.

The machine is a container with systemd as PID 1 and no network: all traffic is within it, and
what is installed are files. The units are those that are shipped. The tests are in the order
of the machine's life, and each leaves the service running for the next.
"""

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from machines import PUSHER, Machine

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
INSTALL = "/src/systemd/install"
DOCUMENT = ROOT / "hookrunner" / "docs" / "installation.md"
DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends systemd systemd-sysv dbus python3 \\
 && rm -rf /var/lib/apt/lists/* \\
 && systemctl mask getty.target console-getty.service systemd-logind.service
STOPSIGNAL SIGRTMIN+3
CMD ["/bin/sh", "-c", "mount --make-rshared / && exec /sbin/init"]
"""
"""Mounts are shared, as systemd has them on a machine: it hands over credentials by one."""
OPTIONS = [
    *("--cap-add", "SYS_ADMIN", "--cap-add", "NET_ADMIN", "--cap-add", "SYS_PTRACE"),
    *("--cap-add", "DAC_READ_SEARCH", "--security-opt", "seccomp=unconfined"),
    *("--tmpfs", "/run", "--tmpfs", "/run/lock", "--tmpfs", "/tmp"),  # noqa: S108 - its own
    *("--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--cgroupns=private"),
]


@pytest.fixture(scope="module")
def wheels(tmp_path_factory, wheelhouse):
    """A directory: the wheels of what is needed, and of three versions of hookrunner."""
    directory = tmp_path_factory.mktemp("wheels")
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "hookrunner", source / "hookrunner", ignore=ignored)
    init, app = (
        source / "hookrunner" / "__init__.py",
        source / "hookrunner" / "app" / "__init__.py",
    )
    good = init.read_text()
    for name, version in (("now", None), ("next", "99.1"), ("broken", "99.2")):
        place = directory / name
        place.mkdir()
        if version is not None:
            init.write_text(re.sub(r'__version__ = ".*"', f'__version__ = "{version}"', good))
        if name == "broken":
            app.write_text(app.read_text() + "\nraise OSError('this one does not start')\n")
        subprocess.run(
            [
                *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
                *("--no-build-isolation", "--wheel-dir", str(place), str(source)),
            ],
            check=True,
            timeout=300,
        )
        for wheel in wheelhouse.glob("*.whl"):
            os.link(wheel, place / wheel.name)
    directory.chmod(0o755)
    return directory


@pytest.fixture(scope="module")
def machine(docker, engine_url, start_container, tmp_path_factory, wheels):
    """The machine, started; nothing is installed yet."""
    if not engine_url.startswith("unix://"):
        pytest.skip("the engine is on another machine")
    socket = Path(engine_url.removeprefix("unix://")).resolve()
    tag = f"hookrunner-machine:{hashlib.sha256(DOCKERFILE.encode()).hexdigest()[:12]}"
    if not docker("images", "--quiet", tag):
        context = tmp_path_factory.mktemp("machine")
        (context / "Dockerfile").write_text(DOCKERFILE)
        docker("build", "--network", "host", "--tag", tag, str(context))
    mounts = (f"{socket}:/run/docker.sock", f"{ROOT}:/src:ro", f"{wheels}:/wheels:ro")
    made = start_container("machine", image=tag, volumes=mounts, command=(), options=OPTIONS)
    machine = Machine(engine_url, made)
    machine.until("systemctl", "is-system-running", wanted="running")
    machine.run("groupadd", "--gid", str(socket.stat().st_gid), "docker", check=False)
    machine.write("/root/push", PUSHER)
    yield machine
    docker("rm", "--force", made)


@pytest.fixture(scope="module")
def site(new_site):
    """What is updated."""
    return new_site("served")


def files(machine):
    """Everything that an installation may have made."""
    return machine.run(
        *("find", "/usr/local", "/opt", "/etc/systemd", "/etc/sysusers.d", "/etc/hookrunner"),
        *("/var/lib/hookrunner", "-newer", "/root/push", "(", "-type", "f", "-o", "-type", "l"),
        *(")"),
        check=False,
    )[1]


def test_one_command_installs_it_and_says_what_the_git_server_needs(machine, measured):
    [told] = re.findall(
        r"^# systemd/install (--forge .*)$", DOCUMENT.read_text(), re.MULTILINE
    )[:1]
    machine.began = time.monotonic()

    said = machine.run(INSTALL, "--wheels", "/wheels/now", *shlex.split(told))

    measured(f"installed in {time.monotonic() - machine.began:.1f} s")
    secret = machine.run("cat", "/etc/hookrunner/gitea.secret")
    assert re.search(r"URL +http://127\.0\.0\.1:4665/hooks/gitea\n", said)
    assert re.search(rf"secret +{secret}\n", said)
    assert "content type  application/json" in said
    assert "✓ engine local" in said
    assert "hookrunner check --await-delivery" in said
    assert machine.run("stat", "-c", "%a %U", "/etc/hookrunner/gitea.secret") == "600 root"
    assert ".TH HOOKRUNNER 1" in machine.run(
        "head", "-n", "5", "/usr/local/share/man/man1/hookrunner.1"
    )


def test_the_server_has_no_rights_but_its_sockets(machine, measured):
    pid = machine.show("MainPID")
    status = machine.run("cat", f"/proc/{pid}/status")
    [groups] = re.findall(r"^Groups:\s*(.*?)\s*$", status, re.MULTILINE)

    assert (
        re.findall(r"^Cap(?:Eff|Prm|Bnd|Amb):\s*(\w+)$", status, re.MULTILINE) == ["0" * 16] * 4
    )
    assert set(groups.split()) <= {machine.run("id", "-g", "hookrunner")}
    hidden = machine.run("nsenter", "-t", pid, "-m", "stat", "-c", "%a", "/run/docker.sock")
    assert hidden == "0"
    said = machine.run("systemd-analyze", "security", "hookrunner.service")
    [exposure] = re.findall(r"Overall exposure level for .*: ([0-9.]+) ", said)
    measured(f"exposure of the running server: {exposure}")
    assert float(exposure) <= 1.5
    assert machine.run("stat", "-c", "%a %U", "/var/lib/hookrunner") == "710 hookrunner"


def test_a_push_updates_a_container_through_the_gate(machine, site, docker, measured):
    machine.until("hookrunner", "ps", wanted=site.project)

    run = machine.push(site.push())["run"]

    machine.until("hookrunner", "show", run, wanted="updated")
    seconds = time.monotonic() - machine.began
    measured(
        f"from `systemd/install` (the only command, python3 and wheels are there) to the first"
        f" pushed update: {seconds:.0f} s"
    )
    assert docker("exec", site.id, "git", "-C", "/srv/data", "rev-parse", "HEAD") == site.head
    assert machine.show("ActiveState", "hookrunner-gate.service") == "active"


def test_a_restart_under_load_refuses_nobody(machine, site, measured):
    with machine.load(site.body("1" * 40, "2" * 40)) as found:
        for _ in range(3):
            machine.run("systemctl", "restart", "hookrunner.service")

    measured(f"three restarts under load: {found}")
    assert set(found) <= {"200", "202"}  # 200: nothing runs, as nothing follows that branch
    assert found["202"]


def test_a_server_that_hangs_is_started_anew_and_says_where_it_hung(machine):
    machine.run("mkdir", "-p", "/run/systemd/system/hookrunner.service.d")
    machine.write(
        "/run/systemd/system/hookrunner.service.d/quick.conf",
        "[Service]\nWatchdogSec=2s\nRestartSec=100ms\n",
    )
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hookrunner.service")
    pid = machine.show("MainPID")

    machine.run("sh", "-c", f"kill -STOP {pid}")

    machine.until("systemctl", "show", "hookrunner", "-p", "NRestarts", wanted="=1")
    machine.ready()
    log = machine.run("journalctl", "-u", "hookrunner", "--no-pager", "-o", "cat")
    assert "Watchdog timeout" in log
    assert "Fatal Python error: Aborted" in log
    machine.run("rm", "-r", "/run/systemd/system/hookrunner.service.d")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hookrunner.service")


def test_a_wrong_configuration_is_refused_on_reload_and_the_old_one_stays(machine, site):
    good = machine.run("cat", "/etc/hookrunner/hookrunner.yaml") + "\n"
    pid = machine.show("MainPID")
    machine.write("/etc/hookrunner/hookrunner.yaml", good + "drain_timout: 5s\n")

    code, _ = machine.run("systemctl", "reload", "hookrunner.service", check=False)

    assert code != 0
    assert re.search(r"hookrunner\.yaml:\d+:1: unknown", machine.log())
    assert machine.push(site.push())["run"]
    machine.write("/etc/hookrunner/hookrunner.yaml", good + "drain_timeout: 5s\n")
    machine.run("systemctl", "reload", "hookrunner.service")
    assert machine.show("MainPID") == pid
    machine.write("/etc/hookrunner/hookrunner.yaml", good)


def test_a_mistake_in_the_configuration_is_told_and_nothing_is_refused_until_it_is_mended(
    machine, site, measured
):
    good = machine.run("cat", "/etc/hookrunner/hookrunner.yaml") + "\n"
    machine.write("/etc/hookrunner/hookrunner.yaml", good + "drain_timout: 5s\n")
    told = ("journalctl", "-u", "hookrunner", "-o", "cat", "--no-pager", "--since")
    since = machine.run("date", "+%F %T")

    code, _ = machine.run("systemctl", "restart", "hookrunner.service", check=False)

    assert code != 0
    assert machine.show("ExecMainStatus") == "78"
    assert (machine.show("ActiveState"), machine.show("NRestarts")) == ("failed", "0")
    assert re.search(r"hookrunner\.yaml:\d+:1: unknown", machine.run(*told, since))

    # Whoever connects now has systemd try again.
    with machine.load(site.body("1" * 40, "2" * 40)) as found:
        since = machine.run("date", "+%F %T")
        machine.until(*told, since, wanted="unknown")
        assert machine.show("ActiveState", "hookrunner.socket") == "active"
        machine.write("/etc/hookrunner/hookrunner.yaml", good)
        machine.run("systemctl", "restart", "hookrunner.service")

    measured(f"a mistake that is mended under load: {found}")
    assert set(found) <= {"200", "202"}
    assert found["202"]


def test_a_mistake_in_the_gates_file_is_over_once_it_is_mended(machine):
    machine.write("/etc/hookrunner/gate.yaml", "contaners: []\n")
    code, _ = machine.run("systemctl", "restart", "hookrunner-gate.service", check=False)
    assert code != 0
    assert "gate.yaml:1:1: unknown key `contaners`" in machine.log()

    machine.run("rm", "/etc/hookrunner/gate.yaml")

    # The server asks for its engine again and again, and so has systemd start it.
    machine.until("systemctl", "status", "hookrunner-gate.service", wanted="Active: active")
    machine.ready()


def test_no_number_of_failures_closes_the_port_for_good(machine):
    units = ("hookrunner.service", "hookrunner-gate.service")

    assert [machine.show("StartLimitIntervalUSec", unit) for unit in units] == ["0"] * 2


def test_an_address_is_changed_in_the_configuration_and_in_the_sockets_unit(machine):
    good = machine.run("cat", "/etc/hookrunner/hookrunner.yaml") + "\n"
    dropin = "/run/systemd/system/hookrunner.socket.d/other.conf"
    reload = ("hookrunner", "reload")
    both = 'listen: ["127.0.0.1:4665", "127.0.0.1:4777"]\n'
    machine.write("/etc/hookrunner/hookrunner.yaml", good + both)
    assert "has no ListenStream=127.0.0.1:4777: that port closes" in machine.run(*reload)
    machine.write("/etc/hookrunner/hookrunner.yaml", good + "listen: 127.0.0.1:4777\n")

    code, said = machine.run(*reload, check=False)

    assert code == 78
    assert "systemd listens on 127.0.0.1:4665, and `listen` has no such address" in said
    assert "systemctl restart hookrunner.socket" in said
    assert machine.run("systemctl", "restart", "hookrunner", check=False)[0] != 0
    assert machine.show("ExecMainStatus") == "78"

    machine.run("mkdir", "-p", dropin.rpartition("/")[0])
    machine.write(dropin, "[Socket]\nListenStream=\nListenStream=127.0.0.1:4777\n")
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hookrunner.socket", "hookrunner")

    machine.until(
        "systemctl", "status", "hookrunner", wanted="listening on http://127.0.0.1:4777"
    )
    machine.write("/etc/hookrunner/hookrunner.yaml", good)
    machine.run("rm", dropin)
    machine.run("systemctl", "daemon-reload")
    machine.run("systemctl", "restart", "hookrunner.socket", "hookrunner")


def test_after_a_reboot_it_is_there_by_itself_with_all_that_it_knew(machine, docker, site):
    run = machine.push(site.push())["run"]
    machine.until("hookrunner", "show", run, wanted="updated")

    docker("restart", machine.container)

    machine.until("hookrunner", "show", run, wanted="updated")
    machine.ready()
    again = machine.push(site.push())["run"]
    machine.until("hookrunner", "show", again, wanted="updated")


def test_installing_again_changes_nothing_of_the_administrators(machine):
    dropin = "/etc/systemd/system/hookrunner.service.d/credentials.conf"
    machine.run(
        "sh", "-c", f"echo '# mine' >>{dropin}; echo '# mine' >>/etc/hookrunner/hookrunner.yaml"
    )
    sums = ("sh", "-c", "sha256sum /etc/hookrunner/* /etc/systemd/system/hook*.d/*")
    before = machine.run(*sums)

    said = machine.run(
        *(INSTALL, "--wheels", "/wheels/now", "--forge", "github", "--repositories", "x/*")
    )

    assert machine.run(*sums) == before
    assert "hookrunner.yaml is kept as it is" in said
    machine.ready()


def test_an_upgrade_under_load_refuses_nobody(machine, site, measured):
    with machine.load(site.body("1" * 40, "2" * 40)) as found:
        said = machine.run(INSTALL, "--upgrade", "--wheels", "/wheels/next", "--with", "crypto")

    measured(f"upgraded under load: {found}")
    assert said.endswith("hookrunner 99.1")
    assert set(found) <= {"200", "202"}  # 200: nothing runs, as nothing follows that branch
    assert found["202"]
    machine.ready()
    machine.run("/opt/hookrunner/current/bin/python", "-c", "import cryptography")


def test_an_upgrade_that_does_not_start_goes_back(machine, site):
    code, said = machine.run(INSTALL, "--upgrade", "--wheels", "/wheels/broken", check=False)

    assert code == 1
    assert "making the new environment (/opt/hookrunner/releases), with crypto" in said
    assert "this one does not start" in said
    assert "hookrunner 99.1 is in use again" in said
    machine.ready()
    assert machine.push(site.push())["run"]


def test_uninstalling_leaves_what_is_the_administrators_and_purging_nothing(machine):
    machine.run(INSTALL, "--uninstall")

    left = files(machine)
    assert "/opt" not in left
    assert "/usr/local" not in left
    assert "/etc/hookrunner/gitea.secret" in left
    assert "/var/lib/hookrunner/" in left
    assert (
        machine.run("systemctl", "list-units", "--all", "--plain", "hookrunner*", "--no-legend")
        == ""
    )

    machine.run(INSTALL, "--uninstall", "--purge")

    assert [
        one
        for one in files(machine).splitlines()
        if "hookrunner" in one and "No such" not in one
    ] == []
    assert machine.run("getent", "passwd", "hookrunner", check=False)[0] != 0
