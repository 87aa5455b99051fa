"""A whole server in this process, with a real store and no engine: what it knows is put in.

No engine answers, so nothing can run; what it shows of runs is what was recorded.
"""

import hashlib
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp
import msgspec

from hookrunner import app
from hookrunner.adapters.store import Changes
from hookrunner.config import loads
from hookrunner.core.tokens import Token
from hookrunner.model import (
    Action,
    Chunk,
    Container,
    Delivery,
    Metadata,
    Outcome,
    Push,
    PushReceipt,
    Run,
    Status,
    Step,
    Stream,
    Trigger,
    Verdict,
)
from hookrunner.units import new_id
from hookrunner.web.server import serving

COMMIT = "a" * 40
TOKENS = {
    "admin": "hr_the-admin-of-the-tests",
    "run": "hr_the-runner-of-the-tests",
    "read": "hr_the-reader-of-the-tests",
    "mail": "hr_the-reader-of-mail",
}


def ids(at=None):
    return new_id(at or datetime.now(UTC))


class World:
    """A running server, what was put into it, and the ways to ask it."""

    def __init__(self, services, url):
        self.services = services
        self.url = url

    def container(self, name="bind-1", project="bind", **values):
        """Let a container be known."""
        keys = values.pop("keys", {})
        made = Container(
            **{
                "id": hashlib.sha256(name.encode()).hexdigest(),
                "name": name,
                "engine": "local",
                "image": f"ops/{project}:latest",
                "image_id": "sha256:" + "1" * 64,
                "created_at": datetime.now(UTC) - timedelta(days=1),
                "metadata": Metadata(
                    keys={
                        "project": project,
                        "git_repo": f"https://git.example.net/ops/{project}.git",
                        "git_branch": "main",
                        "gitref": COMMIT,
                    }
                    | keys,
                    origins={"project": "image label"},
                ),
                "methods": frozenset(Action),
                "current_gitref": COMMIT,
                **values,
            }
        )
        self.services.inventory.put(made)
        self.services.inventory.engines.add("local")
        return made

    async def run(self, *containers, output=b"", ago=timedelta(minutes=1), **values):
        """Record a run with a finished step in each container; give both."""
        at = datetime.now(UTC) - ago
        step_values = values.pop("step", {})
        run = Run(
            **{
                "id": ids(at),
                "trigger": Trigger.push,
                "action": Action.update,
                "created_at": at,
                "finished_at": at + timedelta(seconds=2),
                "status": Status.succeeded,
                "push": Push(
                    repository="ops/bind",
                    ref="refs/heads/main",
                    before="b" * 40,
                    after=COMMIT,
                    pusher="ada",
                ),
                "requested_by": "source gitea",
                "source": "gitea",
                **values,
            }
        )
        steps = []
        for number, container in enumerate(containers, 1):
            step = Step(
                **{
                    "id": ids(at),
                    "run": run.id,
                    "number": number,
                    "engine": container.engine,
                    "container": container.name,
                    "container_id": container.id,
                    "project": container.project,
                    "image": container.image,
                    "action": run.action,
                    "trigger": run.trigger,
                    "created_at": at,
                    "started_at": at,
                    "finished_at": run.finished_at,
                    "timeout": 600.0,
                    "output_limit": 1 << 20,
                    "status": Status.succeeded,
                    "outcome": Outcome.updated,
                    "exit_code": 0,
                    "gitref": COMMIT,
                    "output_bytes": len(output),
                    **step_values,
                }
            )
            steps.append(step)
        self.print_output(run, steps, output)
        await self.services.store.save(Changes(runs=(run,), steps=tuple(steps)))
        return run, steps

    def print_output(self, run, steps, output):
        """Record what each step printed; text goes to stdout, pairs say where."""
        offset = 0
        pieces = [(Stream.stdout, output)] if isinstance(output, bytes) else output
        for step in steps:
            writer = self.services.following._spool.writer(
                run.id, step.id, limit=step.output_limit
            )
            for stream, data in pieces:
                writer.append(offset, Chunk(stream, data), at=run.created_at.timestamp())
                offset += len(data)
            writer.close()

    async def delivery(self, *receipts, **values):
        """Record a delivery."""
        at = values.pop("received_at", datetime.now(UTC))
        made = Delivery(
            **{
                "id": ids(at),
                "source": "gitea",
                "forge": "gitea",
                "event": "push",
                "received_at": at,
                "body_hash": "0" * 64,
                "pushes": receipts,
                **values,
            }
        )
        await self.services.store.save(Changes(deliveries=(made,)))
        return made

    def receipt(self, *, run=None, ignored=None, verdicts=(), repository="ops/bind", **push):
        """What became of a push."""
        return PushReceipt(
            push=Push(repository=repository, ref="refs/heads/main", after=COMMIT, **push),
            run=run,
            ignored=ignored,
            verdicts=tuple(verdicts),
        )

    def verdict(self, container, **values):
        """A verdict on a container."""
        return Verdict(
            **{
                "container": container.name,
                "container_id": container.id,
                "engine": container.engine,
                "project": container.project,
                "target": True,
                "reason": "git_repo: it was built from git.example.net/ops/bind",
                **values,
            }
        )

    @asynccontextmanager
    async def session(self, scope="admin", **options):
        """Somebody with a token of that scope; None has no token."""
        headers = {"Authorization": f"Bearer {TOKENS[scope]}"} if scope else {}
        async with aiohttp.ClientSession(self.url, headers=headers, **options) as session:
            yield session

    async def ask(self, method, path, *, scope="admin", **options):
        """Ask the API; give the status, the headers, and what the JSON says, or the bytes."""
        async with (
            self.session(scope) as session,
            session.request(method, path, allow_redirects=False, **options) as answer,
        ):
            data = await answer.read()
            is_json = "json" in answer.content_type and "ndjson" not in answer.content_type
            told = msgspec.json.decode(data) if is_json and data else data
            return answer.status, answer.headers, told

    async def cookie(self, who="admin"):
        """The session's cookie of somebody who signs in with a token, or with one's scope."""
        status, headers, _ = await self.ask(
            "POST",
            "/sign-in",
            scope=None,
            data={"token": TOKENS.get(who, who)},
            headers={"Origin": self.url},
        )
        assert status == 303
        return headers["Set-Cookie"].partition(";")[0]

    async def page(self, path, who="admin"):
        """A page as a browser gets it; give the status, the headers and the text."""
        browser = {"Cookie": await self.cookie(who), "Accept": "text/html"}
        status, headers, body = await self.ask("GET", path, scope=None, headers=browser)
        assert headers["Content-Type"].startswith("text/html"), body
        return status, headers, body.decode()


@asynccontextmanager
async def opened(directory, more=""):
    """A running server; what is open goes with it."""
    secret = directory / "secret"
    secret.write_text("a secret of the tests, long enough\n")
    config = loads(
        f"state: {directory}/state\n{'' if 'listen:' in more else 'listen: 127.0.0.1:0'}\n"
        f"engines: {{local: 'unix://{directory}/no.sock'}}\nlog: {{level: error}}\n"
        f"sources:\n  gitea: {{secret_file: {secret}, repositories: [ops/*]}}\n{more}",
        name="hookrunner.yaml",
    )
    secrets = {"gitea": [secret.read_bytes().strip()]}
    async with app.built(config, secrets) as (services, _, group):
        group.create_task(services.intake.run(), name="intake")
        group.create_task(services.dispatcher.run(), name="dispatcher")
        for scope, text in TOKENS.items():
            await services.store.add_token(
                Token(
                    id=ids(),
                    name=scope,
                    hash=hashlib.sha256(text.encode()).hexdigest(),
                    scopes=frozenset({"read" if scope == "mail" else scope}),
                    project="mail" if scope == "mail" else "*",
                    created_at=datetime.now(UTC),
                )
            )
        async with serving(services) as listeners:
            yield World(services, listeners.addresses[0])
