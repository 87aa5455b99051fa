"""``hookrunner check``: what is wrong, and what to do about it."""

import asyncio
import json
import sys
from collections.abc import Iterable
from typing import Any

import click
import msgspec
from rich.text import Text

from hookrunner.cli.client import Client, answers, connect, decode
from hookrunner.cli.explain import EXPLAIN, show_answer
from hookrunner.cli.options import duration, with_config, with_json
from hookrunner.cli.permissions import check_files
from hookrunner.cli.settings import find_file, load
from hookrunner.cli.terminal import cell, note, show, write_json
from hookrunner.config import Config, Door, TcpAddress
from hookrunner.core.findings import Finding, Level
from hookrunner.errors import HookrunnerError
from hookrunner.units import format_duration

MARKS = {"ok": ("✓", "green"), "note": ("·", "yellow"), "wrong": ("✗", "red")}
WRONG = 1
"""Exit status where something is wrong."""
LOOK_AGAIN = 0.5
"""Seconds between looks at what came; nobody sees less while pressing a button."""


@click.command()
@click.option(
    "--await-delivery",
    "waits",
    is_flag=True,
    help="Wait for a git server's delivery, a test one or a real push, and explain it.",
)
@click.option(
    "--wait",
    callback=duration,
    default="10m",
    show_default=True,
    metavar="TIME",
    help="How long --await-delivery waits.",
)
@with_json
@with_config
def check(*, waits: bool, wait: float, as_json: bool, config_file: str | None) -> None:
    """Look at the configuration, the engines, the containers and what came in.

    Says what is wrong and what to do about it. Exit status 1 if anything is wrong.
    """
    config = load(config_file)
    if waits:
        if as_json:
            raise click.UsageError("--await-delivery is for people: it has no --json")
        sys.exit(asyncio.run(_await_delivery(config, config_file, wait)))
    found = [*check_files(config, find_file(config_file)[0])]
    found += asyncio.run(_ask(config))
    if as_json:
        items = [msgspec.to_builtins(finding) for finding in found]
        write_json(json.dumps({"items": items, "next": None}).encode())
    else:
        tell(found)
    if any(finding.level is Level.wrong for finding in found):
        sys.exit(WRONG)


async def _ask(config: Config) -> list[Finding]:
    """What the server finds; where none runs, what it would find."""
    try:
        runs = await answers(config)
        async with connect(config) as client:
            raw = await client.raw("GET", "/api/v1/check")
    except HookrunnerError as error:
        about = "server"
        return [Finding(level=Level.wrong, about=about, text=str(error), remedy=error.hint)]
    items = decode(raw)["items"]
    level, text = (Level.ok, "it runs") if runs else (Level.note, "it does not run")
    remedy = None if runs else "start it: hookrunner serve"
    server = Finding(level=level, about="server", text=text, remedy=remedy)
    return [server, *(msgspec.convert(item, Finding) for item in items)]


def tell(found: Iterable[Finding]) -> None:
    """Print findings, each with its remedy below it."""
    count = 0
    for finding in found:
        mark = MARKS[finding.level]
        count += finding.level is Level.wrong
        show(Text.assemble(mark, " ", (cell(finding.about), "bold"), f"  {cell(finding.text)}"))
        for line in (finding.remedy or "").splitlines():
            show(Text(f"    {cell(line)}"))
    if count:
        show(Text(f"{count} thing{' is' if count == 1 else 's are'} wrong", style="red"))


async def _await_delivery(config: Config, file: str | None, wait: float) -> int:
    """Wait for deliveries, and say what came of the first that proves itself."""
    async with connect(config, needs_server=True, file=file) as client:
        seen = await _newest(client, "/api/v1/deliveries", "id")
        refused = await _newest(client, "/api/v1/refusals", "at")
        for url in _urls(config):
            note(f"waiting for a delivery to {url}")
        note(f"at most {format_duration(wait)}; ^C ends it")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + wait
        while loop.time() < deadline:
            for one in reversed(await _since(client, "/api/v1/refusals", "at", refused)):
                refused = one["at"]
                _tell_refusal(one)
            came = await _since(client, "/api/v1/deliveries", "id", seen)
            if came:
                return await _explain(client, came[-1])
            await asyncio.sleep(LOOK_AGAIN)
    show(Text("✗ nothing came that proves itself", style="red"))
    show(Text("    look at the git server's own list of deliveries: `hookrunner check` tells"))
    show(Text("    which of its settings would keep it from sending"))
    return WRONG


def _urls(config: Config) -> list[str]:
    """Where webhooks go, of each source at each address."""
    bases = [
        f"http://{listen.address}"
        for listen in config.listen
        if Door.hooks in listen.serves and isinstance(listen.address, TcpAddress)
    ]
    if config.public_url is not None:
        bases = [config.public_url]
    return [f"{base}/hooks/{name}" for base in bases for name in config.sources]


async def _since(client: Client, path: str, key: str, seen: str | None) -> list[dict[str, Any]]:
    """What is newer than what was seen, newest first."""
    items = decode(await client.raw("GET", path))["items"]
    return [item for item in items if seen is None or str(item[key]) > seen]


async def _newest(client: Client, path: str, key: str) -> str | None:
    items = decode(await client.raw("GET", path))["items"]
    return str(items[0][key]) if items else None


def _tell_refusal(one: dict[str, Any]) -> None:
    show(
        Text.assemble(
            ("✗ ", "red"),
            (f"a request from {cell(one['address'])} was refused", "bold"),
            f"  {cell(one['reason'])}",
        )
    )
    show(Text(f"    {cell(one.get('hint') or 'give the webhook the secret of its source')}"))


async def _explain(client: Client, delivery: dict[str, Any]) -> int:
    """Say what a delivery is, whom it reaches, and who came near."""
    words = [delivery.get("forge"), delivery.get("event"), delivery.get("repository")]
    show(
        Text.assemble(
            ("✓ ", "green"),
            ("a delivery came, and proves itself", "bold"),
            f"  source {cell(delivery['source'])}: "
            + cell(" ".join(str(word) for word in words if word)),
        )
    )
    raw = await client.raw("POST", EXPLAIN, body={"delivery": delivery["id"]})
    told = decode(raw)
    show_answer(told)
    pushes = told.get("pushes") or []
    reached = [v for push in pushes for v in push["verdicts"] if v["target"]]
    if reached or not pushes:
        return 0
    show(Text("✗ a push like this reaches no container", style="red"))
    return WRONG
