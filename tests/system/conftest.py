"""A real server as a process, and real containers whose data is a git checkout.

Pushes are signed here with the standard library alone, so that nothing that is tested
vouches for itself.
"""

import asyncio
import hashlib
import hmac
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import aiohttp
import pytest
import yaml
from author import GIT
from gates import GateProcess, gate_commands
from senders import invented_pushes, push_body

SECRET = "a secret of the tests, long enough"
DEADLINE = 30.0
"""Seconds that anything may take before a test gives up."""


async def until(look, *, seconds=DEADLINE):
    """Wait until `look` gives something true; fail with what it gave last."""
    deadline = time.monotonic() + seconds
    while not (found := await look()):
        if time.monotonic() > deadline:
            pytest.fail(f"waited {seconds:g} s, and found {found!r}")
        await asyncio.sleep(0.02)
    return found


class Site:
    """A container, and what it mounts at ``/srv``: script, checkout, repository."""

    def __init__(self, docker, start_container, directory: Path, name: str, **options):
        self.directory = directory
        self.name = name
        self.docker = docker
        self.project = options.pop("project", name)
        self.repository = f"ops/{options.pop('repository', self.project)}"
        directory.mkdir(parents=True)
        self.git("init", "-q", "--bare", "-b", "main", "git.git")
        self.git("clone", "-q", "git.git", "work")
        self.git("checkout", "-q", "-b", "main", at="work")
        self.head = self._commit("first")
        self.git("clone", "-q", "git.git", "data")
        self.git("remote", "set-url", "origin", "/srv/git.git", at="data")
        self.script("git -C /srv/data pull -q")
        labels = options.pop("labels", None)
        if labels is None:
            labels = {
                "hookrunner.project": self.project,
                "hookrunner.repository": f"https://git.example.net/{self.repository}.git",
            }
        engine_options = ["--init", *options.pop("options", ())]
        self._start = lambda suffix: start_container(
            suffix,
            labels=labels,
            volumes=[f"{directory}:/srv"],
            options=engine_options,
            **options,
        )
        self.id = self._start(name)
        self.container = docker("inspect", "--format", "{{.Name}}", self.id).lstrip("/")

    def git(self, *words, at="."):
        done = subprocess.run(
            ["git", *words],
            cwd=self.directory / at,
            env=os.environ | GIT,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def script(self, text):
        """Let ``container --update`` run this."""
        path = self.directory / "update.sh"
        fresh = path.with_suffix(".new")
        fresh.write_text(f"#!/bin/sh\n{text}\n")
        fresh.chmod(0o755)
        fresh.replace(path)

    def _commit(self, text):
        (self.directory / "work" / "file").write_text(text)
        self.git("add", "-A", at="work")
        self.git("commit", "-q", "-m", text, at="work")
        self.git("push", "-q", "origin", "main", at="work")
        return self.git("rev-parse", "HEAD", at="work")

    def push(self):
        """Commit something new; give what a forge says of it."""
        before = self.head
        self.head = self._commit(f"after {before}")
        return self.body(before, self.head)

    def body(self, before, after, **more):
        return push_body(self.repository, before, after) | more


class Server:
    """``hookrunner serve`` as a process.

    Args:
        state: The state directory, where it is not one of the test's.
        env: More environment.
        wrap: A command in front, such as strace with its options.
    """

    def __init__(
        self,
        directory: Path,
        engine: str,
        *,
        projects="{}",
        state=None,
        env=None,
        wrap=(),
        drain="2s",
    ):
        self.directory = directory
        self.state = state or directory / "state"
        self.env = env or {}
        self.wrap = wrap
        self.config = directory / "hookrunner.yaml"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "secret").write_text(SECRET + "\n")
        names = ("github", "gitea", "forgejo", "gogs", "gitlab", "generic")
        sources = "\n".join(
            f"  {name}: {{forge: {name}, secret_file: {self._secret(name)},"
            f" repositories: [ops/*], stream: true}}"
            for name in names
        )
        self.config.write_text(
            f"listen: 127.0.0.1:0\nstate: {self.state}\nlog: {{format: json}}\n"
            f"drain_timeout: {drain}\nengines: {{local: '{engine}'}}\n"
            f"projects: {projects}\nsources:\n{sources}\n"
        )
        self.process = None
        self.url = None

    def _command(self, *words):
        return [sys.executable, "-m", "hookrunner", *words, "--config", str(self.config)]

    def _secret(self, name):
        path = self.directory / f"{name}.secret"
        path.write_text(f"{SECRET} of {name}\n")
        return path

    async def start(self):
        log = (self.directory / "log").open("ab")
        self.process = subprocess.Popen(  # noqa: ASYNC220 - starts at once
            [*self.wrap, *self._command("serve")],
            stdout=log,
            stderr=log,
            env={k: v for k, v in os.environ.items() if not k.startswith("HOOKRUNNER_")}
            | self.env,
        )
        log.close()
        seen = self.log().count('"listening"')
        await until(self._listens_again(seen))
        return self

    def _listens_again(self, seen):
        async def look():
            assert self.process.poll() is None, self.log()
            told = [line for line in self.log().splitlines() if '"listening"' in line]
            if len(told) > seen:
                self.url = json.loads(told[-1])["address"]
            return len(told) > seen

        return look

    def log(self):
        return (self.directory / "log").read_text()

    def kill(self):
        self.process.kill()
        self.process.wait(DEADLINE)

    def stop(self):
        self.process.terminate()
        assert self.process.wait(DEADLINE) == 0, self.log()

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def cli(self, *words):
        return subprocess.run(
            self._command(*words),
            capture_output=True,
            timeout=DEADLINE,
            check=False,
        )

    async def deliver(
        self, body, *, source="generic", path=None, query="", headers=None, sign=True
    ):
        """Send a delivery as its forge would; give the status and the answer."""
        data, signed = self.signed(body, source)
        told = {"Content-Type": "application/json"} | (signed if sign else {}) | (headers or {})
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}{path or f'/hooks/{source}'}{query}",
                data=io.BytesIO(data),
                headers=told,
            ) as answer,
        ):
            text = await answer.text()
            is_json = "json" in answer.content_type
            return answer.status, json.loads(text) if is_json else text

    def signed(self, body, source="generic"):
        """The bytes of a delivery, and the headers that prove them."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        secret = f"{SECRET} of {source}".encode()
        digest = hmac.new(secret, data, hashlib.sha256).hexdigest()
        signed = {
            "github": {"X-GitHub-Event": "push", "X-Hub-Signature-256": f"sha256={digest}"},
            "gitea": {"X-Gitea-Event": "push", "X-Gitea-Signature": digest},
            "forgejo": {"X-Forgejo-Event": "push", "X-Forgejo-Signature": digest},
            "gogs": {"X-Gogs-Event": "push", "X-Gogs-Signature": digest},
            "gitlab": {"X-Gitlab-Event": "Push Hook", "X-Gitlab-Token": secret.decode()},
            "generic": {"X-Hub-Signature-256": f"sha256={digest}"},
        }[source]
        return data, signed

    async def ask(self, path):
        """What strangers may ask; give the status and the text."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}{path}") as answer,
        ):
            return answer.status, await answer.text()

    def control(self):
        """A session over the control socket."""
        connector = aiohttp.UnixConnector(str(self.state / "hookrunner.sock"))
        return aiohttp.ClientSession("http://control", connector=connector)

    async def api(self, method, path, *, body=None, **headers):
        """Ask over the control socket; give the status and the decoded answer, or bytes."""
        async with (
            self.control() as session,
            session.request(method, f"/api/v1{path}", json=body, headers=headers) as answer,
        ):
            data = await answer.read()
            is_json = answer.content_type.endswith(("/json", "+json"))
            return answer.status, json.loads(data) if is_json else data

    async def finished(self, run, *, seconds=DEADLINE):
        """A run, once it is over."""

        async def look():
            _, found = await self.api("GET", f"/runs/{run}")
            return found if found["finished_at"] else None

        return await until(look, seconds=seconds)

    async def matched(self, run):
        """A run, once it is known what it reaches: late, while any container is being asked."""

        async def look():
            _, found = await self.api("GET", f"/runs/{run}")
            return found if found["steps"] else None

        return await until(look)

    async def knows(self, *sites):
        """Wait until containers are in the inventory, and what they serve is known."""

        async def look():
            _, found = await self.api("GET", "/containers")
            known = {one["name"]: one for one in found["items"]}
            return all(
                site.container in known and _was_asked(known[site.container]) for site in sites
            )

        await until(look)


def _was_asked(container):
    """Whether it said what it serves: it is never what the image was built from."""
    return container["current_gitref"] not in {None, container["gitref"]}


@pytest.fixture
def pause():
    """A function: let time pass, where a fault or a sender comes at any instant."""

    async def wait(seconds):
        moment = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, moment.set)
        await moment.wait()

    return wait


@pytest.fixture
def execs_of(docker):
    """A function: the execs of containers that did not end: they run, or never started."""

    def look(*sites):
        found = json.loads(docker("inspect", *(site.id for site in sites)))
        return [one for container in found for one in container["ExecIDs"] or []]

    return look


@pytest.fixture(name="invented_pushes")
def invented_pushes_fixture():
    """The function `invented_pushes`."""
    return invented_pushes


@pytest.fixture(name="until")
def until_fixture():
    """The function `until`, for tests that wait."""
    return until


@pytest.fixture(scope="session")
def new_site(docker, start_container, tmp_path_factory, run_id):
    """A function: start a container with a checkout, which lives until the session ends."""

    def make(name, **options):
        directory = tmp_path_factory.mktemp("site") / name
        project = f"{run_id}-{name}"
        return Site(docker, start_container, directory, name, project=project, **options)

    return make


@pytest.fixture
def make_site(docker, start_container, tmp_path, run_id):
    """A function: start a container with a checkout; it goes when the test ends."""
    made = []

    def make(name, **options):
        project = options.pop("project", f"{run_id}-{name}")
        site = Site(docker, start_container, tmp_path / name, name, project=project, **options)
        made.append(site)
        return site

    yield make
    if made:
        docker("rm", "--force", *(site.id for site in made))


@pytest.fixture
async def make_server(tmp_path, engine_kind, engine_way, request):  # noqa: ARG001 - for engine_url
    """A function: start a server, with a gate before its engine where the test's way is that;
    both are killed when the test ends."""
    made = []

    def gated(name, engine, projects):
        allowed = gate_commands(yaml.safe_load(f"projects: {projects}")["projects"])
        gate = GateProcess(tmp_path / f"{name}-gate", engine, commands=allowed)
        made.append(gate)
        return gate.start().url

    async def make(name="server", *, engine=None, is_started=True, **options):
        engine = engine or request.getfixturevalue("engine_url")
        if engine_way == "gate":
            engine = gated(name, engine, options.get("projects", "{}"))
        server = Server(tmp_path / name, engine, **options)
        made.append(server)
        return await server.start() if is_started else server

    yield make
    for server in made:
        server.close()
