"""``hookrunner reload``: have the running server read its configuration again."""

import asyncio

import click

from hookrunner.cli.client import connect, decode
from hookrunner.cli.options import with_config, with_json
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import note, write_json


@click.command()
@with_json
@with_config
def reload(as_json: bool, config_file: str | None) -> None:
    """Have the running server read its configuration again, as SIGHUP does.

    The file is checked whole, secrets included, and put in force without cutting anything
    off. A mistake is told with its place (exit 78), and all stays as it was.
    """
    raw = asyncio.run(_ask(config_file))
    if as_json:
        write_json(raw)
        return
    done = decode(raw)
    note(f"reloaded: {', '.join(done['changed']) or 'nothing changed'}")
    for one in done["kept"]:
        note(f"not changed: {one}")


async def _ask(config_file: str | None) -> bytes:
    async with connect(load(config_file), needs_server=True, file=config_file) as client:
        return await client.raw("POST", "/api/v1/reload")
