"""``hookrunner notify test``: whether who is to be told of failures can be told."""

import asyncio
import sys

import click

from hookrunner.cli.client import connect, decode
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import note, table, write_json

COLUMNS = ("TO", "RESULT")


@click.group()
def notify() -> None:
    """Who is told when something fails."""


@notify.command()
@with_json
@with_server
def test(as_json: bool, config_file: str | None) -> None:
    """Send a test to all that `notify` of the configuration names; exit 1 if one fails."""
    raw = asyncio.run(_ask(config_file))
    found = decode(raw)["items"]
    if as_json:
        write_json(raw)
    elif not found:
        note("nobody is to be told: the configuration has no `notify`")
    else:
        table(COLUMNS, [(one["to"], one["error"] or "sent") for one in found])
    if any(one["error"] for one in found):
        sys.exit(1)


async def _ask(config_file: str | None) -> bytes:
    async with connect(load(config_file)) as client:
        return await client.raw("POST", "/api/v1/notifications/test", body={})
