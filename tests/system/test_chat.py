"""An update that somebody asked for in a chat, and what they are told of it."""

import io
import time

import aiohttp
import chatting
import pytest
import yaml
from receivers import Receiver

pytestmark = pytest.mark.engine


async def test_an_update_from_slack_is_done_and_its_end_is_told(make_server, make_site, until):
    site, other = make_site("slack1"), make_site("slack2")
    async with Receiver().running() as slack:
        server = await make_server(is_started=False)
        config = yaml.safe_load(server.config.read_text())
        (server.directory / "slack").write_bytes(chatting.SLACK)
        allow = {"users": [chatting.USERS["slack"]], "may": "run", "projects": [site.project]}
        config["chat"] = {
            "slack": {
                "secret_file": str(server.directory / "slack"),
                "url": slack.url,
                "allow": [allow],
            }
        }
        server.config.write_text(yaml.safe_dump(config))
        await server.start()
        await server.knows(site, other)

        async def ask(text):
            headers, body = chatting.slack(
                text, at=int(time.time()), response_url=f"{slack.url}/commands/1"
            )
            async with (
                aiohttp.ClientSession() as session,
                session.post(
                    f"{server.url}/chat/slack", data=io.BytesIO(body), headers=headers
                ) as answer,
            ):
                assert answer.status == 200
                return (await answer.json())["text"]

        async def told():
            return slack.received.pop().body["text"] if slack.received else None

        site.push()
        started = await ask(f"update {site.project} a new zone")
        ended = await until(told)
        refused = await ask(f"update container:{other.container}")
        site.script("echo 'zone <!here> is ```broken'; exit 7")
        await ask(f"update {site.project}")
        failed = await until(told)
    _, found = await server.api("GET", "/runs")
    _, containers = await server.api("GET", "/containers")

    run = found["items"][-1]
    assert f"Run {run['id']}: the update of {site.container} is under way" in started
    assert f"Run {run['id']} succeeded: 1 updated, 0 failed" in ended
    assert "nothing that runs matches" in refused
    assert len(found["items"]) == 2
    assert {one["trigger"] for one in found["items"]} == {"chat"}
    assert run["requested_by"] == f"slack {chatting.USERS['slack']} (ada)"
    assert run["reason"] == "a new zone"
    served = {one["name"]: one["current_gitref"] for one in containers["items"]}
    assert served[site.container] == site.head
    assert f"{site.container} failed (error): exit 7" in failed
    assert "zone &lt;!here&gt; is `\u200b`\u200b`broken" in failed
