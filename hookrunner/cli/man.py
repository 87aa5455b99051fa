"""``hookrunner man``: the manual page, made of the help texts themselves.

Source:
    man-pages(7), https://man7.org/linux/man-pages/man7/man-pages.7.html
"""

import re
from collections.abc import Iterable

import click

from hookrunner import __version__

_STATUSES = (
    ("0", "done; for update and validate: it succeeded"),
    ("1", "the run failed, or the thing is not in a state in which this can be done"),
    ("2", "usage"),
    ("3", "nothing matched, or there is nothing of that name"),
    ("69", "the server or the engine does not answer"),
    ("70", "something went wrong inside; the message says what"),
    ("74", "the state directory cannot be read or written"),
    ("77", "not permitted"),
    ("78", "the configuration is wrong, at FILE:LINE:COLUMN"),
    ("130, 141", "^C, and nobody read on"),
)
_ENVIRONMENT = (
    ("HOOKRUNNER_CONFIG", "the configuration file, where --config names none"),
    ("HOOKRUNNER_URL", "a server elsewhere that is asked instead of the one on this machine"),
    ("HOOKRUNNER_TOKEN", "the token that it is asked with"),
    ("DOCKER_HOST", "the container engine, where the configuration names none"),
    ("NO_COLOR", "if set, nothing is coloured"),
)
_FILES = (
    ("/etc/hookrunner/hookrunner.yaml", "the configuration"),
    ("/var/lib/hookrunner", "the state: database, output, control socket"),
)


@click.command()
@click.option("--config", "config_file", metavar="FILE", help="Accepted, and not read.")
@click.pass_context
def man(ctx: click.Context, config_file: str | None) -> None:
    """Print the manual page: `hookrunner man | man -l -`."""
    del config_file
    root = ctx.find_root()
    click.echo("\n".join(page(root)))


def page(root: click.Context) -> Iterable[str]:
    """The lines of the page.

    Args:
        root: Of the whole command.
    """
    yield f'.TH HOOKRUNNER 1 "" "hookrunner {__version__}" "User Commands"'
    about, _, more = _help(root.command).partition("\n")
    yield ".SH NAME"
    yield _text(f"hookrunner - {about[:1].lower()}{about[1:].rstrip('.')}")
    yield ".SH SYNOPSIS"
    yield r"\fBhookrunner\fR \fICOMMAND\fR [\fIOPTIONS\fR] [\fIARGUMENTS\fR]"
    yield ".SH DESCRIPTION"
    yield from _paragraphs(more)
    yield ".SH COMMANDS"
    yield from _commands(root, "hookrunner")
    for title, pairs in (
        ("EXIT STATUS", _STATUSES),
        ("ENVIRONMENT", _ENVIRONMENT),
        ("FILES", _FILES),
    ):
        yield f".SH {title}"
        for term, meaning in pairs:
            yield from (".TP", rf"\fB{_inline(term)}\fR", _text(meaning))


def _commands(ctx: click.Context, path: str) -> Iterable[str]:
    group = ctx.command
    if not isinstance(group, click.Group):
        return
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, parent=ctx, info_name=name)
        yield f".SS {_inline(f'{path} {name}')} {_inline(' '.join(_arguments(command)))}"
        yield from _paragraphs(_help(command))
        for parameter in command.params:
            record = parameter.get_help_record(inner)
            if record is not None and isinstance(parameter, click.Option):
                yield from (".TP", rf"\fB{_inline(record[0])}\fR", _text(record[1]))
        yield from _commands(inner, f"{path} {name}")


def _arguments(command: click.Command) -> Iterable[str]:
    ctx = click.Context(command)
    return [one for one in command.collect_usage_pieces(ctx) if one != "[OPTIONS]"]


def _help(command: click.Command) -> str:
    return re.sub(r"[ \t]*\n[ \t]*", "\n", (command.help or "").strip()).replace("\b\n", "")


def _paragraphs(text: str) -> Iterable[str]:
    for part in text.strip().split("\n\n"):
        if part.strip():
            yield ".PP"
            yield _text(" ".join(part.split()))


def _text(text: str) -> str:
    """A line of text, at whose beginning nothing is a request."""
    made = _inline(" ".join(text.split()))
    return rf"\&{made}" if made[:1] in {".", "'"} else made


def _inline(text: str) -> str:
    return text.replace("\\", r"\e").replace("-", r"\-").replace("`", "")
