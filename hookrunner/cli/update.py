"""``hookrunner update`` and ``validate``: ask for a run and watch it."""

import asyncio
from collections.abc import Callable
from typing import Any

import click

from hookrunner.cli.client import NothingMatchedError, connect, decode, lines
from hookrunner.cli.completing import complete_selector
from hookrunner.cli.explain import show_verdict
from hookrunner.cli.live import LiveRun
from hookrunner.cli.options import selector as read_selector
from hookrunner.cli.output import copy
from hookrunner.cli.remote import with_server
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import is_terminal, write_json
from hookrunner.errors import UnavailableError

NDJSON = "application/x-ndjson"


class Watched:
    """What is known of a run that somebody watches.

    Attributes:
        run: Its id, once known.
        status: Its status at its end.
    """

    def __init__(self) -> None:
        self.run: str | None = None
        self.status: str | None = None

    def follow(self) -> str:
        """Say that the run goes on without its watcher, and how to watch it again."""
        if self.run:
            return f"run {self.run} goes on; watch it with: hookrunner logs {self.run} -f"
        return "the run goes on if it had started; look with: hookrunner runs"


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            help="Print what happens as JSON, one object a line.",
        ),
        click.option("--reason", metavar="TEXT", help="Why, for the record."),
        click.argument("selector", callback=read_selector, shell_complete=complete_selector),
    ):
        command = option(command)
    return command


@click.command()
@_options
@click.option("--force", is_flag=True, help="Run also where the container is current.")
@with_server
def update(
    selector: dict[str, str],
    force: bool,
    reason: str | None,
    as_json: bool,
    config_file: str | None,
) -> None:
    """Run `container --update` in the containers that SELECTOR means, and watch it.

    Exit status: 0 succeeded, 1 failed, 2 usage, 3 nothing matched. ^C only stops watching.
    """
    body = {**selector, "force": force, "reason": reason}
    _run("/api/v1/updates", body, as_json, config_file)


@click.command()
@_options
@with_server
def validate(
    selector: dict[str, str], reason: str | None, as_json: bool, config_file: str | None
) -> None:
    """Run `container --validate` in the containers that SELECTOR means, and watch it.

    Exit status: 0 succeeded, 1 failed, 2 usage, 3 nothing matched. ^C only stops watching.
    """
    body = {**selector, "force": False, "reason": reason}
    _run("/api/v1/validations", body, as_json, config_file)


def _run(path: str, body: dict[str, Any], as_json: bool, config_file: str | None) -> None:
    """Start a run, watch it, and exit as it ends."""
    watched = Watched()
    try:
        asyncio.run(_watch(path, body, as_json, config_file, watched))
    except KeyboardInterrupt:
        click.echo(f"\nhookrunner: {watched.follow()}", err=True)
        raise
    except NothingMatchedError as error:
        for verdict in error.verdicts:
            show_verdict(verdict, err=True)
        raise
    if watched.status != "succeeded":
        raise SystemExit(1)


async def _watch(
    path: str, body: dict[str, Any], as_json: bool, config_file: str | None, watched: Watched
) -> None:
    config = load(config_file)
    as_text = not as_json and not is_terminal()
    accept = "text/plain" if as_text else NDJSON
    async with (
        connect(config, needs_server=True, file=config_file) as client,
        client.stream("POST", path, accept=accept, body=body) as answer,
    ):
        location = answer.headers.get("Location", "")
        watched.run = location.rpartition("/")[2] or None
        if as_text:
            _read_summary(await copy(answer.content.iter_any()), watched)
        elif as_json:
            async for line in lines(answer):
                write_json(line)
                _note(decode(line), watched)
        else:
            with LiveRun() as live:
                async for line in lines(answer):
                    item = decode(line)
                    _note(item, watched)
                    live.feed(item)
    if watched.status is None:
        raise UnavailableError(
            "the server went away before the run ended",
            hint=watched.follow(),
        )


def _note(item: Any, watched: Watched) -> None:
    """Remember what an object says of the run."""
    if not isinstance(item, dict):
        return
    if item.get("type") == "step" and isinstance(item.get("step"), dict):
        watched.run = watched.run or item["step"].get("run")
    elif item.get("type") == "result":
        watched.run, watched.status = item.get("run"), item.get("status")


def _read_summary(line: str, watched: Watched) -> None:
    """Read the last line of the text: ``hookrunner: run ID STATUS: ...``."""
    words = line.split()
    if words[:2] == ["hookrunner:", "run"] and len(words) > 3:  # noqa: PLR2004 - and its status
        watched.run, watched.status = words[2], words[3].rstrip(":")
