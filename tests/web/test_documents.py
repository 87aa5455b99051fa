"""The commands of the documents, run as they stand before a live server without an engine.

Only paths and addresses are put in place of those that are shown. What cannot be run here is
in `shown.ELSEWHERE`, with the test that does it instead.
"""

import asyncio
import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from senders import DELIVERIES
from shown import BLOCKS, ELSEWHERE, REFUSAL, calls, commands, elsewhere
from world import TOKENS, World, ids

from hookrunner import app
from hookrunner.adapters.credentials import load_secrets
from hookrunner.app import running
from hookrunner.cli.main import cli
from hookrunner.cli.settings import load
from hookrunner.config import FORGES
from hookrunner.core.tokens import Token
from hookrunner.web.reload import Reload
from hookrunner.web.server import control_socket, serving

pytestmark = pytest.mark.process

SOURCES = {name: name for name in FORGES if name != "generic"} | {"bare": "generic"}
QUOTED = re.compile(r"""'[^']*'|"[^"$`]*\"""")
SHELL = re.compile(r"[<>|;&$*`\\]|^\w+=", re.MULTILINE)
"""What only a shell understands, outside of quotes."""
LIMIT = 30
"""Seconds that the commands of a block may take."""


class Place:
    """Where commands are run: a folder, and a server that knows a little of everything."""

    def __init__(self, folder, url):
        self.folder = folder
        self.instead = {
            "/etc/hookrunner": f"{folder}/etc",
            "/var/backups": str(folder),
            "/srv/git/ops/www.git/hooks": str(folder),
            "http://127.0.0.1:4665": url,
            "https://HOOKRUNNER": url,
        }
        self.environment = {
            "HOOKRUNNER_CONFIG": f"{folder}/etc/hookrunner.yaml",
            "TOKEN": TOKENS["admin"],
        }

    def put_in(self, text):
        for shown, here in self.instead.items():
            text = text.replace(shown, here)
        return text

    async def run(self, shown):
        """Run the commands of a block, one after the other; say what went wrong, or None.

        `push.json` is there, as the git server sends it that the document is about.
        """
        forge = shown[0].file.stem if shown[0].file.stem in FORGES else "gitea"
        recorded = (DELIVERIES / forge / "push.json").read_text("utf-8")
        (self.folder / "push.json").write_text(json.dumps(json.loads(recorded)["body"]))
        texts = [self.put_in(command.text) for command in shown]
        plain = [QUOTED.sub("", text) for text in texts]
        if any(SHELL.search(one) or not one.startswith("hookrunner ") for one in plain):
            return await self._run_by_a_shell("\n".join(texts))
        for text in texts:
            [[_, *words]] = calls(text)
            runner = CliRunner(env=self.environment)
            done = await asyncio.to_thread(runner.invoke, cli, words)
            if done.exit_code:
                return f"{text}: exit {done.exit_code}: {done.output}"
        return None

    async def _run_by_a_shell(self, script):
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        done = await asyncio.to_thread(
            subprocess.run,
            ["timeout", str(LIMIT), "bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=os.environ | self.environment | {"PATH": path},
            capture_output=True,
            text=True,
            check=False,
        )
        told = done.stdout + done.stderr
        if done.returncode or '"status":4' in told:
            return f"{script}: exit {done.returncode}: {told}"
        return None


@asynccontextmanager
async def opened(folder):
    """A place, until its server stops."""
    etc = folder / "etc"
    etc.mkdir()
    sources = ""
    for name, forge in SOURCES.items():
        secret = f"{'whsec_' if forge == 'standard-webhooks' else ''}{secrets.token_hex(20)}"
        (etc / f"{name}.secret").write_text(f"{secret}\n")
        sources += f"  {name}: {{forge: {forge}, secret_file: {etc}/{name}.secret,"
        sources += " repositories: ['**'], url: 'https://git.example.net/{repository}'}\n"
    (etc / "hookrunner.yaml").write_text(
        f"state: {folder}/state\nlisten: 127.0.0.1:0\npublic_url: https://hooks.example.net\n"
        f"engines: {{local: 'unix://{folder}/no.sock'}}\nlog: {{level: error}}\n"
        f"sources:\n{sources}"
    )
    (folder / "state").mkdir()

    def read():
        return load(f"{etc}/hookrunner.yaml")

    config = read()
    async with (
        app.built(config, load_secrets(config.sources, {})) as (services, engines, group),
        control_socket(services, folder / "state/hookrunner.sock"),
        serving(services) as listeners,
    ):
        reload = Reload(
            lambda: running._read_again(read),
            services=services,
            engines=engines,
            listeners=listeners,
        )
        services.settings.reload = reload.now
        group.create_task(services.intake.run(), name="intake")
        await services.store.add_token(
            Token(
                id=ids(),
                name="admin",
                hash=hashlib.sha256(TOKENS["admin"].encode()).hexdigest(),
                scopes=frozenset({"admin"}),
                project="*",
                created_at=datetime.now(UTC),
            )
        )
        world = World(services, listeners.addresses[0])
        www = world.container("www", "www")
        run, _ = await world.run(www, output=b"Already up to date.\n")
        await world.delivery(world.receipt(run=run.id, verdicts=[world.verdict(www)]))
        yield Place(folder, world.url)


def instead(command):
    """The test that a command is left to, or None: it is run here."""
    if command.output and command.output[0].startswith(REFUSAL):
        return "tests/test_shown.py"
    patterns = [one for words in calls(command.text) if (one := elsewhere(words))]
    return ELSEWHERE[patterns[0]].partition(": ")[0] if patterns else None


async def test_commands_that_are_shown_do_what_they_say(tmp_path, monkeypatch, measured):
    monkeypatch.chdir(tmp_path)
    shown = [commands(block) for block in BLOCKS if block.kind == "console"]
    left = Counter(test for one in shown for command in one if (test := instead(command)))
    here = [[command for command in one if instead(command) is None] for one in shown]

    async with opened(tmp_path) as place:
        found = [(one[0].place, await place.run(one)) for one in here if one]

    assert [f"{place}: {why}" for place, why in found if why] == []
    measured(f"{sum(map(len, here))} commands of the documents are run before a server")
    measured(
        f"others by {', '.join(f'{test} ({count})' for test, count in sorted(left.items()))}"
    )
