"""The installed program as a process of its own, without an engine that answers."""

import contextlib
import hashlib
import hmac
import io
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time

import aiohttp
import pytest

DEADLINE = 60.0
ENVIRONMENT = {"PYTHONUNBUFFERED": "1"}
PUSH = {
    "ref": "refs/heads/main",
    "before": "1" * 40,
    "repository": {
        "full_name": "ops/bind",
        "clone_url": "https://git.example.net/ops/bind.git",
        "default_branch": "main",
    },
    "pusher": {"name": "ada"},
}


def find_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def make_push(**more):
    """The body of a push that nobody sent before."""
    return json.dumps(PUSH | {"after": secrets.token_hex(20)} | more).encode()


def sign(body, secret):
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/json",
        "X-GitHub-Event": "push",
        "X-GitHub-Delivery": secrets.token_hex(8),
        "X-Hub-Signature-256": f"sha256={digest}",
    }


class Program:
    """`hookrunner serve`, its configuration, and the commands that reach it."""

    def __init__(self, place):
        self.place = place
        self.file = place / "hookrunner.yaml"
        self.state = place / "state"
        self.secret = place / "github.secret"
        self.port = find_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.log = place / "log"
        self.keep_secrets(b"the first secret of the tests")
        self.configure()

    def keep_secrets(self, *several):
        """Write the files of the source's secrets."""
        self.secrets = several
        for number, one in enumerate(several):
            (self.place / f"secret.{number}").write_bytes(one)

    def configure(self, *lines, listen=None):
        """Write the configuration; `lines` come to it."""
        files = ", ".join(f"{self.place}/secret.{n}" for n in range(len(self.secrets)))
        text = [
            f"state: {self.state}",
            f"listen: {listen or f'127.0.0.1:{self.port}'}",
            f"sources: {{github: {{secret_file: [{files}], repositories: ['ops/*']}}}}",
            *lines,
        ]
        if not any(line.startswith("engines:") for line in lines):
            text.append(f"engines: {{local: 'unix://{self.place}/none.sock'}}")
        self.file.write_text("\n".join(text) + "\n")

    def run(self, *words, check=True):
        """Run a command of the program's."""
        done = subprocess.run(
            [sys.executable, "-m", "hookrunner", *words, "--config", self.file],
            capture_output=True,
            text=True,
            timeout=DEADLINE * 2,
            env=os.environ | ENVIRONMENT,
            check=False,
        )
        if check and done.returncode:
            pytest.fail(f"{words} ended with {done.returncode}: {done.stderr}\n{self.said()}")
        return done

    def start(self):
        before = len(self.said())
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "hookrunner", "serve", "--config", self.file],
                stdout=log,
                stderr=log,
                env=os.environ | ENVIRONMENT,
            )
        self.wait_for((self.state / "hookrunner.sock").is_socket)
        self.wait_for(lambda: "listening" in self.said()[before:])
        return self

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(DEADLINE)
            self.process = None

    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    def wait_for(self, condition):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            if time.monotonic() > deadline or (self.process and self.process.poll()):
                pytest.fail(f"it did not come to that: {self.said()}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                if self.process:
                    self.process.wait(0.02)

    async def push(self, session, *, secret=None, url=None, **more):
        """Send a push; give the status and what is answered."""
        body = make_push(**more)
        async with session.post(
            f"{url or self.url}/hooks/github",
            data=io.BytesIO(body),
            headers=sign(body, secret or self.secrets[0]),
        ) as answer:
            return answer.status, await answer.json()

    async def get(self, path, *, method="GET", url=None, **options):
        """Ask over the control socket, or at a URL."""
        connector = None if url else aiohttp.UnixConnector(str(self.state / "hookrunner.sock"))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.request(method, f"{url or 'http://control'}{path}", **options) as answer,
        ):
            raw = await answer.text()
            return answer.status, json.loads(raw) if "json" in answer.content_type else raw


@pytest.fixture
def program(tmp_path):
    """A program that is configured, and not started yet."""
    made = Program(tmp_path)
    yield made
    made.stop(signal.SIGKILL)


@pytest.fixture
def free_port():
    """A function: a port that nobody listens on."""
    return find_port
