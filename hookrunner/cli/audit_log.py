"""``hookrunner audit-log``: who used the API and the commands, what for, when, from where."""

import asyncio
from datetime import UTC, datetime

import click

from hookrunner.cli.client import Page, connect
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import ago, table, write_json

AUDIT = "/api/v1/audit"
COLUMNS = ("WHEN", "WHO", "FROM", "STATUS", "WHAT", "ABOUT", "RUN")


@click.command(name="audit-log")
@click.option(
    "--who", metavar="NAME", help="Only this one: `token NAME`, or `user NAME` of a command."
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="How many uses, newest first.",
)
@with_json
@with_server
def audit_log(who: str | None, limit: int, as_json: bool, config_file: str | None) -> None:
    """List who used the API and the commands: what for, when, and from where."""
    page = asyncio.run(_list(config_file, who, limit))
    if as_json:
        write_json(page.raw)
        return
    now = datetime.now(UTC)
    rows = [
        (
            ago(item.get("at"), now),
            item.get("who"),
            item.get("address"),
            item.get("status"),
            item.get("what"),
            item.get("about"),
            item.get("run"),
        )
        for item in page.items
    ]
    table(COLUMNS, rows)


async def _list(config_file: str | None, who: str | None, limit: int) -> Page:
    async with connect(load(config_file)) as client:
        return await client.list(AUDIT, query={"who": who}, limit=limit)
