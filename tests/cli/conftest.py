"""A small server that speaks the API's contract, in a thread, since commands run a loop."""

import asyncio
import json
import os
import socket
import subprocess
import threading
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest
from aiohttp import web
from click.testing import CliRunner, Result

from hookrunner.cli.hook import script
from hookrunner.cli.main import cli

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
DEADLINE = 20.0
LIMIT = 30
SECRET = b"0123456789abcdef-h\xc3\xa4mmer"
DONE = b"hookrunner: run 01x succeeded: 1 updated, 0 failed in 0.1 s\n"


@dataclass
class Seen:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)


class Server:
    """Answers what a test tells it to, and remembers what it was asked."""

    def __init__(self):
        self.seen: list[Seen] = []
        self.answers: dict[tuple[str, str], Handler] = {}
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._runner: web.AppRunner | None = None
        self.released = self.call(self._event())

    async def _event(self):
        return asyncio.Event()

    def call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(DEADLINE)

    def start(self, *, path: Path | None = None, port: int = 0) -> "Server":
        self.call(self._start(path, port))
        return self

    async def _start(self, path, port):
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=1.0)
        await self._runner.setup()
        if path:
            await web.UnixSite(self._runner, str(path)).start()
        else:
            await web.TCPSite(self._runner, "127.0.0.1", port).start()
            self.port = self._runner.addresses[0][1]

    def release(self):
        """Let the answers end that are held."""
        self._loop.call_soon_threadsafe(self.released.set)

    def stop(self):
        if self._runner:
            self.release()
            self.call(self._see_the_last_in())
            self.call(self._runner.cleanup())
            self._runner = None

    async def _see_the_last_in(self):
        """Take what a client opened at the very end: asyncio loses a socket that it accepted
        just before its server is closed."""
        for _ in range(50):
            await asyncio.sleep(0)

    def close(self):
        self.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(DEADLINE)
        self._loop.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        query, headers = dict(request.query), dict(request.headers)
        self.seen.append(Seen(request.method, request.path, query, headers, body))
        answer = self.answers.get((request.method, request.path))
        if answer is None:
            return problem(404, "nothing is here")
        return await answer(request)

    def reply(self, method: str, path: str, body, *, status=200, headers=None):
        """Answer with JSON, or with text where `body` is bytes."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/plain" if isinstance(body, bytes) else "application/json"

        async def handler(_request):
            return web.Response(
                status=status, body=raw, content_type=kind, headers=headers or {}
            )

        self.answers[method, path] = handler

    def refuse(self, method: str, path: str, status: int, **members):
        async def handler(_request):
            return problem(status, **members)

        self.answers[method, path] = handler

    def stream(
        self, method: str, path: str, chunks, *, hold=False, cut=False, kind="text/plain"
    ):
        """Answer bit by bit; `hold` keeps the answer open, `cut` breaks it off."""

        async def handler(request):
            response = web.StreamResponse()
            response.content_type = kind
            await response.prepare(request)
            for chunk in chunks:
                await response.write(chunk)
            if hold:
                await self.released.wait()
            if cut:
                request.transport.close()
            return response

        self.answers[method, path] = handler


def problem(status: int, detail: str = "", **members) -> web.Response:
    body = {"type": "about:blank", "title": "A title", "status": status, "detail": detail}
    return web.Response(
        status=status,
        body=json.dumps(body | members).encode(),
        content_type="application/problem+json",
    )


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch, tmp_path):
    """No setting of who runs the tests gets in, and no real file is found."""
    for name in list(os.environ):
        if name.startswith(("HOOKRUNNER_", "GIT_", "GL_")) or name in {
            "DOCKER_HOST",
            "REMOTE_USER",
            "NO_COLOR",
        }:
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home/state"))


@pytest.fixture
def server() -> Iterator[Server]:
    """A server that is not started yet."""
    made = Server()
    yield made
    made.close()


@pytest.fixture
def config(tmp_path) -> Path:
    """A configuration file whose state directory is the test's own."""
    state = tmp_path / "state"
    state.mkdir()
    file = tmp_path / "hookrunner.yaml"
    file.write_text(f"state: {state}\n")
    return file


@pytest.fixture
def api(server, config, tmp_path) -> Server:
    """A server on the control socket of `config`."""
    assert config
    return server.start(path=tmp_path / "state/hookrunner.sock")


@pytest.fixture
def run(config) -> Callable[..., Result]:
    """Run a command with `config`, stdout and stderr apart."""

    def invoke(*words: str, stdin: bytes | None = None) -> Result:
        return CliRunner().invoke(cli, [*words, "--config", str(config)], input=stdin)

    return invoke


@pytest.fixture(scope="session")
def post_receive(tmp_path_factory):
    """The hook as a module, its parts joined."""
    path = tmp_path_factory.mktemp("hook") / "post-receive"
    path.write_text(script())
    loader = SourceFileLoader("post_receive", str(path))
    spec = spec_from_loader("post_receive", loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


@pytest.fixture
def verdicts():
    """Why one container is a target, and another is not."""
    return [
        {"container": "dns-1", "target": True, "reason": "its git_repo is the same"},
        {
            "container": "dns-2",
            "target": False,
            "reason": "branch dev",
            "remedy": "set branch: main",
        },
    ]


@pytest.fixture
def listed():
    """A function: one page of a list."""

    def page(*items, following=None):
        return {"items": list(items), "next": following}

    return page


class Repository:
    """A bare repository with the hook, and a clone to push from."""

    def __init__(self, path: Path):
        self.bare = path / "srv/ops/docker_bind.git"
        self.work = path / "work"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(path),
            "USER": "anna",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{f"GIT_{who}_NAME": "Anna" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "anna@example.net" for who in ("AUTHOR", "COMMITTER")},
        }
        self.bare.mkdir(parents=True)
        self.work.mkdir()
        self.git("init", "-q", "--bare", "-b", "main", str(self.bare))
        self.git("init", "-q", "-b", "main")
        self.git("remote", "add", "origin", str(self.bare))

    def git(self, *words: str) -> str:
        done = subprocess.run(
            ["git", *words],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.decode().strip()

    def commit(self, **files: str | None) -> str:
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "a change")
        return self.git("rev-parse", "HEAD")

    def push(self, *words: str) -> str:
        """Push, which has to succeed; what the pusher reads, without `remote:`."""
        done = subprocess.run(
            ["git", "push", "origin", *words],
            cwd=self.work,
            env=self.environment,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        lines = done.stderr.decode().split("\n")
        return "\n".join(
            line.removeprefix("remote: ").rstrip()
            for line in lines
            if line.startswith("remote:")
        )

    def spooled(self) -> list[dict]:
        files = sorted((self.bare / "hookrunner").glob("*.json"))
        return [json.loads(file.read_bytes()) for file in files]

    def install(self, text: str) -> None:
        hook = self.bare / "hooks/post-receive"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(text)
        hook.chmod(0o700)


@pytest.fixture
def secret():
    """What the hook that `install` made signs with."""
    return SECRET


@pytest.fixture
def done():
    """The last line of what `live` answers."""
    return DONE


@pytest.fixture
def repository(tmp_path):
    return Repository(tmp_path)


@pytest.fixture
def port():
    """A port on which nothing listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture
def install(repository, run, config, tmp_path, port):
    """Make the hook with the command, and put it in its place."""

    def made(*words: str, **options):
        secret = tmp_path / "secret"
        secret.write_bytes(SECRET + b"\n")
        config.write_text(
            f"state: {tmp_path}/state\nlisten: 127.0.0.1:{options.get('port', port)}\n"
            f"sources:\n  bare: {{secret_file: {secret}, repositories: ['**'], stream: true}}\n"
        )
        result = run("hook", "bare", *words)
        assert result.exit_code == 0, result.stderr
        repository.install(result.stdout)
        return result

    return made


@pytest.fixture
def live(server, install):
    """A running server, and the hook that sends to it."""
    server.start()
    server.stream("POST", "/hooks/bare", [b">> Fetch\n", DONE])
    install(port=server.port)
    return server
