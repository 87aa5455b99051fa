"""``hookrunner serve``: the server itself."""

import asyncio

import click

from hookrunner.cli.options import with_config
from hookrunner.cli.settings import load


@click.command()
@with_config
def serve(config_file: str | None) -> None:
    """Run the server until SIGTERM or ^C."""
    config = load(config_file)
    from hookrunner import app  # noqa: PLC0415 - a mistake in the file is told before

    asyncio.run(app.run(config, lambda: load(config_file)))
