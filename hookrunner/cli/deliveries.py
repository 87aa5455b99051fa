"""``hookrunner deliveries``: what came in, and what became of it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import click

from hookrunner.cli.client import Page, connect, decode
from hookrunner.cli.explain import show_answer
from hookrunner.cli.lookup import find
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import ago, facts, local, short, table, write_json

DELIVERIES = "/api/v1/deliveries"
COLUMNS = ("DELIVERY", "RECEIVED", "SOURCE", "FORGE", "REPOSITORY", "REF", "WHAT CAME OF IT")


@click.command()
@click.argument("delivery", metavar="[ID]", required=False)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many deliveries, newest first.",
)
@with_json
@with_server
def deliveries(
    delivery: str | None, limit: int, as_json: bool, config_file: str | None
) -> None:
    """List the webhook requests that came in, or show one with all of its verdicts.

    ID is an id, six or more characters of its beginning or end, or `last`.
    """
    if delivery is None:
        page = asyncio.run(_list(config_file, limit))
        if as_json:
            write_json(page.raw)
            return
        now = datetime.now(UTC)
        table(COLUMNS, [_row(item, now) for item in page.items])
        return
    raw = asyncio.run(_one(config_file, delivery))
    if as_json:
        write_json(raw)
        return
    _show(decode(raw))


async def _list(config_file: str | None, limit: int) -> Page:
    async with connect(load(config_file)) as client:
        return await client.list(DELIVERIES, limit=limit)


async def _one(config_file: str | None, delivery: str) -> bytes:
    async with connect(load(config_file)) as client:
        identity = await find(client, DELIVERIES, delivery)
        return await client.raw("GET", f"{DELIVERIES}/{identity}")


def _row(item: dict[str, Any], now: datetime) -> tuple[object, ...]:
    if item.get("ignored"):
        result = f"ignored: {item['ignored']}"
    else:
        result = f"run {item['run']}" if item.get("run") else "waits for the inventory"
    return (
        item.get("id"),
        ago(item.get("received_at"), now),
        item.get("source"),
        item.get("forge"),
        item.get("repository"),
        _branch(item.get("ref")),
        result,
    )


def _show(item: dict[str, Any]) -> None:
    facts(
        [
            ("delivery", item.get("id")),
            ("received", local(item.get("received_at"))),
            ("source", item.get("source")),
            ("forge", item.get("forge")),
            ("secret", _secret(item.get("secret"))),
            ("from", item.get("remote")),
            ("repository", item.get("repository")),
        ]
    )
    pushes = item.get("pushes") or []
    for push in pushes:
        facts(
            [
                ("ref", push.get("ref") or item.get("ref")),
                ("after", short(push.get("after") or item.get("after"))),
                ("run", push.get("run")),
            ]
        )
    if not pushes:
        pairs = [(name, item.get(name)) for name in ("ref", "after", "run")]
        facts(pairs)
    show_answer(item)


def _secret(place: object) -> str | None:
    """Which of its source's secrets fitted; there are two while one is rotated out."""
    if not isinstance(place, int) or place == 0:
        return None
    return f"number {place + 1} of its source's list: the sender still has the old one"


def _branch(ref: object) -> str:
    return str(ref or "").removeprefix("refs/heads/")
