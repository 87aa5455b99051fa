"""What may be executed in containers: one table, which the server and the gate share.

The server takes its commands from here, and the gate finds them again among all that its own
file allows: what one cannot say, the other does not let pass. Nothing here does any I/O.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

import msgspec

from hookrunner.config import Commands
from hookrunner.core import commands, processes
from hookrunner.model import Action, Probe

_STEP = frozenset(f"HOOKRUNNER_{name}" for name in ("RUN", "STEP", "TRIGGER", "NONCE"))
_PUSH = frozenset(
    f"HOOKRUNNER_{name}" for name in ("REPOSITORY", "REF", "BEFORE", "AFTER", "PUSHER")
)
STEP_VARIABLES = _STEP | _PUSH
"""The variables of an action."""
_STOP = frozenset(f"HOOKRUNNER_{name}" for name in ("STOP", "SIGNAL", "WAIT", "AGE", "SEEN"))
_NUMBERS = re.compile(r"[0-9]{1,10}:[0-9]{1,10}")


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command that may be executed, exactly as it stands here.

    Attributes:
        argv: The program and its arguments.
        user: Whom it runs as; None for the container's own user.
        as_anybody: It may run as any ``uid:gid`` instead.
        needed: The variables without which it makes no sense, or harm: a stop script that
            was not told whose processes it is to stop would stop everybody's.
        optional: Those that may be there too.
    """

    argv: tuple[str, ...]
    user: str | None = None
    as_anybody: bool = False
    needed: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()

    def runs_as(self, user: str | None) -> bool:
        """Whether it may run as somebody."""
        if self.as_anybody and user is not None:
            return _NUMBERS.fullmatch(user) is not None
        return user == self.user

    def problem(self, environment: Mapping[str, str]) -> str | None:
        """What is wrong with the variables that it is to get; None where nothing is."""
        for name, value in environment.items():
            if name not in self.needed | self.optional:
                return f"the variable {name} is none of this command's"
            if not commands.VARIABLES[name].fullmatch(value):
                return f"the value of {name} is of another form"
        missing = sorted(self.needed - environment.keys())
        return f"the variable {missing[0]} is missing" if missing else None


METADATA = Command(argv=commands.METADATA)
PACKAGES = Command(argv=commands.PACKAGES)
STOP = Command(argv=processes.STOP, as_anybody=True, needed=_STOP)


def action(kind: Action, own: Commands, *, wrapped: bool) -> Command:
    """The command of a step: the operator's own, else the standard's.

    Args:
        own: What the operator says of the project.
        wrapped: The image has a shell, so the wrapper goes around it.
    """
    said = own.update if kind is Action.update else own.validate
    argv = said or commands.ACTIONS[kind]
    if wrapped:
        asked = own.gitref or (() if said else commands.GITREF)
        argv = commands.wrapped(argv, asked if kind is Action.update else ())
    return Command(argv=tuple(argv), user=own.user, needed=_STEP, optional=_PUSH)


def gitref(own: Commands) -> Command:
    """What tells the commit that a container serves."""
    argv = own.gitref or commands.GITREF
    return Command(
        argv=tuple(argv), user=own.user, optional=frozenset({"HOOKRUNNER_REPOSITORY"})
    )


def probe(kind: Probe, own: Commands) -> Command:
    """What a container is asked at intervals; its processes carry an id, to be stopped by."""
    return Command(
        argv=commands.PROBES[kind], user=own.user, needed=frozenset({"HOOKRUNNER_STEP"})
    )


def recovery(own: Commands) -> Command:
    """What tells what became of a step whose stream was lost; runs as the step did."""
    return Command(argv=processes.RECOVER, user=own.user, needed=frozenset({"HOOKRUNNER_STOP"}))


class Table:
    """All commands that may be executed where an operator allows some actions.

    Args:
        actions: The actions that are allowed.
        own: The operator's own commands, beside the standard's.
    """

    def __init__(self, actions: Collection[Action], own: Iterable[Commands] = ()) -> None:
        everybody = [Commands(), *own]
        self._commands: dict[tuple[str, ...], list[Command]] = {}
        for command in (
            *(METADATA, PACKAGES, STOP),
            *(
                action(kind, one, wrapped=wrapped)
                for one in everybody
                for kind in actions
                for wrapped in (False, True)
            ),
            *(gitref(one) for one in everybody),
            *(probe(kind, one) for one in everybody for kind in Probe),
            *(recovery(one) for one in everybody),
        ):
            self._commands.setdefault(command.argv, []).append(command)

    def __iter__(self) -> Iterator[Command]:
        """All of them."""
        return (one for some in self._commands.values() for one in some)

    def problem(
        self, argv: Sequence[str], environment: Mapping[str, str], user: str | None
    ) -> str | None:
        """Say why something may not be executed; None where it may."""
        found = self._commands.get(tuple(argv))
        if not found:
            return "this command is not in the table"
        fitting = [one for one in found if one.runs_as(user)]
        if not fitting:
            who = "the container's own user" if user is None else f"user {user}"
            return f"this command may not run as {who}"
        problems = [one.problem(environment) for one in fitting]
        return None if None in problems else problems[0]
