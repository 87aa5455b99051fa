"""``hookrunner token``: who may use the API over the network."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from hookrunner.cli.client import connect, decode
from hookrunner.cli.lookup import segment
from hookrunner.cli.options import duration, with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import ago, local, note, table, write_json

TOKENS = "/api/v1/tokens"
SCOPES = ("read", "run", "admin")
COLUMNS = ("NAME", "SCOPES", "PROJECT", "CREATED", "EXPIRES", "LAST USED")


def scopes(ctx: click.Context, param: click.Parameter, value: str) -> list[str]:
    """Read some of `SCOPES`, with commas between them. A callback of click's."""
    words = [word.strip() for word in value.split(",")]
    wrong = [word for word in words if word not in SCOPES]
    if wrong:
        raise click.BadParameter(f"{wrong[0]!r} is none of {', '.join(SCOPES)}", ctx, param)
    return list(dict.fromkeys(words))


@click.group()
@with_server
def token(config_file: str | None) -> None:
    """Create, list and revoke the tokens of the API."""
    del config_file  # the subcommand takes it from here


@token.command()
@click.argument("name")
@click.option(
    "--scope",
    callback=scopes,
    required=True,
    metavar="SCOPE[,SCOPE]",
    help="What it may do: read, run, admin.",
)
@click.option(
    "--project",
    metavar="PATTERN",
    multiple=True,
    help="The projects that it may see and run; more than once for several.  [default: all]",
)
@click.option(
    "--expires",
    callback=duration,
    metavar="AGE",
    help="Its life, such as 90d.  [default: no end]",
)
@with_server
def create(
    name: str,
    scope: list[str],
    project: tuple[str, ...],
    expires: float | None,
    config_file: str | None,
) -> None:
    """Make a token and print it, this one time."""
    until = None
    if expires is not None:
        try:
            until = (datetime.now(UTC) + timedelta(seconds=expires)).isoformat()
        except OverflowError as error:
            raise click.BadParameter("is beyond the end of the calendar") from error
    body = {
        "name": name,
        "scopes": scope,
        "project": ",".join(project) or "*",
        "expires_at": until,
    }
    made = asyncio.run(_create(config_file, body))
    click.echo(made)
    note("keep it now: only a hash of it is stored, and it is not shown again")


@token.command(name="list")
@with_json
@with_server
def list_(as_json: bool, config_file: str | None) -> None:
    """List the tokens, without their secrets."""
    raw = asyncio.run(_list(config_file))
    if as_json:
        write_json(raw)
        return
    now = datetime.now(UTC)
    rows = [
        (
            item.get("name"),
            ",".join(item.get("scopes") or []),
            item.get("project"),
            ago(item.get("created_at"), now),
            local(item.get("expires_at")) or "never",
            ago(item.get("last_used_at"), now) or "never",
        )
        for item in decode(raw)["items"]
    ]
    table(COLUMNS, rows)


@token.command()
@click.argument("name")
@with_server
def revoke(name: str, config_file: str | None) -> None:
    """Make a token worthless, at once."""
    asyncio.run(_revoke(config_file, name))


@token.command()
@click.option(
    "--scope",
    type=click.Choice(SCOPES),
    default="run",
    show_default=True,
    help="What may be done by it.",
)
@click.option(
    "--project",
    metavar="PATTERN",
    default="*",
    show_default=True,
    help="The projects that may be seen and run.",
)
@with_server
def link(scope: str, project: str, config_file: str | None) -> None:
    """Print a link that signs you in to the page, once, within ten minutes."""
    body = {"scope": scope, "project": project}
    click.echo(asyncio.run(_link(config_file, body)))


async def _link(config_file: str | None, body: dict[str, Any]) -> str:
    async with connect(load(config_file), needs_server=True, file=config_file) as client:
        return str((await client.json("POST", "/api/v1/links", body=body))["url"])


async def _create(config_file: str | None, body: dict[str, Any]) -> str:
    async with connect(load(config_file)) as client:
        return str((await client.json("POST", TOKENS, body=body))["token"])


async def _list(config_file: str | None) -> bytes:
    async with connect(load(config_file)) as client:
        return await client.raw("GET", TOKENS)


async def _revoke(config_file: str | None, name: str) -> None:
    async with connect(load(config_file)) as client:
        await client.raw("DELETE", f"{TOKENS}/{segment(name)}")
