"""The real server on a real port, in this process, without an engine that answers.

What it accepts waits for ever for the inventory, so nothing runs.
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import io
import json
import re
import resource
import secrets
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import msgspec
import pytest
import senders
from chats import DEADLINE

from hookrunner import app
from hookrunner.adapters.credentials import load_secrets
from hookrunner.chat import PLATFORMS
from hookrunner.config import loads
from hookrunner.forges import FORGES
from hookrunner.web.server import control_socket, serving

SECRET = b"a secret of the tests, long enough"
PUSH = {
    "ref": "refs/heads/main",
    "before": "1" * 40,
    "after": "2" * 40,
    "repository": {
        "full_name": "ops/bind",
        "clone_url": "https://git.example.net/ops/bind.git",
        "default_branch": "main",
    },
    "pusher": {"name": "ada"},
    "commits": [{"id": "2" * 40, "added": [], "modified": ["file"], "removed": []}],
}
CONFIG = """\
sources:
  github: {secret_env: SECRET, repositories: ["ops/*"]}
"""


def make_body(**more):
    """A push that nobody sent before."""
    return json.dumps(PUSH | {"after": secrets.token_hex(20)} | more).encode()


def sign(data, *, secret=SECRET, event="push", **headers):
    """The headers of a delivery as GitHub sends it."""
    digest = hmac.new(secret, data, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-Hub-Signature-256": f"sha256={digest}",
    } | headers


class Client:
    """Sends requests, each by a connection of its own."""

    def __init__(self, services, url, control):
        self.services, self.url, self.control = services, url, control

    async def send(self, data, headers, *, path="/hooks/github", source_address="127.0.0.1"):
        connector = aiohttp.TCPConnector(local_addr=(source_address, 0))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.post(self.url + path, data=io.BytesIO(data), headers=headers) as answer,
        ):
            text = await answer.text()
            said = json.loads(text) if "json" in answer.content_type else text
            return answer.status, said, answer.headers

    async def status(self, data, headers, **more):
        return (await self.send(data, headers, **more))[0]

    async def api(self, method, path, *, body=None, token=None, text=False, **headers):
        """Ask with a token, or over the control socket without one."""
        connector = None if token else aiohttp.UnixConnector(str(self.control))
        url = self.url if token else "http://control"
        if token:
            headers["Authorization"] = f"Bearer {token}"
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"{url}{path}", json=body, headers=headers) as answer,
        ):
            raw = await answer.text()
            return answer.status, raw if text or not raw else json.loads(raw)

    async def runs(self):
        return (await self.api("GET", "/api/v1/runs"))[1]["items"]

    async def connect(self, *lines, then=b"", source_address="127.0.0.1"):
        """Open a connection and write the beginning of a request, each line with its end."""
        host, port = self.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(
            host, int(port), local_addr=(source_address, 0)
        )
        writer.write("\r\n".join([*lines, ""]).encode() + then)
        await writer.drain()
        return reader, writer


@pytest.fixture(scope="session")
def body():
    """A function: a push that nobody sent before, with more keys."""
    return make_body


@pytest.fixture(scope="session")
def signed():
    """A function: the headers of a body as GitHub sends it."""
    return sign


@pytest.fixture
def door(tmp_path):
    """A context: the server of a configuration, and a client of it."""

    @asynccontextmanager
    async def opened(text=CONFIG, **environment):
        (tmp_path / "state").mkdir(exist_ok=True)
        listen = "" if "listen:" in text else "listen: 127.0.0.1:0\n"
        config = msgspec.structs.replace(
            loads(listen + text, name="hookrunner.yaml"),
            state=str(tmp_path / "state"),
            engines={"local": f"unix://{tmp_path}/none.sock"},
        )
        secrets = load_secrets(config.sources, {"SECRET": SECRET.decode()} | environment)
        async with (
            app.built(config, secrets) as (services, _, _),
            control_socket(services, tmp_path / "state/hookrunner.sock"),
            serving(services) as served,
        ):
            client = Client(services, served.addresses[0], tmp_path / "state/hookrunner.sock")
            client.addresses = served.addresses
            yield client

    return opened


class Process:
    """``hookrunner serve`` with one source, and no engine that answers."""

    def __init__(self, directory):
        self.log = directory / "log"
        (directory / "secret").write_bytes(SECRET)
        (directory / "other").write_bytes(SECRET[::-1])
        config = directory / "hookrunner.yaml"
        config.write_text(
            f"listen: 127.0.0.1:0\nstate: {directory}/state\n"
            f"engines: {{local: 'unix://{directory}/none.sock'}}\nlog: {{format: json}}\n"
            f"sources:\n  github: {{secret_file: {directory}/secret, repositories: [ops/*]}}\n"
            f"  gerrit: {{secret_file: {directory}/other, repositories: [ops/*], forge: gerrit,"
            " url: 'https://git.example.net/{repository}'}\n"
        )
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hookrunner", "serve", "--config", str(config)],
                stdout=log,
                stderr=log,
            )

    async def address(self):
        deadline = time.monotonic() + 60
        while not (
            found := re.search(r'"address": "http://([^:]+):(\d+)"', self.log.read_text())
        ):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            await asyncio.sleep(0.05)
        return found[1], int(found[2])

    async def begin(self, data, headers, *, length=None):
        """Send a request on a connection of its own, perhaps not all of it."""
        head = ["POST /hooks/github HTTP/1.1", "Host: x", "Connection: close"]
        head += [f"{name}: {value}" for name, value in headers.items()]
        head += [f"Content-Length: {len(data) if length is None else length}", "", ""]
        reader, writer = await asyncio.open_connection(*await self.address())
        with contextlib.suppress(ConnectionError):
            writer.write("\r\n".join(head).encode() + data)
            await writer.drain()
        return reader, writer

    async def status(self, reader):
        """The status of an answer, or 0 where there is none."""
        try:
            line = await asyncio.wait_for(reader.readline(), 120)
        except ConnectionError:
            return 0
        return int(line.split()[1]) if line else 0

    async def post(self, data, headers):
        reader, writer = await self.begin(data, headers)
        status = await self.status(reader)
        writer.close()
        return status

    @property
    def proc(self):
        return Path("/proc", str(self.process.pid))

    @property
    def peak(self):
        """The most memory that it had, in bytes."""
        lines = (self.proc / "status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    @property
    def sockets(self):
        return sum("socket" in str(one.readlink()) for one in (self.proc / "fd").iterdir())


@pytest.fixture
def process(tmp_path):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 4096)), hard))
    started = Process(tmp_path)
    yield started
    started.process.kill()
    started.process.wait(30)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


EVERY_FORGE = "sources:\n" + "".join(
    f"  {forge}: {{forge: {forge}, secret_env: {forge.replace('-', '_')}, repositories: ['**'],"
    f" url: 'https://{forge}.example.net/{{repository}}',"
    f" public_key: {base64.b64encode(bytes(senders.INSTANCE.verify_key)).decode()}}}\n"
    for forge in FORGES
)


@pytest.fixture
def every_forge(door):
    """A context: a server with a source for each forge, and a function that sends to it."""

    def secret(forge):
        return f"only {forge} knows this".encode()

    def make(forge, payload, event, *, form=False):
        data, headers, end = senders.as_sent(
            forge, payload, event, secret=secret(forge), form=form
        )
        return data, headers, f"/hooks/{forge}{end}"

    @asynccontextmanager
    async def opened():
        names = {forge.replace("-", "_"): secret(forge).decode() for forge in FORGES}
        async with door(EVERY_FORGE, **names) as client:
            client.make, client.secret = make, secret
            yield client

    return opened


@pytest.fixture
def patient_chats(monkeypatch):
    """Let no answer be late because the machine is busy."""
    for name, platform in PLATFORMS.items():
        patience = msgspec.structs.replace(platform, patience=DEADLINE)
        monkeypatch.setitem(PLATFORMS, name, patience)
