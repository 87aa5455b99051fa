"""One container that two repositories feed: each push is compared with its own checkout."""

import base64
import json

import pytest

pytestmark = pytest.mark.engine

SCRIPT = """#!/bin/sh
case $1 in
--metadata) echo '{metadata}' ;;
--update) exec /srv/update.sh ;;
--gitref)
    place=/srv/data
    case ${{HOOKRUNNER_REPOSITORY-}} in *-zones) place=/srv/zones ;; esac
    git -C $place rev-parse HEAD ;;
*) exit 64 ;;
esac
"""


@pytest.fixture
def image(docker, run_id, base_image):
    """An image whose containers have two checkouts."""
    repository = f"https://git.example.net/ops/{run_id}"
    metadata = {
        "project": run_id,
        "git_repo": repository,
        "update_method": "/srv/update.sh",
        "checkouts": [
            {"path": "/srv/data"},
            {"path": "/srv/zones", "repository": f"{repository}-zones.git", "branch": "main"},
        ],
    }
    text = SCRIPT.format(metadata=json.dumps(metadata))
    script = base64.b64encode(text.encode()).decode()
    tag = f"{run_id}-several"
    dockerfile = (
        f"FROM {base_image}\nLABEL hookrunner.test={run_id}\n"
        f"RUN echo {script} | base64 -d > /usr/local/bin/container\n"
    )
    docker("build", "--tag", tag, "-", stdin=dockerfile.encode())
    return tag


class Zones:
    """The second repository of a site."""

    def __init__(self, site):
        self.site = site
        site.git("init", "-q", "--bare", "-b", "main", "zones.git")
        site.git("clone", "-q", "zones.git", "zones-work")
        self.head = self.commit("first")
        site.git("clone", "-q", "zones.git", "zones")
        site.git("remote", "set-url", "origin", "/srv/zones.git", at="zones")

    def commit(self, text):
        (self.site.directory / "zones-work/zone").write_text(text)
        self.site.git("add", "-A", at="zones-work")
        self.site.git("commit", "-q", "-m", text, at="zones-work")
        self.site.git("push", "-q", "origin", "HEAD:main", at="zones-work")
        return self.site.git("rev-parse", "HEAD", at="zones-work")

    def push(self):
        before, self.head = self.head, self.commit(f"after {self.head}")
        name = f"{self.site.repository}-zones"
        repository = {
            "full_name": name,
            "clone_url": f"https://git.example.net/{name}.git",
            "default_branch": "main",
        }
        return self.site.body(before, self.head, repository=repository)


async def test_each_of_two_repositories_has_its_own_commit(
    make_site, make_server, image, run_id, until
):
    site = make_site("several", image=image, labels={}, project=run_id)
    zones = Zones(site)
    site.script("git -C /srv/data pull -q && git -C /srv/zones pull -q")
    server = await make_server()
    await server.knows(site)

    async def standing():
        _, found = await server.api("GET", "/containers")
        return next((c for c in found["items"] if c["name"] == site.container), None)

    async def run(body):
        _, answer = await server.deliver(body)
        (step,) = (await server.finished(answer["run"]))["steps"]
        return step["status"], step["outcome"], step["gitref"]

    data_push, zones_push = site.push(), zones.push()
    first = await run(zones_push)
    second = await run(data_push)
    again = await run(zones_push | {"pusher": {"name": "somebody else"}})
    after = await standing()
    site.docker("restart", "--time", "0", site.id)

    async def back():
        found = await standing()
        return found if found and found["behind"] is not None else None

    restarted = await until(back)

    assert first == ("succeeded", "updated", zones.head)
    assert second == ("succeeded", "updated", site.head)
    assert again == ("skipped", "current", zones.head)
    assert (after["behind"], after["current_gitref"]) == (False, site.head)
    assert (restarted["behind"], restarted["current_gitref"]) == (False, site.head)
