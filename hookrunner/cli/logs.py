"""``hookrunner logs``: the output of a run."""

import asyncio

import click

from hookrunner.cli.client import Client, connect
from hookrunner.cli.completing import complete_run
from hookrunner.cli.lookup import SHORTEST, choose, find
from hookrunner.cli.output import copy
from hookrunner.cli.remote import with_server
from hookrunner.cli.runs import RUNS
from hookrunner.cli.settings import load
from hookrunner.errors import UsageError


@click.command()
@click.argument("run", shell_complete=complete_run)
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until the run ends.")
@click.option(
    "--step",
    metavar="STEP",
    help="Only this step, as raw bytes: its id, a part of it, or its container.",
)
@click.option(
    "--stream",
    type=click.Choice(["stdout", "stderr"]),
    help="Which raw bytes of the step.  [default: stdout]",
)
@with_server
def logs(
    run: str, follow: bool, step: str | None, stream: str | None, config_file: str | None
) -> None:
    """Print the output of a run; of one that goes on, what there is so far.

    RUN is an id, six or more characters of its beginning or end, or `last`.
    """
    if stream and not step:
        raise click.UsageError("--stream needs --step")
    asyncio.run(_print(config_file, run, follow, step, stream or "stdout"))


async def _print(
    config_file: str | None, run: str, follow: bool, step: str | None, stream: str
) -> None:
    async with connect(load(config_file)) as client:
        identity = await find(client, RUNS, run)
        query = {"follow": "true" if follow else "false"}
        accept = "text/plain"
        if step:
            query |= {"step": await _step(client, identity, step), "stream": stream}
            accept = "application/octet-stream"
        path = f"{RUNS}/{identity}/output"
        async with client.stream("GET", path, accept=accept, query=query) as answer:
            await copy(answer.content.iter_any())


async def _step(client: Client, run: str, text: str) -> str:
    """The id of the step that is meant; of a container's several, the last."""
    steps = (await client.json("GET", f"{RUNS}/{run}"))["steps"]
    by_container = [str(step["id"]) for step in steps if step.get("container") == text]
    if by_container:
        return by_container[-1]
    if len(text) < SHORTEST:
        raise UsageError(f"{text!r} is no container of the run, and too short for a step's id")
    return choose(text.lower(), [str(step["id"]) for step in steps], "step")
