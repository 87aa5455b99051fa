"""``hookrunner ps``: the containers that are known, and whether they are behind."""

import asyncio
import sys
from datetime import UTC, datetime
from typing import Any

import click
import msgspec
from rich.text import Text

from hookrunner.cli.client import Page, connect
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import ago, cell, short, show, step_result, table, write_json

COLUMNS = ("PROJECT", "CONTAINER", "IMAGE", "BUILT", "CURRENT", "BEHIND", "LAST RESULT")


@click.command()
@click.option("--project", metavar="NAME", help="Only containers of this project.")
@click.option(
    "--behind",
    "only_behind",
    is_flag=True,
    help="Only those that do not serve the last push; exit 1 if there are any.",
)
@with_json
@with_server
def ps(project: str | None, only_behind: bool, as_json: bool, config_file: str | None) -> None:
    """List the running containers: built and current commit, behind or not, last result.

    Where containers say how they are (`container --monitor`), so does the last column.
    """
    page = asyncio.run(_list(config_file, project))
    if only_behind:
        items = [one for one in page.items if one.get("behind")]
        page = Page(items=items, raw=msgspec.json.encode({"items": items, "next": None}))
    if as_json:
        write_json(page.raw)
    else:
        _show(page)
    if only_behind and page.items:
        sys.exit(1)


def _show(page: Page) -> None:
    now = datetime.now(UTC)
    rows = [_row(container, now) for container in page.items]
    columns: tuple[str, ...] = COLUMNS
    if any(container.get("monitor") for container in page.items):
        columns = (*COLUMNS, "SAYS")
        told = [_says(container.get("monitor"), now) for container in page.items]
        rows = [(*row, said) for row, said in zip(rows, told, strict=True)]
    table(columns, rows)
    for container in page.items:
        for problem in container.get("problems") or []:
            show(
                Text.assemble(
                    ("! ", "yellow"),
                    (cell(container.get("name")), "bold"),
                    f"  {cell(problem)}",
                )
            )


async def _list(config_file: str | None, project: str | None) -> Page:
    async with connect(load(config_file)) as client:
        query = {"project": project}
        return await client.list("/api/v1/containers", query=query, limit=sys.maxsize)


def _says(monitor: dict[str, Any] | None, now: datetime) -> str:
    """How a container says that it is: more than a word only where that is not well."""
    if not monitor or monitor["state"] == "ok":
        return monitor["state"] if monitor else ""
    return f"{monitor['state']} since {ago(monitor['since'], now)}: {monitor['text']}"


def _row(container: dict[str, Any], now: datetime) -> tuple[object, ...]:
    last = container.get("last_step") or {}
    when = ago(last.get("finished_at") or last.get("started_at"), now)
    marks = [word for word in ("dirty", "held") if container.get(word)]
    behind = {True: "yes", False: "no", None: "?"}[container.get("behind")]
    if container.get("behind") and container.get("behind_since"):
        behind = f"since {ago(container['behind_since'], now)}"
    if container.get("valid") is False:
        marks.append(f"invalid since {ago(container.get('valid_since'), now)}")
    return (
        container.get("project"),
        container.get("name"),
        container.get("image"),
        short(container.get("gitref")),
        " ".join([short(container.get("current_gitref")) or "?", *marks]),
        behind,
        ", ".join(word for word in (step_result(last), when) if word),
    )
