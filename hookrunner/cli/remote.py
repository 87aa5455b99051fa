"""A server on another machine: its address, and the token that it is asked with."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click
import msgspec
import yarl

from hookrunner.cli.options import with_config
from hookrunner.errors import UnauthorizedError, UsageError

_Command = TypeVar("_Command", bound=Callable[..., Any])
_META = "hookrunner.url"
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Remote(msgspec.Struct, frozen=True):
    """Where a server is reached, and the token for it."""

    url: str
    token: str


def with_server(command: _Command) -> _Command:
    """Add the options of a command that asks a server: ``--config`` and ``--url``."""
    url = click.option(
        "--url",
        metavar="URL",
        expose_value=False,
        callback=_remember,
        help="A server elsewhere, asked with the token in HOOKRUNNER_TOKEN."
        "  [env: HOOKRUNNER_URL]",
    )
    return url(with_config(command))


def _remember(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    if value is not None:
        ctx.meta[_META] = value


def remote() -> Remote | None:
    """The server that the user names; None for the one on this machine.

    A configuration that is named on the command line means this machine, whatever the
    environment says.

    Raises:
        UsageError: It is no URL, or would carry the token in the clear.
        UnauthorizedError: There is no token for it.
    """
    context = click.get_current_context(silent=True)
    told = context.meta.get(_META) if context else None
    if told is None and not (context and context.params.get("config_file")):
        told = os.environ.get("HOOKRUNNER_URL")
    if not told:
        return None
    try:
        url = yarl.URL(told)
    except ValueError as error:
        raise UsageError(f"{told!r} is no URL") from error
    if url.scheme not in {"http", "https"} or not url.host or url.user or url.query_string:
        raise UsageError(f"{told!r} is no URL of a server", hint="such as https://HOST")
    if url.scheme == "http" and url.host not in _LOOPBACK:
        raise UsageError(
            f"{told} would carry the token in the clear", hint="use https, or an ssh tunnel"
        )
    token = os.environ.get("HOOKRUNNER_TOKEN", "").strip()
    if not token:
        raise UnauthorizedError(
            f"there is no token for {told}",
            hint="set HOOKRUNNER_TOKEN; one is made there: hookrunner token create NAME",
        )
    return Remote(str(url).rstrip("/"), token)
