"""What all tests share: real engines, containers that carry this test run's id, options.

The fixtures use the ``docker`` command, so that they share no code with what they test.
"""

import contextlib
import gc
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from engines import PODMAN_LIMITS, build_base, command_of, docker_url, podman_service
from gates import GateProcess
from hypothesis import HealthCheck, settings

settings.register_profile(  # a busy machine is no failure
    "whole", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("quick", settings.get_profile("whole"), max_examples=10)
settings.load_profile("whole")

REQUIRE = "HOOKRUNNER_REQUIRE"


def pytest_configure():
    """Let what tests start be interrupted, also where they run in a script's background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run the tests marked soak, no others")
    parser.addoption("--gate", action="store_true", help="put a gate before every engine")


SLOW = {"door", "make_world", "store"}
"""The fixtures that start the whole server, or make a database on the disk: what uses one is
marked `process`."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Leave out what is slow, or all else: by a selection of its own, so that `-m` is free."""
    for item in items:
        if SLOW.intersection(getattr(item, "fixturenames", ())):
            item.add_marker("process")
    wanted = config.getoption("soak")
    sorted_out = {True: [], False: []}
    for item in items:
        sorted_out[(item.get_closest_marker("soak") is not None) is wanted].append(item)
    config.hook.pytest_deselected(items=sorted_out[False])
    items[:] = sorted_out[True]


def pytest_collection_finish():
    """Spare the collector what lives until the end: it would look through it all the time."""
    gc.collect()
    gc.freeze()


def pytest_generate_tests(metafunc):
    if "engine_kind" in metafunc.fixturenames:
        kinds = [pytest.param("docker", id=pytest.HIDDEN_PARAM)]
        if metafunc.definition.get_closest_marker("both_engines") is not None:
            kinds.append("podman")
        metafunc.parametrize("engine_kind", kinds, indirect=True, scope="session")
    if "engine_way" in metafunc.fixturenames:
        ways = [pytest.param("direct", id=pytest.HIDDEN_PARAM)]
        if metafunc.config.getoption("gate"):
            ways = [pytest.param("gate", id=pytest.HIDDEN_PARAM)]
        elif metafunc.definition.get_closest_marker("through_gate") is not None:
            ways.append("gate")
        metafunc.parametrize("engine_way", ways, indirect=True, scope="module")


STAYS_SKIPPED = (
    "only root can ",
    "the kernel lets nobody ",
    "the engine is on another machine",
    "not in this checkout: ",
    "no release of Debian 12 has ",
)
"""How the reasons begin that no installation of tools takes away."""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport():
    """Let what is skipped for want of something fail where ``$HOOKRUNNER_REQUIRE`` is set, so
    that a run that passes has looked."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get(REQUIRE):
        reason = report.longrepr[2].removeprefix("Skipped: ")
        if not reason.startswith(STAYS_SKIPPED):
            report.outcome = "failed"
            report.longrepr = f"{reason} ($HOOKRUNNER_REQUIRE lets no test be skipped for that)"
    return report


MEASURED = pytest.StashKey()


@pytest.fixture
def measured(request):
    """A function: say a figure that the test found, which the run's summary shows."""
    return request.config.stash.setdefault(MEASURED, []).append


def pytest_terminal_summary(terminalreporter, config):
    if found := config.stash.get(MEASURED, []):
        terminalreporter.section("measured")
        for line in found:
            terminalreporter.write_line(line)


@pytest.fixture(autouse=True, scope="session")
def hermetic(tmp_path_factory):
    """Nothing of the environment that the tests are started in decides how they end."""
    monkeypatch, home = pytest.MonkeyPatch(), tmp_path_factory.mktemp("home")
    for name in [*os.environ]:
        if name.startswith("HOOKRUNNER_") and name != REQUIRE:
            monkeypatch.delenv(name)
    for name in ("NOTIFY_SOCKET", "CREDENTIALS_DIRECTORY", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    yield
    monkeypatch.undo()


@pytest.fixture
def certify():
    """A function: put a new certificate and its key into a directory."""
    return make_certificate


def make_certificate(place):
    """A certificate that signs itself, in a file of its own and with its key."""
    words = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subprocess.run(
        [
            *(*words.split(), "-subj", "/CN=hooks.example.net", "-keyout", place / "key"),
            *("-addext", "subjectAltName=DNS:hooks.example.net,IP:127.0.0.1"),
            *("-out", place / "pem"),
        ],
        check=True,
        capture_output=True,
    )
    (place / "both").write_bytes((place / "pem").read_bytes() + (place / "key").read_bytes())


@pytest.fixture
def docker_certificates(certify, tmp_path):
    """A function: make a directory that ``$DOCKER_CERT_PATH`` may name."""

    def make(name):
        place = tmp_path / name
        place.mkdir()
        certify(place)
        for wanted, made in (("ca.pem", "pem"), ("cert.pem", "pem"), ("key.pem", "key")):
            shutil.copy(place / made, place / wanted)
        return place

    return make


@pytest.fixture(scope="session")
def wheelhouse():
    """A directory: the wheels of all that hookrunner needs as pinned, of pip and setuptools,
    but none of hookrunner."""
    place = Path(__file__).parents[1] / ".venv" / "wheels"
    if not (place / "made").exists():
        pytest.skip(f"no wheels in {place}: tests/run makes them")
    return place


@pytest.fixture(scope="session")
def engine_kind(request):
    """``docker``, and in its turn ``podman`` for a test that is marked `both_engines`."""
    return request.param


@pytest.fixture(scope="module")
def engine_way(request):
    """``direct``, and in its turn ``gate`` for a test that is marked `through_gate`: how what
    is tested reaches the engine."""
    return request.param


@pytest.fixture(scope="session")
def engine_url(request, engine_kind):
    """The address of a real engine; without one the test is skipped."""
    if engine_kind == "podman":
        return request.getfixturevalue("podman_url")
    return docker_url()


@pytest.fixture(scope="session")
def podman_url(tmp_path_factory):
    """The address of a Podman that is started for the tests, with storage of its own."""
    if os.geteuid() != 0:
        pytest.skip("only root can start this Podman")
    if shutil.which("podman") is None:
        pytest.skip("no Podman: apt-get install podman runc catatonit")
    with podman_service(tmp_path_factory.mktemp("podman")) as url:
        yield url


@pytest.fixture(scope="session")
def docker(engine_url):
    """A function: run the command ``docker`` with these arguments, and give its stdout."""
    return command_of(engine_url)


@pytest.fixture(scope="session")
def run_id(docker):
    """This test run's id, the prefix of all its names and the value of the label
    ``hookrunner.test``. What carries the label is removed at the end, but for ``KEEP=1``."""
    name = f"hr{secrets.token_hex(3)}"
    yield name
    if os.environ.get("KEEP") == "1":
        return
    label = f"label=hookrunner.test={name}"
    if containers := docker("ps", "--all", "--quiet", "--filter", label).split():
        docker("rm", "--force", "--volumes", *containers)
    left = None
    while (images := {*docker("images", "--quiet", "--filter", label).split()}) not in (
        set(),
        left,
    ):
        left = images  # one that another is made from goes in the next round
        with contextlib.suppress(pytest.fail.Exception):
            docker("rmi", "--force", *images)
    assert not images
    if volumes := docker("volume", "ls", "--quiet", "--filter", label).split():
        docker("volume", "rm", "--force", *volumes)


@pytest.fixture(scope="session")
def base_image(docker, engine_kind, tmp_path_factory):
    """An image with git and a hand-written ``container`` script.

    It is tagged with the hash of what it is built from, carries no label, and stays for
    later runs. Podman gets what Docker built.
    """
    if engine_kind == "podman":
        there = command_of(docker_url())
        tag = build_base(there, tmp_path_factory)
        archive = tmp_path_factory.mktemp("podman_image") / "image.tar"
        there("save", "--output", str(archive), tag, "debian:bookworm-slim")
        docker("load", "--input", str(archive))
        archive.unlink()
        return tag
    return build_base(docker, tmp_path_factory)


@pytest.fixture(scope="session")
def start_container(docker, run_id, engine_kind, request):
    """A function: start a container, and give its id.

    Its name is the run's id, a dash and the suffix; it lives until the session ends, or
    until the test removes it with ``docker("rm", "--force", id)``. ``options`` go to
    ``docker run`` as they are; ``image`` is the base image where none is given.
    """

    def start(
        name_suffix,
        *,
        image=None,
        labels=None,
        env=None,
        volumes=(),
        command=("sleep", "infinity"),
        network="none",
        options=(),
    ):
        if image is None or engine_kind == "podman":  # which gets Debian's with it
            base = request.getfixturevalue("base_image")
            image = image or base
        if engine_kind == "podman":
            network, options = "host", (*PODMAN_LIMITS, *options)
        labels = {"hookrunner.test": run_id} | (labels or {})
        return docker(
            *("run", "--detach", "--name", f"{run_id}-{name_suffix}", "--network", network),
            *(f"--label={name}={value}" for name, value in labels.items()),
            *(f"--env={name}={value}" for name, value in (env or {}).items()),
            *(f"--volume={volume}" for volume in volumes),
            *options,
            image,
            *command,
        )

    return start


@pytest.fixture
def make_gate(tmp_path):
    """A function: start a gate in front of an engine; it is killed when the test ends."""
    made = []

    def make(engine, *, name="gate", **settings):
        gate = GateProcess(tmp_path / name, engine, **settings)
        made.append(gate)
        return gate.start()

    yield make
    for gate in made:
        gate.close()
