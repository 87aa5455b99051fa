"""The forge is told what became of each push, as it would be: by its own API."""

import asyncio

import pytest
import yaml
from receivers import TOKEN, Receiver

pytestmark = pytest.mark.engine


@pytest.fixture
async def forge():
    async with Receiver("gitea").running() as one:
        yield one


@pytest.fixture
async def make_reporting_server(make_server, forge):
    """A function: start a server whose source gitea has a `status`."""

    async def make():
        server = await make_server(is_started=False)
        config = yaml.safe_load(server.config.read_text())
        token = server.directory / "token"
        token.write_text(TOKEN + "\n")
        config["public_url"] = "https://hooks.example.net"
        config["sources"]["gitea"]["status"] = {"api": forge.url, "token_file": str(token)}
        server.config.write_text(yaml.safe_dump(config))
        return await server.start()

    return make


def told(forge, commit):
    """What the forge was told of a commit, the newest last."""
    return [
        (one.body["state"], one.body["description"])
        for one in forge.received
        if one.path.endswith(commit)
    ]


async def ended(until, forge, commit, state):
    async def look():
        found = told(forge, commit)
        return found and found[-1][0] == state and found[-1][1]

    return await until(look)


async def test_a_commit_gets_its_result_and_a_link(
    make_reporting_server, make_site, forge, until
):
    site = make_site("reported")
    server = await make_reporting_server()
    await server.knows(site)

    body = site.push()
    _, answer = await server.deliver(body, source="gitea")
    text = await ended(until, forge, body["after"], "success")
    bad = site.push()
    site.script("exit 65")
    await server.deliver(bad, source="gitea")
    worse = await ended(until, forge, bad["after"], "failure")

    assert text.startswith("1 of 1 updated in ")
    assert worse.startswith("0 of 1 updated, 1 invalid in ")
    last = [one for one in forge.received if one.path.endswith(body["after"])][-1]
    assert last.body["context"] == f"hookrunner/{site.project}"
    assert last.body["target_url"] == f"https://hooks.example.net/runs/{answer['run']}"
    assert last.path == f"/repos/{site.repository}/statuses/{body['after']}"


async def test_a_superseded_push_gets_the_result_of_the_one_that_covered_it(
    make_reporting_server, make_site, forge, until
):
    site = make_site("covered")
    server = await make_reporting_server()
    await server.knows(site)
    site.script("while [ -e /srv/wait ]; do sleep 0.1; done; git -C /srv/data pull -q")
    (site.directory / "wait").touch()

    bodies = [site.push() for _ in range(3)]
    for body in bodies:
        await server.deliver(body, source="gitea")
    await ended(until, forge, bodies[0]["after"], "pending")
    (site.directory / "wait").unlink()

    for body in bodies:
        text = await ended(until, forge, body["after"], "success")
        assert text.startswith("1 of 1 ")


async def test_what_the_forge_was_not_told_is_told_after_a_crash(
    make_reporting_server, make_site, forge, until
):
    site = make_site("kept")
    server = await make_reporting_server()
    await server.knows(site)
    forge.refusals = [(503, {}, "away")] * 1000

    body = site.push()
    _, answer = await server.deliver(body, source="gitea")
    run = await server.finished(answer["run"])
    assert run["status"] == "succeeded"
    await until(lambda: is_tried(forge))
    server.kill()
    forge.refusals.clear()
    forge.received.clear()
    await server.start()

    assert (await ended(until, forge, body["after"], "success")).startswith("1 of 1 updated")


async def is_tried(forge):
    return forge.received


async def test_a_payload_names_no_place_that_is_asked(
    make_reporting_server, make_site, forge, until
):
    site = make_site("forged")
    server = await make_reporting_server()
    await server.knows(site)

    async with Receiver().running() as stranger:
        body = site.push()
        body["repository"] |= {
            key: f"{stranger.url}/{key}"
            for key in ("statuses_url", "url", "html_url", "git_url", "api_url")
        } | {"owner": {"url": stranger.url}}
        body |= {"compare_url": stranger.url, "head_commit": {"url": stranger.url}}
        forge.refusals = [(307, {"Location": f"{stranger.url}/there"}, "")]
        _, answer = await server.deliver(body, source="gitea")
        await server.finished(answer["run"])
        await until(lambda: is_tried(forge))
        again = site.push()
        await server.deliver(again, source="gitea")
        await ended(until, forge, again["after"], "success")
        await asyncio.sleep(0)

        assert stranger.received == []
    assert "asks elsewhere" in server.log()
    assert TOKEN not in server.log()
