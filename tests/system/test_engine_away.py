"""An engine that goes away, is killed, or comes back: steps are resolved, the watch goes on."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
IMAGE = "debian:bookworm-slim"
RESOLVED = 60.0
"""Seconds after the engine's return in which a step is to be over."""


class Daemon:
    """A second engine, in a network namespace of its own, that may be killed."""

    def __init__(self, directory: Path, *flags):
        self.directory = directory
        self.url = f"unix://{directory}/docker.sock"
        self._flags = flags
        self._name = f"hookrunner-{secrets.token_hex(4)}"  # containerd refuses some characters
        self._process = None

    def start(self):
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            [
                *("unshare", "--net", "dockerd", "--host", self.url, *self._flags),
                *("--config-file", str(self.directory / "none.json")),
                *("--data-root", str(self.directory / "data")),
                *("--exec-root", str(self.directory / "exec")),
                *("--pidfile", str(self.directory / "pid")),
                *("--containerd-namespace", self._name),
                *("--containerd-plugins-namespace", f"{self._name}p"),
                *("--bridge", "none", "--iptables=false", "--ip-forward=false"),
            ],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        log.close()
        deadline = time.monotonic() + 120
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                pytest.fail(f"dockerd did not start: {self.log()}")
        return self

    def _answers(self):
        return self.docker("version", check=False).returncode == 0

    def log(self):
        return (self.directory / "log").read_text()[-3000:]

    def docker(self, *words, check=True, **options):
        done = subprocess.run(
            ["docker", "--host", self.url, *words],
            capture_output=True,
            timeout=300,
            check=False,
            **options,
        )
        if check and done.returncode:
            pytest.fail(f"docker {words[0]}: {done.stderr.decode()}\n{self.log()}")
        return done

    def kill(self):
        """Kill it, and the containerd that is its own; the containers' keepers live on."""
        self._process.kill()
        self._process.wait(60)
        keeper = self.directory / "exec" / "containerd"
        pid = (keeper / "containerd.pid").read_text()
        command = Path(f"/proc/{pid}/cmdline")
        if command.exists() and str(self.directory) in command.read_text():
            os.kill(int(pid), signal.SIGKILL)
        for left in [
            self.directory / "pid",
            *keeper.glob("containerd.pid"),
            *keeper.glob("*.sock*"),
        ]:
            left.unlink(missing_ok=True)

    def stop(self):
        self._process.terminate()
        self._process.wait(60)

    def close(self):
        if self._process.poll() is not None:
            self.start()
        containers = self.docker("ps", "--all", "--quiet").stdout.decode().split()
        if containers:
            self.docker("rm", "--force", *containers)
        self.stop()
        subprocess.run(["umount", "--recursive", str(self.directory / "data")], check=False)
        shutil.rmtree(self.directory, ignore_errors=True)


@pytest.fixture
def make_daemon(docker, tmp_path):
    """A function: start a second engine, with what these tests need in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a second engine")
    if shutil.which("dockerd") is None or shutil.which("unshare") is None:
        pytest.skip("a second engine needs dockerd and unshare")
    made = []
    archive = tmp_path / "image.tar"
    docker("save", "--output", str(archive), IMAGE)

    def make(*flags):
        directory = Path(tempfile.mkdtemp(prefix="hr-"))
        (directory / "none.json").write_text("{}")
        daemon = Daemon(directory, *flags)
        made.append(daemon)
        daemon.start()
        daemon.docker("load", "--input", str(archive))
        return daemon

    yield make
    for daemon in made:
        daemon.close()


def run_container(daemon, directory, name, project):
    daemon.docker(
        *("run", "--detach", "--name", name, "--network", "none"),
        *("--label", f"hookrunner.project={project}", "--volume", f"{directory}:/srv"),
        *(IMAGE, "sleep", "infinity"),
    )


def named(server, name):
    async def look():
        _, found = await server.api("GET", "/containers")
        return name in {one["name"] for one in found["items"]}

    return look


@pytest.mark.parametrize(
    ("how", "flags"),
    [
        pytest.param("kill", (), id="killed"),
        pytest.param("kill", ("--live-restore",), id="killed, live-restore"),
        pytest.param("stop", (), id="restarted", marks=pytest.mark.soak),
        pytest.param(
            "stop", ("--live-restore",), id="restarted, live-restore", marks=pytest.mark.soak
        ),
    ],
)
async def test_a_step_whose_engine_is_restarted_is_resolved_and_the_watch_goes_on(  # noqa: PLR0917
    make_daemon, make_server, tmp_path, until, how, flags
):
    daemon = await asyncio.to_thread(make_daemon, *flags)
    shared = tmp_path / "srv"
    shared.mkdir()
    script = "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.1; done; exit 7"
    (shared / "update.sh").write_text(script)
    server = await make_server(
        engine=daemon.url, projects="{lone: {update: [sh, /srv/update.sh]}}"
    )
    await asyncio.to_thread(run_container, daemon, shared, "first", "lone")
    await until(named(server, "first"))

    async def accepted():
        status, run = await server.api(
            "POST", "/updates", body={"project": "lone"}, Accept="application/json"
        )
        return run if status == 202 else None

    run = await until(accepted)

    async def started():
        return (shared / "started").exists()

    await until(started)
    await asyncio.to_thread(getattr(daemon, how))
    (shared / "go").touch()

    async def is_degraded():
        _, health = await server.api("GET", "/health")
        return health["status"] == "degraded"

    await until(is_degraded)
    await asyncio.to_thread(daemon.start)
    over = await server.finished(run["id"], seconds=RESOLVED)

    [step] = over["steps"]
    if flags or how == "kill":
        assert (step["status"], step["exit_code"]) == ("failed", 7), step
        assert step["truncated"] is True
    else:
        assert (step["status"], step["exit_code"]) == ("failed", None), step
        assert "while it ran" in step["reason"]
    await asyncio.to_thread(run_container, daemon, shared, "second", "lone")
    await until(named(server, "second"))
    _, health = await server.api("GET", "/health")
    assert health["status"] == "ok", json.dumps(health)
    server.close()


async def test_what_happens_while_the_engine_is_out_of_sight_is_known_soon_after(  # noqa: PLR0917
    make_site, make_server, docker, tmp_path, engine_url, until
):
    gone, kept = make_site("gone"), make_site("stays")
    link = tmp_path / "engine.sock"
    link.symlink_to(engine_url.removeprefix("unix://"))
    proxy = await asyncio.start_unix_server(pass_on(link), tmp_path / "proxy.sock")
    server = await make_server(engine=f"unix://{tmp_path}/proxy.sock")
    await server.knows(gone, kept)

    link.unlink()
    cut(proxy)
    docker("rm", "--force", gone.id)
    gone.id = gone._start("come")
    link.symlink_to(engine_url.removeprefix("unix://"))

    async def right():
        _, found = await server.api("GET", "/containers")
        ids = {one["id"] for one in found["items"]}
        return {gone.id, kept.id} <= ids and gone.container not in {
            one["name"] for one in found["items"]
        }

    await until(right)
    proxy.close()
    server.close()


async def test_a_push_that_is_cancelled_while_the_engine_is_away_never_runs(
    make_site, make_server, tmp_path, engine_url
):
    site = make_site("unwanted")
    server = await make_server(engine=f"unix://{tmp_path}/engine.sock")
    site.script("touch /srv/ran; git -C /srv/data pull -q")
    _, unwanted = await server.deliver(site.push())

    status, cancelled = await server.api("POST", f"/runs/{unwanted['run']}/cancel")
    again, _ = await server.api("POST", f"/runs/{unwanted['run']}/cancel")
    (tmp_path / "engine.sock").symlink_to(engine_url.removeprefix("unix://"))
    await server.knows(site)

    assert (status, cancelled["status"], again) == (202, "cancelled", 409)
    assert not (site.directory / "ran").exists()
    _, wanted = await server.deliver(site.push())
    assert (await server.finished(wanted["run"]))["status"] == "succeeded"
    assert (await server.finished(unwanted["run"]))["status"] == "cancelled"
    server.close()


@pytest.mark.soak
async def test_an_engine_that_falls_silent_is_missed_and_found_again(
    make_site, make_server, tmp_path, engine_url, until
):
    silent = asyncio.Event()
    engine = engine_url.removeprefix("unix://")
    proxy = await asyncio.start_unix_server(
        pass_on(engine, silent=silent), tmp_path / "proxy.sock"
    )
    server = await make_server(engine=f"unix://{tmp_path}/proxy.sock")
    site = make_site("silent")
    await server.knows(site)

    silent.set()

    async def health_is_degraded():
        _, health = await server.api("GET", "/health")
        return health["status"] == "degraded"

    await until(health_is_degraded, seconds=120)
    silent.clear()
    later = make_site("later")
    await server.knows(later)
    proxy.close()
    server.close()


WRITERS = set()


def pass_on(link, *, silent=None):
    """Pass connections on to wherever a link leads; while `silent` is set, drop all bytes."""

    async def copy(reader, writer):
        try:
            while data := await reader.read(65536):
                if silent is None or not silent.is_set():
                    writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.transport.abort()

    async def serve(reader, writer):
        try:
            to_reader, to_writer = await asyncio.open_unix_connection(link)
        except OSError:
            writer.transport.abort()
            return
        WRITERS.update({writer, to_writer})
        try:
            await asyncio.gather(copy(reader, to_writer), copy(to_reader, writer))
        finally:
            WRITERS.difference_update({writer, to_writer})

    return serve


def cut(_):
    for writer in list(WRITERS):
        writer.transport.abort()
