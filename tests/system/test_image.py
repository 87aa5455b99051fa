"""hookrunner as an image, behind its gate, with what compose.yaml says of both."""

import configparser
import hashlib
import hmac
import json
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


def said(service):
    return yaml.safe_load((FILES / "compose.yaml").read_text())["services"][service]


def wait_for(look, wanted):
    deadline = time.monotonic() + DEADLINE
    while wanted not in (found := look()):
        assert time.monotonic() < deadline, found
    return found


@pytest.fixture(scope="module")
def image(docker, run_id, tmp_path_factory, wheelhouse):
    """The image, built from a checkout that has its packages in wheels/."""
    context = tmp_path_factory.mktemp("context")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, context)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "hookrunner", context / "hookrunner", ignore=ignored)
    shutil.copytree(wheelhouse, context / "wheels")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(context / "wheels"), str(context)),
        ],
        check=True,
        timeout=300,
    )
    tag = f"{run_id}-image"
    docker(
        *("build", "--network", "host", "--label", f"hookrunner.test={run_id}", "--tag", tag),
        *("--file", str(FILES / "Dockerfile"), str(context)),
    )
    return tag


@pytest.fixture
def start(docker, run_id, image):
    """A function: start a service with what compose.yaml says of it, but for its network."""
    made = []

    def run(service, *options, network="none"):
        one = said(service)
        assert one["read_only"] is True
        words = [
            *("--read-only", "--network", network, "--label", f"hookrunner.test={run_id}"),
            *(f"--cap-drop={name}" for name in one["cap_drop"]),
            *(f"--security-opt={name}" for name in one["security_opt"]),
            *(f"--tmpfs={name}" for name in one.get("tmpfs", [])),
            *(("--user", one["user"]) if "user" in one else ()),
        ]
        name = f"{run_id}-{service}"
        docker(
            "run", "--detach", "--name", name, *words, *options, image, *one.get("command", [])
        )
        made.append(name)
        return name

    yield run
    if made:
        docker("rm", "--force", "--volumes", *made)


def test_the_image_runs_behind_its_gate_without_root_or_the_engines_socket(  # noqa: PLR0917
    docker, engine_url, run_id, start, new_site, tmp_path, measured
):
    site = new_site("imaged")
    engine = Path(engine_url.removeprefix("unix://")).resolve()
    for name in ("gate", "state"):
        docker("volume", "create", "--label", f"hookrunner.test={run_id}", f"{run_id}-{name}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = yaml.safe_load((FILES / "hookrunner.yaml").read_text())
    assert config["listen"] == "0.0.0.0:4665"
    config["listen"] = f"127.0.0.1:{port}"
    (tmp_path / "hookrunner.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "secret").write_text(SECRET)
    for path in (tmp_path, *tmp_path.iterdir()):
        path.chmod(0o755)

    start(
        "gate",
        *("--group-add", str(engine.stat().st_gid)),
        *("--volume", f"{engine}:/var/run/docker.sock"),
        *("--volume", f"{run_id}-gate:/run/hookrunner", "--no-healthcheck"),
    )
    server = start(
        "server",
        *("--volume", f"{run_id}-gate:/run/hookrunner:ro"),
        *("--volume", f"{run_id}-state:/var/lib/hookrunner"),
        *("--volume", f"{tmp_path}/hookrunner.yaml:/etc/hookrunner/hookrunner.yaml:ro"),
        *("--volume", f"{tmp_path}/secret:/run/secrets/gitea:ro", "--health-interval", "1s"),
        network="host",
    )

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
