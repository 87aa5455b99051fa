"""A server that all chats lead to, and what a test says to it as one of them."""

import asyncio
import hmac
import io
import json
import time
from contextlib import asynccontextmanager

import aiohttp
import yaml
from chatting import SECRETS, SENT, USERS
from receivers import Receiver
from world import opened

from hookrunner.chat import PLATFORMS

DEADLINE = 30.0


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
            more = {"at": now()} | more
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


def now():
    """The time as platforms sign it."""
    return int(time.time())


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
