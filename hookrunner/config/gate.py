"""What the gate's own file can say: `hookrunner.gate` reads no other."""

import re
from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Annotated

import msgspec

from hookrunner.config.loading import read
from hookrunner.config.marks import Form, Items, Keys, Shorthand
from hookrunner.config.operating import Log
from hookrunner.config.schema import DEFAULT_ENGINE, Commands
from hookrunner.config.values import (
    UnixAddress,
    parse_address,
    parse_engine_url,
    parse_path,
    parse_project_name,
    parse_user,
)
from hookrunner.errors import ConfigError
from hookrunner.model import Action

DEFAULT_LISTEN = "/run/hookrunner/engine.sock"
"""The socket where nothing else is said."""


def parse_gated(text: str) -> str:
    """Check the URL of the engine behind the gate.

    Raises:
        ValueError: It is none, or one to which a gate does not connect.
    """
    url = parse_engine_url(text)
    if not url.startswith(("unix://", "tcp://")):
        raise ValueError("must begin with unix:// or tcp://: a gate is where its engine is")
    return url


def parse_socket(text: str) -> UnixAddress:
    """Read ``unix:///path``: nothing else is listened on.

    Raises:
        ValueError: It is of another form.
    """
    address = parse_address(text)
    if not isinstance(address, UnixAddress):
        raise ValueError("must be a socket of this machine: unix:///run/hookrunner/engine.sock")  # noqa: TRY004
    return address


def parse_group(text: str) -> str:
    """Check the name or number of a group.

    Raises:
        ValueError: It is none.
    """
    if ":" in parse_user(text):
        raise ValueError("must be a group's name or number")
    return text


def parse_glob(text: str) -> str:
    """Check a pattern of containers' names: ``*``, ``?`` and ``[...]`` as in a shell.

    Raises:
        ValueError: No container can have such a name.
    """
    if not re.fullmatch(r"[a-zA-Z0-9_.*?\[\]!-]+", text):
        raise ValueError("must be a pattern of containers' names, such as www-*")
    return text


def parse_label(text: str) -> str:
    """Check ``NAME`` or ``NAME=PATTERN``.

    Raises:
        ValueError: It has no name.
    """
    if not re.fullmatch(r"[^=\s]+(?:=.*)?", text):
        raise ValueError("must be a label's name, or NAME=PATTERN")
    return text


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """Which containers may be seen, and executed in: all that is said must fit.

    Attributes:
        name: A pattern of names.
        label: A label that must be there, or with ``=`` a pattern that its value must fit.
            A container's labels include those of its image.
    """

    name: Annotated[str, Form(parse_glob)] | None = None
    label: Annotated[str, Form(parse_label)] | None = None

    def fits(self, names: Collection[str], labels: Mapping[str, str]) -> bool:
        """Whether a container of these names and labels is meant."""
        if self.name is not None and not any(fnmatchcase(one, self.name) for one in names):
            return False
        if self.label is None:
            return True
        key, equals, pattern = self.label.partition("=")
        return key in labels and (not equals or fnmatchcase(labels[key], pattern))


class Gate(msgspec.Struct, frozen=True, kw_only=True):
    """All that is let through; without arguments it is what an empty file says.

    Attributes:
        engine: The engine's address.
        listen: The socket of the gate, with mode 0660; not used where systemd passes one.
        group: Who may use it, beside the gate's own user; None is the gate's own group.
        actions: Which of the standard's actions, and of the operator's own commands.
        containers: Which containers there are for the other side; empty is all of them.
        commands: The operator's own commands, word for word as the server's `projects`
            have them; their names are for people alone.
        memory: Where the execs that were made are noted, so that a gate that starts anew
            knows them again; None: in ``$RUNTIME_DIRECTORY`` where systemd makes one, else
            nowhere.
        log: The gate's own messages, refusals among them.
    """

    engine: Annotated[str, Form(parse_gated)] = DEFAULT_ENGINE
    listen: Annotated[UnixAddress, Form(parse_socket)] = UnixAddress(DEFAULT_LISTEN)
    group: Annotated[str, Form(parse_group)] | None = None
    actions: Annotated[frozenset[Action], Items(1)] = frozenset(Action)
    containers: tuple[Annotated[Shown, Shorthand("name")], ...] = ()
    commands: Annotated[Mapping[str, Commands], Keys(parse_project_name)] = {}
    memory: Annotated[str, Form(parse_path)] | None = None
    log: Log = Log()

    def shows(self, names: Collection[str], labels: Mapping[str, str]) -> bool:
        """Whether a container of these names and labels may be seen."""
        return not self.containers or any(one.fits(names, labels) for one in self.containers)


def loads(text: str, *, name: str) -> Gate:
    """Read a gate's file.

    Args:
        text: The whole file. One that is empty, or of comments only, means the defaults.
        name: The file's name, for messages.

    Raises:
        ConfigError: It is not YAML, or says what cannot be.
    """
    gate, place = read(Gate, text, name=name)
    for index, one in enumerate(gate.containers):
        if one.name is None and one.label is None:
            raise ConfigError(
                f"item {index + 1} of `containers` says nothing",
                hint="write a pattern of names, or `label: NAME`",
                **place(("containers", index)),
            )
    return gate
