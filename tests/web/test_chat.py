"""The chats' door: who gets in, who may do what, and where answers go."""

import asyncio
import base64
import os
from datetime import timedelta

import aiohttp
import chatting
import msgspec
import pytest
from chats import chats, now, text_of
from chatting import CHANNELS, SENT, USERS
from receivers import Receiver
from shown import BLOCKS, CONSOLE
from world import opened

from hookrunner.chat import PLATFORMS
from hookrunner.chat.commands import VERBS, parse
from hookrunner.model import Outcome, Status
from hookrunner.web.body import SMALL

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("patient_chats")]

each_platform = pytest.mark.parametrize("name", PLATFORMS)


@each_platform
async def test_a_proven_command_is_answered_in_the_platforms_way(name, tmp_path):
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        status, answer = await chat.post(
            name, *SENT[name]("status", **({} if name == "mattermost" else {"at": now()}))
        )

    assert status == 200
    assert "bind-1" in text_of(answer)
    if name in {"slack", "mattermost"}:
        assert answer["response_type"] == "ephemeral"
    if name == "discord":
        assert (answer["type"], answer["data"]["flags"]) == (4, 64)
        assert answer["data"]["allowed_mentions"] == {"parse": []}
    if name == "teams":
        assert answer["type"] == "message"


@each_platform
async def test_what_is_not_proven_is_401_and_does_nothing(name, tmp_path):
    wrong = {"slack": {"secret": b"x" * 32}, "mattermost": {"secret": b"x" * 26}}
    wrong |= {"teams": {"secret": base64.b64encode(b"x" * 32)}}
    wrong |= {"discord": {"key": chatting.SigningKey(b"3" * 32)}}
    async with chats(tmp_path) as chat:
        chat.world.container("bind-1")
        headers, body = SENT[name](
            "update bind", **wrong[name], **({} if name == "mattermost" else {"at": now()})
        )
        forged = await chat.post(name, headers, body)
        bare = await chat.post(name, {"Content-Type": headers["Content-Type"]}, b"{}")
        runs = await chat.runs()
        refused = [one.path for one in chat.services.refusals]

    assert [forged[0], bare[0]] == [401, 401]
    assert forged[1]["hint"] == PLATFORMS[name].key
    assert runs == []
    assert refused == [f"/chat/{name}"] * 2


@pytest.mark.parametrize("name", sorted({*PLATFORMS} - {"mattermost"}))
async def test_what_was_sent_before_is_401(name, tmp_path):
    async with chats(tmp_path) as chat:
        status, answer = await chat.post(name, *SENT[name]("status", at=now() - 400))

    assert status == 401
    assert "5 min" in answer["title"]


async def test_without_a_configuration_the_door_is_shut(tmp_path):
    async with opened(tmp_path) as world, aiohttp.ClientSession() as session:
        for name in PLATFORMS:
            headers, body = SENT[name]("status")
            async with session.post(
                f"{world.url}/chat/{name}", data=body, headers=headers
            ) as answer:
                assert answer.status == 401
                assert "hookrunner help chat" in (await answer.json())["hint"]


async def test_the_doors_limits_hold_for_chats(tmp_path):
    limits = "limits: {bad_proofs: 2/m}"
    async with chats(tmp_path, more=limits) as chat:
        chat.world.container("bind-1")
        large, _ = await chat.post("slack", *chatting.slack("x" * SMALL, at=now()))
        headers, body = chatting.slack("status", at=now(), secret=b"x" * 32)
        bad = [(await chat.post("slack", headers, body))[0] for _ in range(4)]
        good = await chat.ask("slack", "status")
        broken, _ = await chat.post("slack", *chatting.signed_slack(b"text=x", at=now()))

    assert large == 413
    assert bad == [401, 401, 429, 429]
    assert "bind-1" in good
    assert broken == 400


async def test_above_its_rate_a_chat_is_told_to_wait(tmp_path):
    async with chats(tmp_path) as chat:
        slack = msgspec.structs.replace(
            chat.services.config.chat.slack, rate=chat.services.config.limits.bad_proofs
        )
        settings = chat.services.settings
        told = msgspec.structs.replace(settings.config.chat, slack=slack)
        settings.config = msgspec.structs.replace(settings.config, chat=told)
        answers = [
            (await chat.post("slack", *chatting.slack("runs", at=now())))[0] for _ in range(12)
        ]

    assert answers == [200] * 10 + [503] * 2


async def test_tests_of_the_platforms_are_answered(tmp_path):
    async with chats(tmp_path) as chat:
        pong = await chat.post("discord", *chatting.signed_discord(b'{"type":1}', at=now()))
        forged = await chat.post(
            "discord",
            *chatting.signed_discord(
                b'{"type":1}', at=now(), key=chatting.SigningKey(b"4" * 32)
            ),
        )
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        look = await chat.post("slack", form, b"ssl_check=1&token=x")

    assert pong == (200, {"type": 1})
    assert forged[0] == 401
    assert look == (200, {})


@each_platform
async def test_who_may_nothing_is_told_the_ids_and_no_more(name, tmp_path):
    async with chats(tmp_path, allow=[]) as chat:
        chat.world.container("bind-1")
        answers = [await chat.ask(name, text) for text in ("update bind", "status", "help")]
        runs = await chat.runs()
        _, _, log = await chat.world.ask(
            "GET", "/api/v1/audit", params={"who": f"{name} {USERS[name]}"}
        )

    assert runs == []
    for answer in answers:
        plain = answer.replace("&#45;", "-")
        assert USERS[name] in plain
        assert CHANNELS[name].split("@", maxsplit=1)[0] in plain
        assert "bind-1" not in plain
    assert log["items"] == []


async def test_a_right_is_for_its_user_channel_scope_and_projects(tmp_path):
    ada, ops = USERS["slack"], CHANNELS["slack"]
    allow = [
        {"users": [ada], "channels": [ops], "may": "run", "projects": ["bind"]},
        {"channels": ["C-READ"], "projects": ["mail"]},
    ]
    async with chats(tmp_path, allow=allow) as chat:
        bind, mail = chat.world.container("bind-1"), chat.world.container("mail-1", "mail")
        both, _ = await chat.world.run(bind, mail)
        secret, _ = await chat.world.run(mail, output=b"the mail's words")

        async def ask(text, **more):
            return await chat.ask("slack", text, **more)

        assert "under way" in await ask("update bind")
        assert "nothing that runs matches mail" in await ask("update mail")
        assert "nothing that runs matches" in await ask("update container:mail-1")
        assert "You may not do that" in await ask("update bind", channel_id="C-READ")
        assert "You may not" in await ask("status", user_id="U-EVE")
        assert "mail-1" not in await ask("status")
        assert "bind-1" not in await ask("status", user_id="U-EVE", channel_id="C-READ")
        assert "mail-1" in await ask("status", user_id="U-EVE", channel_id="C-READ")
        assert secret.id not in await ask("runs")
        assert both.id in await ask("runs")
        for run in (both, secret):
            told = await ask(f"logs {run.id}")
            assert "not all of it is yours" in told
            assert "words" not in told
        mails = await ask(f"logs {secret.id}", user_id="U-EVE", channel_id="C-READ")
        assert "the mail's words" in mails
        assert [
            run["requested_by"] for run in await chat.runs() if run["trigger"] == "chat"
        ] == [f"slack {ada} (ada)"]


@pytest.mark.parametrize("name", ["slack", "discord"])
async def test_output_is_told_masked_and_harmless(name, tmp_path):
    words = b"\x1b[31m@channel <!everyone> ``` %s\x1b[0m\n"
    async with chats(tmp_path) as chat:
        bind = chat.world.container("bind-1")
        run, _ = await chat.world.run(
            bind,
            output=words % chatting.SLACK,
            status=Status.failed,
            step={"status": Status.failed, "outcome": Outcome.error, "reason": "exit 1"},
            ago=timedelta(hours=1),
        )
        told = await chat.ask(name, f"logs {run.id}")
        standing = await chat.ask(name, "status bind")
        echoed = await chat.ask(name, f"update {chatting.SLACK.decode()}")

    assert chatting.SLACK.decode() not in told
    assert chatting.SLACK.decode() not in echoed
    assert "*" * 32 in told
    assert "@channel" not in told
    assert "\x1b" not in told
    assert told.count("```") == 2
    assert ("<!everyone>" in told) is (name == "discord")  # which makes nothing of it
    assert "1 to look at" in standing
    assert "failed (error) 59 min ago" in standing


async def test_why_tells_of_the_last_push_or_of_what_belongs_to_a_repository(tmp_path):
    allow = [{"users": list(USERS.values()), "projects": ["*"]}]
    async with chats(tmp_path, allow=allow) as chat:
        bind = chat.world.container("bind-1")
        chat.world.container("mail-1", "mail")
        receipt = chat.world.receipt(
            verdicts=[chat.world.verdict(bind)], urls=("https://git.example.net/ops/bind.git",)
        )
        await chat.world.delivery(receipt)

        for words in ("ops/bind", "bind", "https://git.example.net/ops/bind.git"):
            told = await chat.ask("slack", f"why {words}")
            assert "The last push of ops/bind (main aaaaaaa" in told
            assert "bind-1: " in told
        assert "No push of ops/mail came yet" in await chat.ask("slack", "why ops/mail")
        assert "no container belongs" in await chat.ask("slack", "why ops/nothing")


async def test_a_mistake_is_explained(tmp_path):
    async with chats(tmp_path) as chat:
        assert "did you mean update?" in await chat.ask("slack", "updaet bind")
        assert "there is no run 1234" in await chat.ask("slack", "logs 1234")
        assert "There was no run yet" in await chat.ask("slack", "runs")
        assert "names nothing" in await chat.ask("slack", "update container:")


async def test_the_commands_that_the_document_shows_are_made_and_understood(tmp_path):
    shown = next(block.text for block in BLOCKS if block.kind == "json discord")
    command = next(one.text for one in CONSOLE if "/APPLICATION_ID/commands" in one.text)
    (tmp_path / "commands.json").write_text(shown)
    async with Receiver().running() as discord:
        curl = await asyncio.create_subprocess_shell(
            command.replace("https://discord.com", discord.url),
            cwd=tmp_path,
            env=os.environ | {"TOKEN": "the-bots"},
        )
        assert await curl.wait() == 0
    [made] = discord.received
    verbs = {one["name"]: one.get("options", []) for one in made.body["options"]}
    understood = {
        verb: parse(" ".join([verb, *(one["name"] for one in options)]))
        for verb, options in verbs.items()
    }

    assert made.path == "/api/v10/applications/APPLICATION_ID/commands"
    assert made.headers["Authorization"] == "Bot the-bots"
    assert {*verbs, "help"} == {*VERBS}
    assert {verb: one.verb for verb, one in understood.items()} == {one: one for one in verbs}


async def test_check_looks_at_chats(tmp_path):
    async with chats(tmp_path) as chat:
        _, _, found = await chat.world.ask("GET", "/api/v1/check")
    told = {(one["about"], one["level"]): one["text"] for one in found["items"]}

    assert told["chat slack", "ok"] == "its URL is https://hooks.example.net/chat/slack"
    assert "no container is known of a project bind" in told["chat teams", "note"]
