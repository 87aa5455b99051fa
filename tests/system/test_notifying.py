"""People are told of a failure once, and once that it is well again."""

import asyncio
import json

import pytest
import yaml
from receivers import Receiver
from standardwebhooks import Webhook

pytestmark = pytest.mark.engine

SECRET = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
async def hook():
    async with Receiver().running() as one:
        yield one


@pytest.fixture
async def apprised():
    async with Receiver().running() as one:
        yield one


@pytest.fixture
async def make_notifying_server(make_server, hook, apprised):
    async def make(**more):
        server = await make_server(is_started=False)
        config = yaml.safe_load(server.config.read_text())
        (server.directory / "signing").write_text(f"whsec_{SECRET}\n")
        (server.directory / "apprise").write_text(
            apprised.url.replace("http://", "json://") + "/told\n"
        )
        config["notify"] = {
            "ours": {"url": f"{hook.url}/in", "secret_file": str(server.directory / "signing")},
            "theirs": {"secret_file": str(server.directory / "apprise")},
        } | more
        server.config.write_text(yaml.safe_dump(config))
        return await server.start()

    return make


def told(receiver):
    return [one.body["type"].removeprefix("hookrunner.") for one in receiver.received]


async def test_many_failures_are_one_notice_and_one_recovery(
    make_notifying_server, make_site, hook, apprised, until
):
    site = make_site("noticed")
    server = await make_notifying_server()
    await server.knows(site)

    async def arrived(count):
        async def look():
            return len(hook.received) >= count and len(apprised.received) >= count

        await until(look)

    site.script("exit 1")
    for _ in range(5):
        _, answer = await server.deliver(site.push())
        await server.finished(answer["run"])
    await arrived(1)
    site.script("git -C /srv/data pull -q")
    _, answer = await server.deliver(site.push())
    await server.finished(answer["run"])
    await arrived(2)

    assert told(hook) == ["failure", "recovery"]
    assert [one.body["title"] for one in apprised.received] == [
        f"hookrunner: failure in {site.container}",
        f"hookrunner: recovery in {site.container}",
    ]
    assert hook.received[0].body["data"]["reason"] == "exit 1"
    for one in hook.received:
        text = json.dumps(one.body, ensure_ascii=False)
        assert Webhook(f"whsec_{SECRET}").verify(text, one.headers) == one.body


async def test_a_test_says_who_can_be_told(make_notifying_server, hook, apprised):
    server = await make_notifying_server()

    good = await asyncio.to_thread(server.cli, "notify", "test")
    hook.refusals = [(500, {}, "out of order")]
    bad = await asyncio.to_thread(server.cli, "notify", "test", "--json")

    assert good.returncode == 0, good.stderr
    assert told(hook) == ["test", "test"]
    assert len(apprised.received) == 2
    assert bad.returncode == 1
    errors = {one["to"]: one["error"] for one in json.loads(bad.stdout)["items"]}
    assert "out of order" in errors["ours"]
    assert errors["theirs"] is None


async def test_a_reload_counts_at_once(make_notifying_server, hook):
    server = await make_notifying_server()
    config = yaml.safe_load(server.config.read_text())
    config["notify"] = {"new": config["notify"]["ours"] | {"url": f"{hook.url}/new"}}
    server.config.write_text(yaml.safe_dump(config))

    reloaded = await asyncio.to_thread(server.cli, "reload")
    said = await asyncio.to_thread(server.cli, "notify", "test", "--json")

    assert reloaded.returncode == 0, reloaded.stderr
    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["items"] == [{"to": "new", "error": None}]
    assert [one.path for one in hook.received] == ["/new"]
