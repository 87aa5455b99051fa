"""``hookrunner gate``: the process that holds the engine's socket instead of the server."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from hookrunner.cli.settings import read
from hookrunner.config.gate import Gate, loads, parse_gated, parse_socket

DEFAULT_FILE = "/etc/hookrunner/gate.yaml"
"""The file that is read when nobody names one, where it may be missing."""


def _parsed(parse: Callable[[str], Any]) -> Callable[..., Any]:
    def callback(ctx: click.Context, param: click.Parameter, value: str | None) -> Any:
        try:
            return None if value is None else parse(value)
        except ValueError as error:
            raise click.BadParameter(str(error), ctx, param) from error

    return callback


@click.command()
@click.option(
    "--engine",
    metavar="URL",
    callback=_parsed(parse_gated),
    help="The engine's address.  [default: unix:///var/run/docker.sock]",
)
@click.option(
    "--listen",
    metavar="URL",
    callback=_parsed(parse_socket),
    help="The socket for the server, with mode 0660."
    "  [default: unix:///run/hookrunner/engine.sock]",
)
@click.option(
    "--config",
    "config_file",
    metavar="FILE",
    help=f"What the gate lets through.  [default: {DEFAULT_FILE}]",
)
def gate(*, engine: str | None, listen: Any, config_file: str | None) -> None:
    """Hold the engine's socket, and let through only what the server needs.

    The engine's socket is root. The server needs little of it: this process
    passes that on, and refuses and logs everything else. The server's
    engines: then names the gate's socket. `hookrunner help security` says more.
    """
    text = read(Path(config_file or DEFAULT_FILE), must_exist=config_file is not None)
    found = loads(text, name=config_file or DEFAULT_FILE) if text is not None else Gate()
    said = {"engine": engine, "listen": listen}
    found = replace(found, **{key: value for key, value in said.items() if value is not None})
    from hookrunner.gate import process  # noqa: PLC0415 - a mistake in the file is told before

    asyncio.run(process.run(found))
