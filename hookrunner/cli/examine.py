"""``hookrunner examine``: from outside what `container --examine` says inside."""

import asyncio

import click

from hookrunner.cli.client import connect, decode
from hookrunner.cli.completing import complete_container
from hookrunner.cli.lookup import segment
from hookrunner.cli.options import with_json
from hookrunner.cli.output import write_text
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import safe, write_json
from hookrunner.core.examined import rendered


@click.command()
@click.argument("container", shell_complete=complete_container)
@with_json
@with_server
def examine(container: str, as_json: bool, config_file: str | None) -> None:
    """Show what CONTAINER is, with every ancestor of its image, and who says so.

    The text is that of `container --examine` inside, also where the image has only
    labels; what only hookrunner knows comes after it.
    """
    raw = asyncio.run(_get(config_file, container))
    if as_json:
        write_json(raw)
        return
    write_text(safe(rendered(decode(raw))))


async def _get(config_file: str | None, container: str) -> bytes:
    async with connect(load(config_file)) as client:
        path = f"/api/v1/containers/{segment(container)}"
        return await client.raw("GET", path, query={"metadata": "true"})
