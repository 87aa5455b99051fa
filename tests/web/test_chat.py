"""The chats' door: who gets in, who may do what, and where answers go."""

import asyncio
import base64
import hmac
import io
import json
import os
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import aiohttp
import chatting
import msgspec
import pytest
import yaml
from chatting import CHANNELS, SECRETS, SENT, USERS
from receivers import Receiver
from shown import BLOCKS, CONSOLE
from world import opened

from hookrunner.chat import PLATFORMS
from hookrunner.chat.commands import VERBS, parse
from hookrunner.model import Outcome, Status
from hookrunner.service import outbox
from hookrunner.web.body import SMALL
from hookrunner.web.chat import LAST_WORD

pytestmark = pytest.mark.process

each_platform = pytest.mark.parametrize("name", PLATFORMS)
DEADLINE = 30


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """Let no answer be late because the machine is busy."""
    for name, platform in PLATFORMS.items():
        patience = msgspec.structs.replace(platform, patience=float(DEADLINE))
        monkeypatch.setitem(PLATFORMS, name, patience)


class Chats:
    """A server that all chats lead to, and what it sends to them."""

    def __init__(self, world, receiver):
        self.world = world
        self.services = world.services
        self.receiver = receiver

    async def post(self, name, headers, body):
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.world.url}/chat/{name}", data=io.BytesIO(body), headers=headers
            ) as answer,
        ):
            return answer.status, await answer.json()

    async def ask(self, name, text, **more):
        """Say something as Ada; give the text of the answer."""
        if name in {"slack", "mattermost"}:
            more = {"response_url": f"{self.receiver.url}/hooks/1"} | more
        if name != "mattermost":
            more = {"at": int(time.time())} | more
        status, answer = await self.post(name, *SENT[name](text, **more))
        assert status == 200, answer
        return text_of(answer)

    async def runs(self):
        _, _, found = await self.world.ask("GET", "/api/v1/runs")
        return found["items"]

    async def waiting(self):
        """The id of the run that waits, or None."""
        return next((one["id"] for one in await self.runs() if not one["finished_at"]), None)

    async def cancel(self, run):
        await self.world.ask("POST", f"/api/v1/runs/{run}/cancel")

    async def push(self):
        """Let a git server tell of a push to ops/bind; give the run."""
        url = "https://git.example.net/ops/bind.git"
        told = {"ref": "refs/heads/main", "before": "a" * 40, "after": "b" * 40}
        told["repository"] = {"full_name": "ops/bind", "clone_url": url}
        body = json.dumps(told).encode()
        secret = b"a secret of the tests, long enough"
        headers = {
            "X-Gitea-Event": "push",
            "X-Gitea-Signature": hmac.new(secret, body, "sha256").hexdigest(),
            "Content-Type": "application/json",
        }
        _, _, answer = await self.world.ask(
            "POST", "/hooks/gitea", scope=None, data=body, headers=headers
        )
        return answer["run"]

    async def arrived(self, count=1):
        """What arrived elsewhere, once there is so much of it."""

        async def look():
            return len(self.receiver.received) >= count

        await until(look)
        return self.receiver.received

    async def sent(self, name, result):
        told = {"kind": "chat", "to": name, "result": result}
        found = self.services.metrics.registry.get_sample_value(
            "hookrunner_outgoing_total", told
        )
        return found or 0


async def until(look):
    """What `look` gives, once it is something."""
    deadline = time.monotonic() + DEADLINE
    while not (found := await look()):
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.01)
    return found


def text_of(answer):
    """The text of an answer or a later one, and whether everybody sees it."""
    told = answer.get("data", answer)
    return told.get("text") or told["content"]


@asynccontextmanager
async def chats(directory, *, allow=None, more=""):
    """A server with every chat, where Ada may run bind in any channel."""
    for name, secret in SECRETS.items():
        (directory / f"{name}.secret").write_bytes(secret)
    allowed = [{"users": list(USERS.values()), "may": "run", "projects": ["bind"]}]
    async with Receiver().running() as receiver:
        shared = {"allow": allowed if allow is None else allow}
        told = {
            name: shared | {"secret_file": str(directory / f"{name}.secret")}
            for name in PLATFORMS
            if name != "discord"
        }
        told["discord"] = shared | {"public_key": SECRETS["discord"].hex()}
        for name in ("slack", "mattermost", "discord"):
            told[name]["url"] = receiver.url
        text = yaml.safe_dump({"chat": told})
        config = f"public_url: https://hooks.example.net\n{more}\n{text}\n"
        async with opened(directory, config) as world:
            yield Chats(world, receiver)


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


def now():
    return int(time.time())


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
