"""hookrunner as an image, behind its gate, with what compose.yaml says of both."""

import configparser
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
FILES = ROOT / "config" / "docker"
SECRET = "a secret of the tests, long enough"
DEADLINE = 60.0
GENERATOR = "/usr/lib/systemd/system-generators/podman-system-generator"


def said(service):
    return yaml.safe_load((FILES / "compose.yaml").read_text())["services"][service]


def wait_for(look, wanted):
    deadline = time.monotonic() + DEADLINE
    while wanted not in (found := look()):
        assert time.monotonic() < deadline, found
    return found


@pytest.fixture
def checkout(tmp_path, wheelhouse):
    """A checkout that has its packages in wheels/."""
    for name in ("pyproject.toml", "README.md", "LICENSE", ".dockerignore"):
        shutil.copy(ROOT / name, tmp_path)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "hookrunner", tmp_path / "hookrunner", ignore=ignored)
    shutil.copytree(wheelhouse, tmp_path / "wheels")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(tmp_path / "wheels"), str(tmp_path)),
        ],
        check=True,
        timeout=300,
    )
    shutil.copytree(FILES, tmp_path / "config" / "docker")
    return tmp_path


@pytest.fixture
def compose(engine_url, run_id, checkout):
    """A function: run docker-compose on what is shipped, but for names and the network."""
    engine = Path(engine_url.removeprefix("unix://")).resolve()
    words = ["docker", "compose"]
    if subprocess.run([*words, "version"], capture_output=True, check=False).returncode:
        words = ["docker-compose"]
        if shutil.which("docker-compose") is None:
            pytest.skip("no docker-compose: apt-get install docker-compose")
    place = checkout / "config" / "docker"
    file = place / "compose.yaml"
    text = file.read_text().replace("/var/run/docker.sock:", f"{engine}:", 1)
    project = yaml.safe_load(text)
    label = {"hookrunner.test": run_id}
    for service in project["services"].values():
        service["image"] = f"{run_id}-image"
        service["labels"] = label
        service["build"] |= {"network": "host", "labels": label}
    # The tests' engine has no bridge.
    server = project["services"]["server"]
    assert server.pop("ports") == ["127.0.0.1:4665:4665"]
    server |= {"network_mode": "host", "healthcheck": {"interval": "1s"}}
    file.write_text(yaml.safe_dump(project))

    def run(*more):
        return subprocess.run(
            [*words, "--project-name", run_id, *more],
            cwd=place,
            env=os.environ
            | {"DOCKER_HOST": engine_url, "DOCKER_GID": str(engine.stat().st_gid)},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    yield run
    run("down", "--volumes", "--timeout", "5")


def test_the_image_runs_behind_its_gate_without_root_or_the_engines_socket(  # noqa: PLR0917
    docker, run_id, checkout, compose, new_site, measured
):
    site = new_site("imaged")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    file = checkout / "config" / "docker" / "hookrunner.yaml"
    config = yaml.safe_load(file.read_text())
    assert config["listen"] == "0.0.0.0:4665"
    config["listen"] = f"127.0.0.1:{port}"
    file.write_text(yaml.safe_dump(config))
    (file.parent / "gitea.secret").write_text(SECRET)

    up = compose("up", "--build", "--detach")

    assert up.returncode == 0, up.stdout + up.stderr
    server = compose("ps", "--quiet", "server").stdout.strip()
    health = ("inspect", "--format", "{{.State.Health.Status}}", server)
    wait_for(lambda: docker(*health), "healthy")
    wait_for(lambda: docker("exec", server, "hookrunner", "ps"), site.project)
    body = json.dumps(site.push())
    run = subprocess.run(
        [
            *("curl", "--silent", "--noproxy", "*", "--data-binary", "@-"),
            *("-H", "Content-Type: application/json", "-H", "X-Gitea-Event: push", "-H"),
            "X-Gitea-Signature: "
            + hmac.new(SECRET.encode(), body.encode(), hashlib.sha256).hexdigest(),
            f"http://127.0.0.1:{port}/hooks/gitea",
        ],
        input=body,
        capture_output=True,
        text=True,
        check=True,
    )
    shown = ("exec", server, "hookrunner", "show", json.loads(run.stdout)["run"])
    wait_for(lambda: docker(*shown), "updated")
    status = docker("exec", server, "cat", "/proc/1/status")
    assert "Uid:\t4665\t4665\t4665\t4665" in status
    assert "CapBnd:\t0000000000000000" in status
    assert "docker.sock" not in docker("exec", server, "cat", "/proc/1/mountinfo")
    size = int(docker("image", "inspect", "--format", "{{.Size}}", f"{run_id}-image"))
    measured(f"size of the image: {size / 1e6:.0f} MB")


@pytest.mark.parametrize("name", ["hookrunner", "hookrunner-gate"])
def test_the_quadlets_say_what_compose_says(name):
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str
    parser.read(FILES / "quadlet" / f"{name}.container")
    quadlet = parser["Container"]
    service = said("gate" if name.endswith("gate") else "server")

    assert quadlet["ReadOnly"] == quadlet["NoNewPrivileges"] == "true"
    assert quadlet["DropCapability"] == "all"
    words = " ".join(service.get("command", []))
    assert quadlet.get("Exec", "") == words.replace(
        "/var/run/docker.sock", "/run/podman/podman.sock"
    )
    assert parser["Service"]["RestartPreventExitStatus"] == "78"


def test_podmans_own_generator_makes_of_the_quadlets_what_is_meant():
    generator = shutil.which("quadlet") or shutil.which(GENERATOR)
    if generator is None:
        pytest.skip("no release of Debian 12 has Podman 4.4, whose generator reads quadlets")

    done = subprocess.run(
        [generator, "--dryrun"],
        env=os.environ | {"QUADLET_UNIT_DIRS": str(FILES / "quadlet")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    gate, server = re.findall(r"^ExecStart=\S*podman run (.*)$", done.stdout, re.MULTILINE)
    assert "--network none" in gate
    assert "--user 0:4665" in gate
    assert "--no-healthcheck" in gate
    assert re.search(r" localhost/hookrunner gate --engine \S+ --listen \S+$", gate)
    assert "podman.sock" not in server
    assert "--publish 127.0.0.1:4665:4665" in server
    assert "--stop-timeout 45" in server
    for words in (gate, server):
        assert "--read-only" in words
        assert "--cap-drop all" in words
        assert "no-new-privileges" in words
