"""What is released: the same bytes each time, all that is needed in it, and nothing else."""

import hmac
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import urllib.request
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).parents[1]
NAMES = (
    "pyproject.toml",
    "MANIFEST.in",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "hookrunner",
    "systemd",
    "config",
)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """Two directories: the release, built twice, of copies that differ in place and times."""
    found = []
    for number in (1, 2):
        copy = tmp_path_factory.mktemp("checkout") / ("x" * number)
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        copy.mkdir()
        for name in NAMES:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, copy / name, ignore=ignored)
            else:
                shutil.copy(ROOT / name, copy / name)
        for path in copy.rglob("*"):
            os.utime(path, (10**9 * number, 10**9 * number))
        place = tmp_path_factory.mktemp("release")
        subprocess.run(
            [sys.executable, str(copy / "config/release/build"), str(place)],
            check=True,
            capture_output=True,
            timeout=300,
            env=os.environ | {"SOURCE_DATE_EPOCH": "1700000000"},
            umask=0o022 if number == 1 else 0o077,
        )
        found.append(place)
    return found


@pytest.fixture
def wheel(released):
    """The names within the wheel."""
    [path] = released[0].glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        return set(opened.namelist())


def test_two_builds_give_the_same_bytes(released):
    first, second = (
        {one.name: one.read_bytes() for one in place.iterdir()} for place in released
    )

    assert sorted(first) == sorted(second)
    assert {name.rpartition(".")[2] for name in first} == {"whl", "gz", "json", "SHA256SUMS"}
    assert [name for name in first if first[name] != second[name]] == []


def test_the_wheel_has_every_file_of_the_package_and_no_other(wheel):
    there = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "hookrunner").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert {name for name in wheel if ".dist-info/" not in name} == there


def test_the_sdist_has_what_an_installation_needs(released):
    [path] = released[0].glob("*.tar.gz")
    with tarfile.open(path) as opened:
        names = {member.name.partition("/")[2]: member for member in opened}

    assert {"systemd/install", "config/demo/apt", "config/constraints.txt"} <= set(names)
    assert names["systemd/install"].mode == 0o755
    assert not [name for name in names if "__pycache__" in name]


def test_the_bill_of_materials_names_every_dependency_in_the_version_that_was_pinned(released):
    [path] = released[0].glob("*.cdx.json")
    found = json.loads(path.read_text())
    text = (ROOT / "config/constraints.txt").read_text()
    pins = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))
    needs = re.findall(
        r'^    "([a-zA-Z0-9-]+)>=',
        (ROOT / "pyproject.toml").read_text().partition("dev = [")[0],
        re.MULTILINE,
    )

    assert {part["name"]: part["version"] for part in found["components"]} == pins
    assert {name.lower() for name in needs} <= set(pins)
    assert found["metadata"]["component"]["name"] == "hookrunner"


def test_every_pin_has_hashes():
    text = (ROOT / "config" / "constraints.txt").read_text()
    pins = re.findall(r"^[a-z0-9-]+==.*", text, re.MULTILINE)

    assert pins
    assert all(pin.endswith("\\") for pin in pins)


@pytest.fixture(scope="module")
def installed(released, wheelhouse, tmp_path_factory):
    """The release in an environment of its own, with what is pinned, and without a network."""
    place = tmp_path_factory.mktemp("installed")
    [wheel] = released[0].glob("*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    pip_install(wheelhouse, "--require-hashes", "-r", "config/constraints.txt", python=place)
    pip_install(wheelhouse, wheel, python=place)
    return place / "bin" / "hookrunner"


def pip_install(wheelhouse, *words, python=sys.prefix):
    """Install from these wheels alone; no settings and no cache of pip's count."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--python", python, "install", "--no-compile"),
            *("--no-cache-dir", "--no-index", "--find-links", wheelhouse, *words),
        ],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
        | {"PIP_CONFIG_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_wheel_is_installed_without_a_network_and_works(installed, tmp_path):
    secret = b"a secret of the tests, long enough"
    (tmp_path / "secret").write_bytes(secret)
    config = tmp_path / "hookrunner.yaml"
    config.write_text(
        f"listen: 127.0.0.1:0\nstate: {tmp_path}/state\nlog: {{format: json}}\n"
        f"engines: {{local: 'unix://{tmp_path}/none.sock'}}\n"
        f"sources: {{bare: {{forge: generic, secret_file: {tmp_path}/secret,"
        " repositories: ['ops/*']}}\n"
    )
    push = {
        "delivery": "a delivery of the tests",
        "ref": "refs/heads/main",
        "before": "1" * 40,
        "after": "2" * 40,
        "repository": {"full_name": "ops/www", "clone_url": "https://git.example.net/ops/www"},
    }
    body = json.dumps(push).encode()
    proof = "sha256=" + hmac.digest(secret, body, "sha256").hex()

    with subprocess.Popen(
        [installed, "serve", "--config", config], stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            said = (json.loads(line) for line in server.stderr)
            url = next(one["address"] for one in said if one["event"] == "listening")
            headers = {"Content-Type": "application/json", "X-Hub-Signature-256": proof}
            request = urllib.request.Request(f"{url}/hooks/bare", body, headers)  # noqa: S310
            reach = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
            with reach(request, timeout=30) as answer:
                assert answer.status == 202
            with reach(url, timeout=30) as page:
                assert "<title>" in page.read().decode()
            found = subprocess.run(
                [installed, "deliveries", "--json", "--config", config],
                capture_output=True,
                check=True,
            )
        finally:
            server.terminate()
            server.communicate(timeout=30)

    assert server.returncode == 0
    [delivery] = json.loads(found.stdout)["items"]
    assert delivery["after"] == push["after"]


def test_the_sdist_is_installed_without_a_network_to_what_the_wheel_has(
    released, wheelhouse, wheel, tmp_path
):
    [sdist] = released[0].glob("*.tar.gz")

    pip_install(wheelhouse, "--no-deps", "--target", tmp_path, sdist)

    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert {name for name in found if name.startswith("hookrunner/")} == {
        name for name in wheel if ".dist-info/" not in name
    }
