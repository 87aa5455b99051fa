"""``hookrunner audit``: questions to the inventory, and to the packages in the images."""

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import Any

import click
from rich.text import Text

from hookrunner.cli.client import Page, connect
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import cell, show, table, write_json
from hookrunner.core.auditing import Question, ask, record
from hookrunner.core.examination import one_line

COLUMNS = ("PROJECT", "CONTAINER", "IMAGE")


@click.command()
@click.option(
    "--where",
    metavar="EXPR",
    help="A JMESPath expression; the containers for which it holds are listed.",
)
@click.option("--show", "shown", metavar="EXPR", help="What else to say of each, in JMESPath.")
@click.option(
    "--package", metavar="NAME", help="List who has a package; a pattern such as libssl* works."
)
@click.option(
    "--below",
    metavar="VERSION",
    help="Only versions below this one, as dpkg, rpm or apk has it.",
)
@with_json
@with_server
def audit(
    *,
    where: str | None,
    shown: str | None,
    package: str | None,
    below: str | None,
    as_json: bool,
    config_file: str | None,
) -> None:
    """Ask the inventory: which containers are as EXPR says, or have a package.

    `hookrunner help audit` has ten questions that are ready to be asked.
    """
    if (where is None) == (package is None):
        raise click.UsageError("say either --where EXPR or --package NAME")
    if below is not None and package is None:
        raise click.UsageError("--below belongs to --package")
    if shown is not None and where is None:
        raise click.UsageError("--show belongs to --where")
    if package is not None:
        query = {"name": package, "below": below}
        found = asyncio.run(_list(config_file, "/api/v1/packages", query))
        _tell_packages(found, package, as_json=as_json)
        return
    now = datetime.now(UTC)
    question = Question(where or "", now=now)
    extra = Question(shown, now=now) if shown else None
    page = asyncio.run(_list(config_file, "/api/v1/containers", {"metadata": "true"}))
    _tell(ask(question, page.items), extra, shown, as_json=as_json)


async def _list(config_file: str | None, path: str, query: dict[str, str | None]) -> Page:
    async with connect(load(config_file)) as client:
        return await client.list(path, query=query, limit=sys.maxsize)


def _tell(
    found: list[Any], extra: Question | None, shown: str | None, *, as_json: bool
) -> None:
    answers = [extra.answer(record(one)) for one in found] if extra else []
    if as_json:
        write_json(json.dumps({"items": found, "next": None}).encode())
        return
    if not found:
        show(Text("no container is like that"))
        return
    rows = [(one.get("project"), one.get("name"), one.get("image")) for one in found]
    if extra:
        told = [None if answer is None else one_line(answer) for answer in answers]
        table(
            (*COLUMNS, cell(shown).upper()),
            [(*row, more) for row, more in zip(rows, told, strict=True)],
        )
    else:
        table(COLUMNS, rows)


def _tell_packages(page: Page, package: str, *, as_json: bool) -> None:
    if as_json:
        write_json(page.raw)
        return
    rows = [
        (
            item.get("project"),
            item.get("container"),
            item.get("image"),
            one["name"],
            one["version"],
        )
        for item in page.items
        for one in item["packages"]
    ]
    if rows:
        table((*COLUMNS, "PACKAGE", "VERSION"), rows)
    else:
        show(Text(f"no container that can tell has {cell(package)}"))
    for item in page.items:
        if item.get("reason"):
            show(
                Text.assemble(
                    ("? ", "yellow"),
                    (cell(item.get("container")), "bold"),
                    f"  cannot tell: {cell(item['reason'])}",
                )
            )
