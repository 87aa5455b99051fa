"""The nightly example: rebuild, replace, validate; and keep the old one where that fails."""

import json
import os
import subprocess
import sys

import pytest

from hookrunner.core.deployment import RUNTIME_FACTS

pytestmark = pytest.mark.engine

SETTINGS = """\
name={name}
image={name}-image
patience=2
build() {{ "{python}" -m hookrunner build "{context}" -t "$1"; }}
run_new() {{
    docker run --detach --name "$1" --label hookrunner.test={run_id} --network none \\
        --env CONTAINER_DEPLOYED_AT --env CONTAINER_DEPLOYED_BY \\
        --env CONTAINER_DEPLOYED_REASON --env CONTAINER_DEPLOYED_NODE "$2"
}}
"""


@pytest.fixture
def night(run_id, images, tmp_path):
    """A function: one night with this service and this validation."""
    name = f"{run_id}-nightly"
    settings = tmp_path / "dns.settings"
    settings.write_text(
        SETTINGS.format(name=name, python=sys.executable, context=tmp_path, run_id=run_id)
    )

    def run(*, start="sleep 1000", validate="true"):
        (tmp_path / "Dockerfile").write_text(
            f"FROM {images.name('debian_base')}\nLABEL hookrunner.test={run_id}\n"
            'CMD ["container", "--start"]\n'
        )
        (tmp_path / "container.yaml").write_text(
            f"project: dns\nstart_method: {json.dumps(start)}\n"
            f"validate_method: {json.dumps(validate)}\n"
        )
        script = images.examples / "nightly" / "nightly"
        return subprocess.run(
            [script, settings],
            env=os.environ | images.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    yield name, run
    for one in (name, f"{name}-before"):
        subprocess.run(["docker", "rm", "--force", one], capture_output=True, check=False)


def state(docker, name):
    return docker("inspect", "--format", "{{.Id}} {{.State.Running}}", name)


def test_three_nights_in_a_row_and_one_that_fails(docker, night):
    name, run = night
    seen = []
    for _ in range(3):
        done = run()
        assert done.returncode == 0, done.stdout
        seen.append(state(docker, name))
    env = docker("inspect", "--format", "{{json .Config.Env}}", name)

    # It validates where it is built, and not where it is to serve.
    done = run(validate='test -z "$CONTAINER_DEPLOYED_BY"')

    assert len(set(seen)) == 3
    assert all(one.endswith("true") for one in seen)
    assert all(fact.variable in env for fact in RUNTIME_FACTS.values())
    assert done.returncode == 1, done.stdout
    assert "Keeping the old container" in done.stdout
    assert state(docker, name) == seen[-1]
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}-before") == ""


def test_a_night_that_was_killed_is_put_right_by_the_next(docker, night):
    name, run = night
    assert run().returncode == 0
    old = state(docker, name)
    docker("rename", name, f"{name}-before")
    docker("stop", "--time", "0", f"{name}-before")
    docker("tag", f"{name}-image:latest", f"{name}-image:next")

    done = run(start="exit 3")

    assert "was not built, or does not validate" in done.stdout
    assert state(docker, name) == old


def test_units_are_ones(images):
    program = "/usr/bin/systemd-analyze"
    if not os.path.exists(program):  # noqa: PTH110
        pytest.skip("no systemd-analyze on this machine")
    folder = images.examples / "nightly"
    timer = (folder / "hookrunner-nightly@.timer").read_text()

    assert "OnCalendar=*-*-* 03:30" in timer
    done = subprocess.run(
        [program, "calendar", "*-*-* 03:30"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
