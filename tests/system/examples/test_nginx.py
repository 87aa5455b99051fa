"""The nginx example: stock images, a label, and commands of the operator's own."""

import os
import subprocess
from types import SimpleNamespace

import pytest
import yaml

pytestmark = pytest.mark.engine

STAND_IN = """\
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends curl nginx-light \\
 && rm -rf /var/lib/apt/lists/* /etc/nginx/sites-enabled/*
CMD ["nginx", "-g", "daemon off;"]
"""
"""What Docker's nginx is in what counts here: the server, and /etc/nginx/conf.d."""


@pytest.fixture(scope="module")
def stock_images(docker, images, base_image, tmp_path_factory):
    """Stand-ins for nginx's own image and for one with git."""
    if not images.is_there("nginx"):
        context = tmp_path_factory.mktemp("nginx")
        (context / "Dockerfile").write_text(STAND_IN.format(base=images.name("debian_base")))
        docker("build", "--network", "host", "--tag", images.name("nginx"), str(context))
    return images.name("nginx"), base_image


@pytest.fixture
def www(docker, run_id, images, stock_images, git_server):
    """The example as `run` starts it, with pages from a bare repository."""
    work = git_server.repository("www")
    name = f"{run_id}-www"
    commit(git_server, work, "one")
    options = ["--network", "none", "--label", f"hookrunner.test={run_id}"]
    env = {"NAME": name, "NGINX_IMAGE": stock_images[0], "GIT_IMAGE": stock_images[1]}
    mount = f"{git_server.directory}/git:/srv/git:ro"
    done = subprocess.run(
        [
            *(images.examples / "nginx" / "run", "/srv/git/ops/www.git"),
            *(*options, "--volume", mount, "--env", "GIT_CONFIG_COUNT=1"),
            *("--env", "GIT_CONFIG_KEY_0=safe.directory", "--env", "GIT_CONFIG_VALUE_0=*"),
        ],
        env=os.environ | images.env | env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    yield name, work
    docker("rm", "--force", name, f"{name}-git")
    docker("volume", "rm", f"{name}-pages")


def commit(git_server, work, text):
    (work / "index.html").write_text(f"{text}\n")
    return git_server.push(work)


async def test_a_push_changes_what_a_stock_server_serves(docker, www, git_server, make_server):
    name, work = www
    example = yaml.safe_load((git_server.examples / "nginx" / "hookrunner.yaml").read_text())
    server = await make_server(projects=repr(example["projects"]))
    await server.knows(SimpleNamespace(container=f"{name}-git"))
    before = docker("exec", f"{name}-git", "git", "-C", "/srv/www/site", "rev-parse", "HEAD")
    assert page(docker, name) == "one"
    after = commit(git_server, work, "two")

    status, answer = await server.deliver(
        {
            "ref": "refs/heads/main",
            "before": before,
            "after": after,
            "repository": {
                "full_name": "ops/www",
                "clone_url": "file:///srv/git/ops/www.git",
                "default_branch": "main",
            },
        }
    )
    run = await server.finished(answer["run"])

    assert status == 202
    assert [(s["outcome"], s["gitref"]) for s in run["steps"]] == [("updated", after)]
    assert page(docker, name) == "two"


def page(docker, name):
    return docker(
        *("exec", name, "curl", "--silent", "--fail", "--retry-connrefused", "--retry", "10"),
        "http://127.0.0.1:8080/",
    )
