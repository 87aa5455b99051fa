"""What may be odd about a place: a full disk, submodules with keys of their own."""

import pytest

pytestmark = pytest.mark.engine

RECIPE = """\
project: odd
git_repo: {url}
checkout: /srv/data/live
update_method: container-update --reload 'cp /srv/data/live/file /srv/served'
start_method: sleep 1000
"""


@pytest.fixture
def odd(git_server, images, start_container, run_id, tmp_path):
    """A function: start a container that serves one file of a repository."""
    made = []

    def make(name, work, *, secrets, options=()):
        (tmp_path / "container.yaml").write_text(RECIPE.format(url=git_server.url(name)))
        (tmp_path / "Dockerfile").write_text(
            f"FROM {images.name('debian_base')}\nLABEL hookrunner.test={run_id}\n"
            'RUN mkdir -p /srv/data\nCMD ["container", "--start"]\n'
        )
        images.run_build(tmp_path, "-t", f"{run_id}-{name}")
        git_server.push(work)
        started = start_container(
            name,
            image=f"{run_id}-{name}",
            command=(),
            network=f"container:{git_server.id}",
            options=[*options, "--volume", f"{secrets}:/run/secrets:ro"],
        )
        made.append(started)
        return started

    yield make
    git_server.docker("rm", "--force", *made)


def update(docker, container):
    """The exit code of an update, and the file that is served after it."""
    script = (
        "container --update >/srv/said 2>&1; echo $?; cat /srv/served; cat /srv/data/live/file"
    )
    code, served, live = docker("exec", container, "sh", "-c", script).splitlines()
    assert served == live
    return int(code), served


def test_a_full_disk_is_75_and_nothing_changed(docker, git_server, odd):
    work = git_server.repository("full")
    (work / "file").write_text("one\n")
    place = git_server.secrets(deploy_key="full")
    container = odd("full", work, secrets=place, options=["--tmpfs", "/srv/data:size=3m"])
    assert update(docker, container) == (0, "one")

    (work / "file").write_text("two\n")
    docker(
        "exec", container, "sh", "-c", "dd if=/dev/zero of=/srv/data/filler 2>/dev/null; true"
    )
    git_server.push(work)
    full = update(docker, container)
    docker("exec", container, "rm", "/srv/data/filler")

    assert full == (75, "one")
    assert update(docker, container) == (0, "two")


def test_each_submodule_has_a_key_of_its_own(docker, git_server, odd):
    part = git_server.repository("part")
    (part / "file").write_text("of the part\n")
    git_server.push(part)
    work = git_server.repository("whole")
    (work / "file").write_text("whole\n")
    git_server.add_submodule(work, "part")
    keys = git_server.secrets(deploy_key="whole", deploy_key__ops__part="part")

    container = odd("whole", work, secrets=keys)

    assert update(docker, container) == (0, "whole")
    assert docker("exec", container, "cat", "/srv/data/live/part/file") == "of the part"
