"""What commands have in common: their options, and the words that they read."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from hookrunner.core.selection import written_selector
from hookrunner.errors import UsageError
from hookrunner.units import parse_duration

_Command = TypeVar("_Command", bound=Callable[..., Any])


def duration(ctx: click.Context, param: click.Parameter, value: str | None) -> float | None:
    """Read the value of an option such as ``90d``, as seconds. A callback of click's."""
    try:
        return None if value is None else parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from error


def selector(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> dict[str, str] | None:
    """Read a SELECTOR. A callback of click's."""
    try:
        found = None if value is None else written_selector(value)
    except UsageError as error:
        raise click.BadParameter(str(error), ctx, param) from error
    return None if found is None else {found.kind: found.value}


def _inherited(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """The value, else the one that stands before the subcommand."""
    if value is None and ctx.parent:
        inherited: str | None = ctx.parent.params.get(str(param.name))
        return inherited
    return value


with_config: Callable[[_Command], _Command] = click.option(
    "--config",
    "config_file",
    metavar="FILE",
    callback=_inherited,
    help="Configuration file.  [env: HOOKRUNNER_CONFIG; default:"
    " /etc/hookrunner/hookrunner.yaml, for other users than root"
    " ~/.config/hookrunner/hookrunner.yaml]",
)
"""Every command takes it, after its name."""
with_json: Callable[[_Command], _Command] = click.option(
    "--json", "as_json", is_flag=True, help="Print the API's answer as JSON, unchanged."
)
