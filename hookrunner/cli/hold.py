"""``hookrunner hold`` and ``release``: leave containers alone for a while."""

import asyncio
from typing import Any

import click

from hookrunner.cli.client import connect, decode
from hookrunner.cli.options import duration, with_json
from hookrunner.cli.options import selector as read_selector
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import local, note, table, write_json

HOLDS = "/api/v1/holds"
COLUMNS = ("SELECTOR", "CONTAINERS", "BY", "SINCE", "UNTIL", "REASON")


@click.command()
@click.argument("selector", callback=read_selector, required=False)
@click.option(
    "--for",
    "seconds",
    callback=duration,
    metavar="TIME",
    help="When it ends by itself, such as 2h.  [default: at the release]",
)
@click.option("--reason", metavar="TEXT", help="Why, for the record.")
@with_json
@with_server
def hold(
    selector: dict[str, str] | None,
    seconds: float | None,
    reason: str | None,
    as_json: bool,
    config_file: str | None,
) -> None:
    """Start nothing in the containers that SELECTOR means; without it, list what is held.

    Pushes are recorded meanwhile, and the newest runs on release. What runs goes on.
    """
    if selector is None:
        _show(asyncio.run(_ask(config_file, "GET", HOLDS, None)), as_json)
        return
    body = {**selector, "seconds": seconds, "reason": reason}
    raw = asyncio.run(_ask(config_file, "POST", HOLDS, body))
    if as_json:
        write_json(raw)
        return
    placed = decode(raw)
    note(f"held: {_names(placed)}" + (f" until {local(placed['until'])}" if seconds else ""))
    note(f"hint: hookrunner release {placed['selector']}")


@click.command()
@click.argument("selector", callback=read_selector)
@with_json
@with_server
def release(selector: dict[str, str], as_json: bool, config_file: str | None) -> None:
    """Let go of what is held: the newest push that came meanwhile runs now."""
    raw = asyncio.run(_ask(config_file, "POST", "/api/v1/releases", selector))
    if as_json:
        write_json(raw)
        return
    answer = decode(raw)
    for one in answer["released"]:
        note(f"released: {_names(one)}")
    for one in answer["left"]:
        note(f"still held by {one['selector']}: {_names(one)}")


async def _ask(
    config_file: str | None, method: str, path: str, body: dict[str, Any] | None
) -> bytes:
    async with connect(load(config_file)) as client:
        return await client.raw(method, path, body=body)


def _names(hold: dict[str, Any]) -> str:
    return ", ".join(hold["containers"]) or str(hold["selector"])


def _show(raw: bytes, as_json: bool) -> None:
    if as_json:
        write_json(raw)
        return
    rows = [
        (
            one.get("selector"),
            ", ".join(one.get("containers") or []),
            one.get("requested_by"),
            local(one.get("created_at")),
            local(one.get("until")),
            one.get("reason"),
        )
        for one in decode(raw)["items"]
    ]
    table(COLUMNS, rows)
