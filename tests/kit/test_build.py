"""``hookrunner build`` with a real builder: images, what they say, and what is left behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

from hookrunner.core.metadata import image_answer
from hookrunner.core.standard import is_of_image

pytestmark = pytest.mark.engine

BUSYBOX = """\
FROM scratch
COPY busybox /bin/busybox
RUN ["/bin/busybox", "--install", "-s", "/bin"]
"""
RECIPE = """\
project: dns
start_method: /srv/start.sh
validate_method: test -e /srv/valid
owner: anna
"""
START = """\
#!/bin/sh
trap 'echo got TERM; exit 7' TERM
trap 'echo got HUP' HUP
sh -c 'sleep 0.2 &' # which nobody waits for
echo ready
while :; do sleep 0.1; done
"""


@pytest.fixture(scope="module")
def busybox(docker, run_id, tmp_path_factory):
    """An image that holds nothing but a static busybox."""
    program = shutil.which("busybox")
    if program is None:
        pytest.skip("no busybox on this machine")
    context = tmp_path_factory.mktemp("busybox")
    shutil.copy(program, context / "busybox")
    (context / "Dockerfile").write_text(BUSYBOX)
    docker(
        "build", "--label", f"hookrunner.test={run_id}", "--tag", f"{run_id}-sh", str(context)
    )
    return f"{run_id}-sh"


@pytest.fixture
def hookrunner(engine_url):
    """A function: start ``hookrunner build``."""

    def start(*words, env=None):
        return subprocess.Popen(
            [sys.executable, "-m", "hookrunner", "build", *map(str, words)],
            env=os.environ | {"DOCKER_HOST": engine_url} | (env or {}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def build(hookrunner):
    """A function: run it to its end; it has to end with this code."""

    def run(*words, code=0, **more):
        with hookrunner(*words, **more) as process:
            said = process.communicate(timeout=300)[0]
        assert process.returncode == code, said
        return said

    return run


@pytest.fixture
def context(tmp_path, busybox, run_id):
    directory = tmp_path / "context"
    directory.mkdir()
    (directory / "container.yaml").write_text(RECIPE)
    (directory / "start.sh").write_text(START)
    (directory / "start.sh").chmod(0o755)
    (directory / "Dockerfile").write_text(
        f"FROM {busybox}\nLABEL hookrunner.test={run_id}\nCOPY start.sh /srv/\n"
        "RUN touch /srv/valid\n"
    )
    return directory


def look(docker, image):
    return json.loads(docker("image", "inspect", image))[0]


@pytest.fixture
def left_behind(docker, run_id):
    """A function: this name, names and containers of builds, finished images without a name."""
    own = ("--filter", f"label=hookrunner.test={run_id}", "--format", "{{.ID}}")

    def look(name):
        return [
            *docker("images", "--quiet", name).split(),
            *docker("ps", "--all", "--filter", "name=hookrunner-build", *own).split(),
            *docker("images", *own, "localhost/hookrunner-build").split(),
            *docker(
                *("images", "--filter", "dangling=true", *own),
                *("--filter", "label=hookrunner.metadata"),
            ).split(),
        ]

    return look


def test_an_image_says_the_same_inside_and_outside(docker, run_id, context, build, left_behind):
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@b", *words],
            cwd=context,
            check=True,
        )
    subprocess.run(
        ["git", "remote", "add", "origin", "https://ada:pw@git.example.net/ops/dns.git"],
        cwd=context,
        check=True,
    )
    name = f"{run_id}-dns:1"

    said = build(context, "-t", name, env={"BUILD_TAG": "b-7", "JENKINS_URL": "https://ci"})

    inside = docker("run", "--rm", "--network", "none", name, "container", "--metadata")
    found = look(docker, name)
    labels = found["Config"]["Labels"]
    document = image_answer(labels).document
    assert json.loads(inside) == document
    assert list(document)[:3] == ["validate_method", "start_method", "validate"]
    assert (document["ci"], document["build_tag"], document["owner"]) == (True, "b-7", "anna")
    assert document["git_repo"] == "https://git.example.net/ops/dns.git"
    assert labels["org.opencontainers.image.revision"] == document["gitref"]
    assert found["Config"]["Cmd"] == ["container", "--start"]
    assert is_of_image(document, found["RootFS"]["Layers"])
    assert "project dns" in said
    assert "changes that are in no commit" not in said
    assert left_behind(f"{name}-other") == []


def test_ancestors_are_carried_on_and_a_plain_build_on_top_is_not_the_image(
    docker, run_id, context, build
):
    base, child = f"{run_id}-base:1", f"{run_id}-child:1"
    build(context, "-t", base, "--no-validate")
    (context / "Dockerfile").write_text(f'FROM {base}\nRUN touch /srv/more\nCMD ["sh"]\n')
    docker("build", "--tag", f"{run_id}-plain", str(context))
    (context / "container.yaml").write_text("project: child\nstart_method: sh\n")

    said = build(context, "-t", child)

    document = image_answer(look(docker, child)["Config"]["Labels"]).document
    plain = look(docker, f"{run_id}-plain")
    assert [one["project"] for one in document["ancestors"]] == ["dns"]
    assert look(docker, child)["Config"]["Cmd"] == ["sh"]
    assert "the image starts `sh`, not its start_method" in said
    assert not is_of_image(
        image_answer(plain["Config"]["Labels"]).document, plain["RootFS"]["Layers"]
    )
    text = docker("run", "--rm", "--network", "none", child, "container", "--examine")
    assert text.index("Metadata for image dns") < text.index("Metadata for image child")


def test_what_was_built_elsewhere_and_says_so_itself_is_taken(
    docker, run_id, base_image, tmp_path, build
):
    (tmp_path / "container.yaml").write_text("project: dns\nvalidate_method: 'true'\n")
    name = f"{run_id}-from:1"

    build(tmp_path, "-t", name, "--from", base_image, "--run-arg", "--tty --network=none")

    document = image_answer(look(docker, name)["Config"]["Labels"]).document
    assert [one["project"] for one in document["ancestors"]] == ["bind"]
    listed = docker("run", "--rm", "--network", "none", name, "container", "--packages")
    docker("rmi", name)
    assert "\ngit\t" in listed


def test_what_does_not_validate_gets_no_name(run_id, context, build, left_behind):
    (context / "container.yaml").write_text(RECIPE.replace("-e /srv/valid", "! -e /srv/valid"))
    (context / "Dockerfile").write_text(
        (context / "Dockerfile").read_text() + "HEALTHCHECK --interval=1s CMD echo checked\n"
    )
    name = f"{run_id}-invalid:1"

    said = build(context, "-t", name, code=1)

    assert "the image does not validate" in said
    assert left_behind(name) == []


def test_a_container_that_ends_is_told_with_what_it_printed(
    run_id, context, build, left_behind
):
    (context / "start.sh").write_text("#!/bin/sh\necho no key; exit 3\n")

    said = build(context, "-t", f"{run_id}-ends:1", code=1)

    assert "the throw-away container ended with 3; it printed:\\nno key" in said
    assert left_behind(f"{run_id}-ends:1") == []


def test_a_build_that_fails_leaves_nothing(run_id, context, build, left_behind):
    with (context / "Dockerfile").open("a") as file:
        file.write("RUN echo wrong; exit 9\n")

    said = build(context, "-t", f"{run_id}-fails:1", code=1)

    assert "wrong\n" in said
    assert left_behind(f"{run_id}-fails:1") == []


@pytest.fixture(params=["while it builds", "while it validates"])
def endless(request, context):
    """A build that does not end, and the line that says that it has come that far."""
    if request.param == "while it validates":
        recipe = RECIPE.replace("-e /srv/valid", "-e /srv/never")
        (context / "container.yaml").write_text(recipe)
        return ">> Validating"
    with (context / "Dockerfile").open("a") as file:
        file.write(f"RUN echo begun; sleep 100 # {time.time()}\n")
    return "begun\n"


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_an_end_from_outside_leaves_nothing(context, hookrunner, endless, ending, left_behind):
    name = f"{context.name}-{time.time_ns()}:1"
    with hookrunner(context, "-t", name) as process:
        for line in process.stdout:
            if line.startswith(endless):
                break
        process.send_signal(ending)
        process.stdout.read()

    assert process.returncode == 128 + ending
    assert left_behind(name) == []


@pytest.fixture(params=[(), ("--init",)], ids=["alone", "below an init"])
def started(request, run_id, context, build, start_container):
    """A container of the kit, with ``container --start`` alone or below an init."""
    name = f"{run_id}-start:1"
    build(context, "-t", name, "--no-validate")
    suffix = "-".join(["start", *request.param])
    return start_container(suffix, image=name, command=(), options=request.param)


def test_start_as_the_first_process(docker, started):

    def logged(text):
        deadline = time.monotonic() + 30
        while text not in docker("logs", started):
            assert time.monotonic() < deadline, docker("logs", started)

    logged("ready")
    docker("kill", "--signal", "HUP", started)
    logged("got HUP")
    states = docker("exec", started, "sh", "-c", "cat /proc/[0-9]*/stat; true")
    docker("stop", "--time", "20", started)

    assert not [line for line in states.splitlines() if line.split(") ")[-1].startswith("Z")]
    assert docker("inspect", "--format", "{{.State.ExitCode}}", started) == "7"
    assert "got TERM" in docker("logs", started)
