"""``hookrunner completion``: what the shell may complete, names that are known included."""

import asyncio
from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from hookrunner.cli.client import Query, answers, connect
from hookrunner.cli.remote import remote
from hookrunner.cli.settings import load
from hookrunner.errors import HookrunnerError, UsageError

SHELLS = ("bash", "zsh", "fish")
_PATIENCE = 1.0
"""Seconds that somebody who pressed Tab waits for names; a guess."""
_VARIABLE = "_HOOKRUNNER_COMPLETE"


@click.command()
@click.argument("shell", type=click.Choice(SHELLS))
@click.option("--config", "config_file", metavar="FILE", help="Accepted, and not read.")
@click.pass_context
def completion(ctx: click.Context, shell: str, config_file: str | None) -> None:
    """Print the completion of a shell: `eval "$(hookrunner completion bash)"`.

    In bash and zsh as above, in `~/.bashrc` or `~/.zshrc`; in fish
    `hookrunner completion fish | source`.
    """
    del config_file
    made = get_completion_class(shell)
    if made is None:
        raise UsageError(f"there is no completion for {shell}")
    click.echo(made(ctx.find_root().command, {}, "hookrunner", _VARIABLE).source())


def complete_selector(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The projects, and with ``container:`` or ``image:`` in front what has these names."""
    found = _items(ctx, "/api/v1/containers", {})
    words = {str(one["project"]) for one in found if one.get("project")}
    words |= {f"container:{one['name']}" for one in found}
    words |= {f"image:{one['image']}" for one in found}
    return [CompletionItem(word) for word in sorted(words) if word.startswith(incomplete)]


def complete_container(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The containers' names."""
    names = {str(one["name"]) for one in _items(ctx, "/api/v1/containers", {})}
    return [CompletionItem(name) for name in sorted(names) if name.startswith(incomplete)]


def complete_run(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """``last``, and the ids of the newest runs."""
    found = _items(ctx, "/api/v1/runs", {"limit": 20})
    told = [CompletionItem("last", help="the newest")]
    told += [
        CompletionItem(str(one["id"]), help=f"{one['status']} {one.get('repository') or ''}")
        for one in found
    ]
    return [one for one in told if str(one.value).startswith(incomplete)]


def _items(ctx: click.Context, path: str, query: Query) -> Iterable[dict[str, Any]]:
    """Items of a list, if a server says so at once; else none: Tab never complains."""

    async def ask() -> Iterable[dict[str, Any]]:
        config = load(ctx.params.get("config_file"))
        async with asyncio.timeout(_PATIENCE):
            if remote() is None and not await answers(config):
                return []
            async with connect(config, needs_server=True) as client:
                found: list[dict[str, Any]] = (await client.json("GET", path, query=query))[
                    "items"
                ]
                return found

    try:
        with ctx.scope():
            return asyncio.run(ask())
    except (HookrunnerError, TimeoutError):
        return []
