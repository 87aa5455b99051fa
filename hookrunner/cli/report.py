"""``hookrunner report``: what happened, and what is wrong, for who reads it once a day."""

import asyncio
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import click
from rich.text import Text

from hookrunner.cli.client import connect, decode
from hookrunner.cli.options import duration, with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import (
    cell,
    local,
    short,
    show,
    step_result,
    table,
    write_json,
)

_SHOWN = 50
"""Rows of a section that are shown; nobody reads more in a mail."""
_NAMES = 3
"""Containers of an image that are named; more are a number."""


class Section:
    """A part of the report, in whichever form it is shown.

    Attributes:
        title: What it is about, with how many there are.
        kind: How bad that is: ``bad``, ``warn``, ``ok`` or ``off``.
        rows: The first `_SHOWN`, each with the text of each column.
        links: The path of a page for each row, or None.
        more: How many rows are not shown.
    """

    def __init__(
        self,
        title: str,
        kind: str,
        columns: Sequence[str],
        rows: Sequence[tuple[tuple[object, ...], str | None]],
    ) -> None:
        self.title = f"{title}: {len(rows) or 'none'}"
        self.kind = kind if rows else "off"
        self.columns = columns
        self.rows = [[cell(value) for value in values] for values, _ in rows[:_SHOWN]]
        self.links = [link for _, link in rows[:_SHOWN]]
        self.more = max(0, len(rows) - _SHOWN)


@click.command()
@click.option(
    "--since",
    callback=duration,
    default="24h",
    show_default=True,
    metavar="AGE",
    help="What happened in the last 12h, 7d, 4w.",
)
@click.option(
    "--older-than",
    callback=duration,
    default="90d",
    show_default=True,
    metavar="AGE",
    help="An image that was built longer ago is old.",
)
@click.option("--html", "as_html", is_flag=True, help="Print a page for a mail.")
@with_json
@with_server
def report(
    *, since: float, older_than: float, as_html: bool, as_json: bool, config_file: str | None
) -> None:
    """Tell what was updated, what failed and why, and what is behind, old or unwell now.

    With --html it is one page without pictures or links to other files, to be piped into a
    mail.
    """
    if as_html and as_json:
        raise click.UsageError("say either --html or --json")
    query = {
        "since": (datetime.now(UTC) - timedelta(seconds=since)).isoformat(),
        "older_than": str(older_than),
    }
    raw = asyncio.run(_ask(config_file, query))
    if as_json:
        write_json(raw)
        return
    told = decode(raw)
    if as_html:
        sys.stdout.write(page(told))
        return
    for line in heading(told):
        show(Text(line))
    for section in sections(told):
        click.echo()
        show(Text(section.title, style="bold"))
        if section.rows:
            table([column.upper() for column in section.columns], section.rows)
        if section.more:
            show(Text(f"and {section.more} more"))


async def _ask(config_file: str | None, query: Mapping[str, str]) -> bytes:
    async with connect(load(config_file)) as client:
        return await client.raw("GET", "/api/v1/report", query=query)


def heading(told: dict[str, Any]) -> Iterator[str]:
    """The whole in a few lines."""
    yield f"hookrunner, {_minute(told['since'])} to {_minute(told['until'])}"
    counts = ", ".join(f"{n} {status.replace('_', ' ')}" for status, n in told["runs"].items())
    total = sum(told["runs"].values())
    runs = f"{total} run{'' if total == 1 else 's'}" + (f" ({counts})" if counts else "")
    count = told["containers"]
    yield f"{runs}, {count} container{'' if count == 1 else 's'} now"
    if told["is_cut"]:
        yield "there were more runs; these are the newest"
    for engine in told["engines_away"]:
        yield f"the engine {cell(engine)} does not answer"


def sections(told: dict[str, Any]) -> Iterator[Section]:
    """What there is to say, the worst first."""
    yield Section(
        "Wrong now",
        "bad",
        ("container", "what", "since", "why"),
        [
            ((_place(one), one["what"], _minute(one["since"]), one["reason"]), _container(one))
            for one in told["ailing"]
        ],
    )
    yield Section(
        "Failed",
        "warn" if all(one["is_over"] for one in told["failed"]) else "bad",
        ("container", "what", "last", "why"),
        [
            ((_place(one), _failure(one), _minute(one["at"]), one["reason"]), _run(one))
            for one in told["failed"]
        ],
    )
    yield Section(
        "Behind",
        "warn",
        ("container", "serves", "pushed", "since"),
        [
            (
                (
                    _place(one),
                    short(one["current_gitref"]) or "?",
                    short(one["pushed_gitref"]),
                    _minute(one["since"]),
                ),
                _container(one),
            )
            for one in told["behind"]
        ],
    )
    yield Section(
        "Images to build anew",
        "warn",
        ("image", "built", "why", "containers"),
        [
            ((one["image"], local(one["built_at"])[:10], _age(one), _names(one)), None)
            for one in told["images"]
        ],
    )
    yield Section(
        "Updated",
        "ok",
        ("container", "from", "to", "when"),
        [
            (
                (
                    _place(one),
                    short(one["gitref_before"]) or "?",
                    short(one["gitref"]) or "?",
                    _minute(one["at"]) + (f", {one['times']} times" * (one["times"] > 1)),
                ),
                _run(one),
            )
            for one in told["updated"]
        ],
    )


def page(told: dict[str, Any]) -> str:
    """The report as one HTML document."""
    import jinja2  # noqa: PLC0415 - a tenth of a second that other forms need not wait

    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("hookrunner.cli"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    first, *lines = heading(told)
    return environment.get_template("report.html").render(
        title=first, lines=lines, sections=list(sections(told)), url=told["url"]
    )


def _minute(text: str | None) -> str:
    return local(text)[:16]


def _place(one: dict[str, Any]) -> str:
    project, name = one["project"], one["container"]
    return f"{name} ({project})" if project and project not in name else str(name)


def _failure(one: dict[str, Any]) -> str:
    times = f", {one['times']} times" if one["times"] > 1 else ""
    over = ", well again" if one["is_over"] else ""
    return f"{one['action']} {step_result(one).replace('_', ' ')}{times}{over}"


def _age(one: dict[str, Any]) -> str:
    pushed = "its sources changed" if one["image_behind"] else ""
    return ", ".join(word for word in (pushed, "old" if one["is_old"] else "") if word)


def _names(one: dict[str, Any]) -> str:
    names = one["containers"]
    more = f" and {len(names) - _NAMES} more" if len(names) > _NAMES else ""
    return ", ".join(names[:_NAMES]) + more


def _run(one: dict[str, Any]) -> str:
    return f"runs/{one['run']}"


def _container(one: dict[str, Any]) -> str:
    name = one["container"]
    return f"containers/{name if '/' in name else one['host'] + '/' + name}"
