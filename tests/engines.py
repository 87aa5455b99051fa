"""Real engines, and the one tiny image whose containers the tests start."""

import contextlib
import hashlib
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

SOCKETS = [Path("/run/docker.sock"), Path("/var/run/docker.sock")]

DOCKERFILE = """\
FROM debian:bookworm-slim
RUN apt-get update \\
 && apt-get install -y --no-install-recommends git \\
 && rm -rf /var/lib/apt/lists/* \\
 && git config --system --add safe.directory '*' \\
 && git config --system pull.ff only
COPY container /usr/local/bin/container
RUN chmod 755 /usr/local/bin/container
"""

CONTAINER = """\
#!/bin/sh
case ${1-} in
--metadata)
  if [ -e /etc/container/metadata.json ]; then
    exec cat /etc/container/metadata.json
  fi
  cat <<'END'
{
  "project": "bind",
  "image_name": "ops/bind",
  "image_tag_names": ["hub.example.net/ops/bind"],
  "gitref": "e1b0a445744fec5e584919711cafd8f4cebdee0e",
  "build_time": "2015-03-30 06:02:10",
  "build_time_stamp": 1427691730,
  "build_cause": "TIMERTRIGGER",
  "build_tag": "jenkins-docker bind-55",
  "ci": true,
  "validate": true,
  "start_method": "/srv/start.sh",
  "update_method": "/srv/update.sh",
  "validate_method": "/srv/validate.sh"
}
END
  ;;
--update)
  if [ -x /srv/update.sh ]; then
    exec /srv/update.sh
  fi
  echo ">> Fetching latest git checkout"
  git -C /srv/data pull || exit 1
  echo ">> Validating configuration"
  "$0" --validate || exit 65
  echo ">> Reloading"
  ;;
--validate)
  if [ -x /srv/validate.sh ]; then
    /srv/validate.sh || exit 65
  fi
  ;;
--gitref)
  git -C "${CHECKOUT:-/srv/data}" rev-parse HEAD 2>/dev/null || exit 78
  ;;
*)
  echo "usage: container --metadata | --update | --validate | --gitref" >&2
  exit 64
  ;;
esac
"""


def docker_url():
    """The address of the Docker that is there."""
    sockets = [f"unix://{socket}" for socket in SOCKETS if socket.is_socket()]
    url = os.environ.get("DOCKER_HOST") or next(iter(sockets), None)
    if url is None:
        pytest.skip(f"no engine: $DOCKER_HOST is not set, and there is no {SOCKETS[0]}")
    if shutil.which("docker") is None:
        pytest.skip("no engine: the fixtures need the command `docker`")
    version = subprocess.run(
        ["docker", "--host", url, "version", "--format", "{{.Server.APIVersion}}"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    if version.returncode:
        pytest.skip(f"no engine: {url} does not answer: {version.stderr.strip()}")
    return url


PODMAN_LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=4096:4096")
"""Podman asks for its own, which a machine that may not raise limits refuses."""


@contextlib.contextmanager
def podman_service(place):
    """The address of a Podman that keeps all in this directory; the test skips without one."""
    socket = place / "podman.sock"
    with (place / "log").open("wb") as log:
        service = subprocess.Popen(
            [
                *("unshare", "--mount"),  # its mounts go when it goes
                *("podman", "--root", place / "root", "--runroot", place / "run"),
                *("--tmpdir", place / "tmp"),
                *("--runtime", "runc", "--cgroup-manager", "cgroupfs"),
                *("--events-backend", "file", "--storage-driver", "overlay"),
                *("system", "service", "--time", "0", f"unix://{socket}"),
            ],
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + 30
    while not socket.is_socket():
        if service.poll() is not None or time.monotonic() > deadline:
            service.kill()
            pytest.skip(f"no Podman: {(place / 'log').read_text()}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.wait(0.1)
    yield f"unix://{socket}"
    service.terminate()
    service.wait(30)
    _end_keepers(place)
    shutil.rmtree(place, ignore_errors=True)


def _end_keepers(place):
    """End the processes with which Podman keeps each exec's end, for five minutes."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if b"conmon" in command and os.fsencode(place) in command:
                os.kill(int(process.name), signal.SIGKILL)


def command_of(url):
    """The command ``docker`` for one engine, Podman's too."""

    def run(*arguments, stdin=None):
        done = subprocess.run(
            ["docker", "--host", url, *arguments],
            input=stdin,
            capture_output=True,
            timeout=600,
            env=os.environ | {"DOCKER_BUILDKIT": "0"},
            check=False,
        )
        output = done.stdout.decode(errors="replace").strip()
        if done.returncode:
            error = done.stderr.decode(errors="replace")
            pytest.fail(f"docker {' '.join(arguments)} ended with {done.returncode}: {error}")
        return output

    return run


def build_base(docker, tmp_path_factory):
    digest = hashlib.sha256((DOCKERFILE + CONTAINER).encode()).hexdigest()[:12]
    tag = f"hookrunner-test:{digest}"
    if not docker("images", "--quiet", tag):
        context = tmp_path_factory.mktemp("base_image")
        (context / "Dockerfile").write_text(DOCKERFILE)
        (context / "container").write_text(CONTAINER)
        docker("build", "--network", "host", "--tag", tag, str(context))
    return tag
