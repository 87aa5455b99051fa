"""The command ``hookrunner``: parse, catch, exit status. Each command is a module beside."""

import importlib
import os
import sys
from typing import Any, NoReturn

import click

from hookrunner import __version__
from hookrunner.errors import HookrunnerError

COMMANDS = {
    "audit": "hookrunner.cli.audit",
    "audit-log": "hookrunner.cli.audit_log",
    "backup": "hookrunner.cli.backup",
    "build": "hookrunner.cli.build",
    "cancel": "hookrunner.cli.runs",
    "check": "hookrunner.cli.check",
    "completion": "hookrunner.cli.completing",
    "deliveries": "hookrunner.cli.deliveries",
    "examine": "hookrunner.cli.examine",
    "explain": "hookrunner.cli.explain",
    "gate": "hookrunner.cli.gate",
    "hold": "hookrunner.cli.hold",
    "help": "hookrunner.cli.help",
    "hook": "hookrunner.cli.hook",
    "init": "hookrunner.cli.init",
    "logs": "hookrunner.cli.logs",
    "man": "hookrunner.cli.man",
    "notify": "hookrunner.cli.notify",
    "ps": "hookrunner.cli.ps",
    "release": "hookrunner.cli.hold",
    "reload": "hookrunner.cli.reload",
    "report": "hookrunner.cli.report",
    "restore": "hookrunner.cli.backup",
    "retry": "hookrunner.cli.runs",
    "runs": "hookrunner.cli.runs",
    "serve": "hookrunner.cli.serve",
    "show": "hookrunner.cli.runs",
    "token": "hookrunner.cli.token",
    "update": "hookrunner.cli.update",
    "validate": "hookrunner.cli.update",
}
"""The module of each command; one is imported only when it is called or explained."""
INTERRUPTED = 130
"""Exit status after ^C: 128 and the signal's number, as shells have it."""
BROKEN_PIPE = 141
"""Exit status when nobody reads on: 128 and the number of SIGPIPE."""


class Commands(click.Group):
    """The group of all commands, and the one place where their errors end."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's
        """The names, in the order of the help text."""
        return sorted([*self.commands, *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command that is asked for."""
        if cmd_name in COMMANDS:
            module = importlib.import_module(COMMANDS[cmd_name])
            name = {"help": "help_"}.get(cmd_name, cmd_name.replace("-", "_"))
            command: click.Command = getattr(module, name)
            return command
        return super().get_command(ctx, cmd_name)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; what it raises becomes a message and an exit status."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except HookrunnerError as error:
            tell(error)
            sys.exit(error.exit_code)
        except KeyboardInterrupt:
            sys.exit(INTERRUPTED)
        except BrokenPipeError:
            # What is still buffered must not fail once more when Python ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(BROKEN_PIPE)
        return result


def tell(error: HookrunnerError) -> None:
    """Say on stderr what is wrong and what to do about it."""
    from hookrunner.cli.terminal import note  # noqa: PLC0415 - rich takes time to load

    note(f"hookrunner: {error}")
    if error.hint:
        note(f"hint: {error.hint}")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Update containers when the git repositories behind them are pushed to.

    Every command takes --config FILE after its name. A SELECTOR is a
    project, repository:NAME, container:NAME or image:NAME.
    """


@cli.command()
@click.option("--config", "config_file", metavar="FILE", help="Accepted, and not read.")
def version(config_file: str | None) -> None:
    """Print the version."""
    del config_file
    click.echo(f"hookrunner {__version__}")


def main() -> NoReturn:
    """Run the command line and exit."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:  # a terminal without UTF-8 shows what it has not as \uXXXX
            reconfigure(errors="backslashreplace")
    cli.main(prog_name="hookrunner")
    raise AssertionError("click's main exits")
