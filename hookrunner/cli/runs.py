"""``hookrunner runs``, ``show``, ``cancel`` and ``retry``: what ran, and how it ended."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from hookrunner.cli.client import Page, Query, connect, decode
from hookrunner.cli.completing import complete_run
from hookrunner.cli.lookup import find
from hookrunner.cli.options import duration as duration_option
from hookrunner.cli.options import with_json
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import (
    ago,
    cell,
    duration,
    facts,
    local,
    short,
    step_result,
    table,
    write_json,
)

RUNS = "/api/v1/runs"
COLUMNS = ("RUN", "CREATED", "STATUS", "TRIGGER", "WHAT", "CONTAINERS", "TIME")


@click.command()
@click.option("--project", metavar="NAME", help="Only runs with a step of this project.")
@click.option("--repository", metavar="NAME", help="Only runs for this repository.")
@click.option("--status", metavar="STATUS", help="Only runs of this status, such as failed.")
@click.option(
    "--since",
    callback=duration_option,
    metavar="AGE",
    help="Only runs of the last 30m, 2h, 7d.",
)
@click.option(
    "--routine/--no-routine",
    default=True,
    show_default=True,
    help="Also validations that nobody asked for and that did not fail.",
)
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="How many runs, newest first.",
)
@with_json
@with_server
def runs(
    *,
    project: str | None,
    repository: str | None,
    status: str | None,
    since: float | None,
    routine: bool,
    limit: int,
    as_json: bool,
    config_file: str | None,
) -> None:
    """List what ran, newest first."""
    now = datetime.now(UTC)
    query: Query = {
        "project": project,
        "repository": repository,
        "status": status,
        "routine": None if routine else "false",
        "since": None if since is None else (now - timedelta(seconds=since)).isoformat(),
    }
    page = asyncio.run(_list(config_file, query, limit))
    if as_json:
        write_json(page.raw)
        return
    table(COLUMNS, [_row(run, now) for run in page.items])


@click.command()
@click.argument("run", shell_complete=complete_run)
@with_json
@with_server
def show(run: str, as_json: bool, config_file: str | None) -> None:
    """Show a run: what caused it, its steps with their phases and times, and the reasons.

    RUN is an id, six or more characters of its beginning or end, or `last`.
    """
    raw = asyncio.run(_one(config_file, run))
    if as_json:
        write_json(raw)
        return
    _show(decode(raw))


@click.command()
@click.argument("run", shell_complete=complete_run)
@with_server
def cancel(run: str, config_file: str | None) -> None:
    """Cancel a run: what waits does not start, what runs is stopped.

    RUN is an id, six or more characters of its beginning or end, or `last`.
    """
    identity = asyncio.run(_post(config_file, run, "cancel"))
    click.echo(f"hookrunner: run {identity} is being cancelled", err=True)


@click.command()
@click.argument("run", shell_complete=complete_run)
@with_server
def retry(run: str, config_file: str | None) -> None:
    """Try again what of a run failed or was cancelled; a retry that waits goes now.

    RUN is an id, six or more characters of its beginning or end, or `last`.
    """
    identity = asyncio.run(_post(config_file, run, "retry"))
    click.echo(
        f"hookrunner: run {identity} is tried again; watch it with:"
        f" hookrunner logs {identity} -f",
        err=True,
    )


async def _list(config_file: str | None, query: Query, limit: int) -> Page:
    async with connect(load(config_file)) as client:
        return await client.list(RUNS, query=query, limit=limit)


async def _one(config_file: str | None, run: str) -> bytes:
    async with connect(load(config_file)) as client:
        return await client.raw("GET", f"{RUNS}/{await find(client, RUNS, run)}")


async def _post(config_file: str | None, run: str, what: str) -> str:
    async with connect(load(config_file), needs_server=True, file=config_file) as client:
        identity = await find(client, RUNS, run)
        await client.raw("POST", f"{RUNS}/{identity}/{what}")
        return identity


def _row(run: dict[str, Any], now: datetime) -> tuple[object, ...]:
    steps = run.get("steps") or []
    containers = list(dict.fromkeys(str(step.get("container")) for step in steps))
    what = [run.get("action"), run.get("repository"), short(run.get("after"))]
    return (
        run.get("id"),
        ago(run.get("created_at"), now),
        run.get("status"),
        run.get("trigger"),
        " ".join(str(word) for word in what if word),
        ", ".join(containers),
        duration(run.get("seconds")),
    )


def _show(run: dict[str, Any]) -> None:
    facts(
        [
            ("run", run.get("id")),
            ("status", run.get("status")),
            ("action", run.get("action")),
            ("trigger", run.get("trigger")),
            ("requested by", run.get("requested_by")),
            ("reason", run.get("reason")),
            ("delivery", run.get("delivery")),
            ("repository", run.get("repository")),
            ("ref", run.get("ref")),
            ("before", run.get("before")),
            ("after", run.get("after")),
            ("created", local(run.get("created_at"))),
            ("finished", local(run.get("finished_at"))),
            ("time", duration(run.get("seconds"))),
        ]
    )
    for step in run.get("steps") or []:
        click.echo()
        exit_code = step.get("exit_code")
        facts(
            [
                ("step", step.get("id")),
                ("container", step.get("container")),
                ("project", step.get("project")),
                ("result", step_result(step)),
                ("exit code", exit_code),
                ("reason", step.get("reason")),
                ("serves", step.get("gitref")),
                ("superseded by", step.get("superseded_by")),
                ("started", local(step.get("started_at"))),
                ("time", duration(step.get("seconds"))),
                ("output", _output(step)),
            ]
        )
        for phase in step.get("phases") or []:
            time = duration(phase.get("seconds")) or "..."
            click.echo(f"  {time:>9}  {cell(phase.get('title'))}")


def _output(step: dict[str, Any]) -> str:
    size = step.get("output_bytes") or 0
    return f"{size} bytes" + (", truncated" if step.get("truncated") else "") if size else ""
