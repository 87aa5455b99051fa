"""What a chat is told later: where it goes, when it stops, and what it says."""

import asyncio

import chatting
import msgspec
import pytest
from chats import chats, now, text_of, until
from chatting import SENT, USERS
from receivers import Receiver

from hookrunner.chat import PLATFORMS
from hookrunner.service import outbox
from hookrunner.web.chat import LAST_WORD

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("patient_chats")]

each_platform = pytest.mark.parametrize("name", PLATFORMS)


@pytest.mark.parametrize("name", ["slack", "mattermost"])
async def test_an_update_is_answered_at_once_and_its_end_told_later(name, tmp_path):
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        status, first = await chat.post(
            name,
            *SENT[name](
                "update bind it is @here",
                response_url=f"{chat.receiver.url}/hooks/1",
                **({} if name == "mattermost" else {"at": now()}),
            ),
        )
        [run] = await chat.runs()
        assert chat.receiver.received == []
        await chat.cancel(run["id"])
        [late] = await chat.arrived()
        _, _, log = await chat.world.ask("GET", f"/api/v1/audit?who={name}+{USERS[name]}")

    assert status == 200
    assert first["response_type"] == "in_channel"
    assert f"Run {run['id']}: the update of bind" in first["text"].replace("\\", "")
    assert first["text"].endswith(f"https://hooks.example.net/runs/{run['id']}")
    assert (run["trigger"], run["reason"]) == ("chat", "it is @here")
    assert run["requested_by"] == f"{name} {USERS[name]} (ada)"
    assert late.path == "/hooks/1"
    assert late.body["response_type"] == "in_channel"
    assert f"{run['id']} cancelled: 0 updated, 0 failed" in late.body["text"]
    [use] = log["items"]
    assert (use["what"], use["about"]) == (f"POST /chat/{name}", "update bind it is @here")
    assert use["run"] == run["id"]


async def test_who_asks_for_what_waits_already_is_told_what_ran_in_the_end(tmp_path):
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        await chat.ask("slack", "update bind")
        first = await chat.waiting()
        joined = await chat.ask(
            "slack", "update bind", response_url=f"{chat.receiver.url}/hooks/2"
        )
        pushed = await chat.push()
        await chat.cancel(pushed)
        late = {one.path: one.body["text"] for one in await chat.arrived(2)}

    assert pushed != first
    assert "is what another run that waits will do too" in joined
    for path in ("/hooks/1", "/hooks/2"):
        assert "superseded: 0 updated" in late[path]
        assert f"Run {pushed} took its place: bind-1 cancelled" in late[path]


async def test_discord_has_its_first_answer_replaced(tmp_path):
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        _, first = await chat.post("discord", *chatting.discord("validate bind", at=now()))
        [run] = await chat.runs()
        await chat.cancel(run["id"])
        [late] = await chat.arrived()

    assert first["type"] == 4
    assert "flags" not in first["data"]
    assert late.method == "PATCH"
    assert late.path == (
        "/webhooks/775799577604522054/aW50ZXJhY3Rpb246ODQ1.A_UNIQUE-TOKEN/messages/@original"
    )
    assert "cancelled" in late.body["content"]
    assert late.body["allowed_mentions"] == {"parse": []}


async def test_teams_is_told_the_end_or_how_to_ask_for_it(tmp_path, monkeypatch):
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        asking = asyncio.ensure_future(chat.ask("teams", "update bind"))
        await chat.cancel(await until(chat.waiting))
        in_time = await asking
        hasty = msgspec.structs.replace(PLATFORMS["teams"], patience=0.2)
        monkeypatch.setitem(PLATFORMS, "teams", hasty)
        too_late = await chat.ask("teams", "update bind")

    assert "cancelled" in in_time
    assert "ask me for" in too_late
    assert chat.receiver.received == []


@pytest.mark.parametrize("name", ["slack", "mattermost", "discord"])
async def test_what_takes_longer_than_a_platform_waits_is_told_later(
    name, tmp_path, monkeypatch
):
    hasty = msgspec.structs.replace(PLATFORMS[name], patience=0.0)
    monkeypatch.setitem(PLATFORMS, name, hasty)
    more = {} if name == "mattermost" else {"at": now()}
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        url = f"{chat.receiver.url}/hooks/1"
        more |= {} if name == "discord" else {"response_url": url}
        _, first = await chat.post(name, *SENT[name]("status", **more))
        [late] = await chat.arrived()
        _, update = await chat.post(name, *SENT[name]("update bind", **more))

    if name == "discord":
        assert first == {"type": 5, "data": {"flags": 64}}
        assert update == {"type": 5, "data": {}}
    else:
        assert "the answer follows" in text_of(first)
    assert "bind-1" in text_of(late.body)


async def test_a_request_sends_nothing_elsewhere(tmp_path):
    async with chats(tmp_path) as chat, Receiver().running() as other:
        chat.world.container("bind-1")
        for url in (f"{other.url}/hooks/1", "https://hooks.slack.com/commands/1", "x", ""):
            asking = asyncio.ensure_future(chat.ask("slack", "update bind", response_url=url))
            await chat.cancel(await until(chat.waiting))
            assert "cancelled" in await asking
        await chat.ask("slack", "update bind")
        await chat.cancel(await until(chat.waiting))
        await chat.arrived()

    assert other.received == []
    assert len(chat.receiver.received) == 1


async def test_a_later_answer_that_does_not_arrive_is_sent_again(tmp_path, monkeypatch):
    monkeypatch.setattr(outbox, "_FIRST", 0.01)
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        chat.receiver.refusals = [(500, {}, "out of order")]
        await chat.ask("slack", "update bind")
        await chat.cancel(await until(chat.waiting))
        first, second = await chat.arrived(2)

    assert first.body == second.body
    assert "cancelled" in second.body["text"]


async def test_a_run_that_outlasts_later_answers_says_so_before(tmp_path, monkeypatch):
    short = msgspec.structs.replace(PLATFORMS["slack"], lasts=LAST_WORD + 0.05)
    monkeypatch.setitem(PLATFORMS, "slack", short)
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        await chat.ask("slack", "update bind")
        [late] = await chat.arrived()
        run = await chat.waiting()

    assert f"Slack takes no later answer: ask me for 'logs {run}'." in late.body["text"]


async def test_no_redirect_is_followed(tmp_path):
    async with chats(tmp_path) as chat, Receiver().running() as other:
        chat.world.container("bind-1")
        chat.receiver.refusals = [(307, {"Location": f"{other.url}/x"}, "")]
        await chat.ask("slack", "update bind")
        [run] = await chat.runs()
        await chat.cancel(run["id"])
        await until(lambda: chat.sent("slack", "given up"))

    assert len(chat.receiver.received) == 1
    assert other.received == []
