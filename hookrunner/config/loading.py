"""Text to `Config`, or the first mistake at its file, line and column. Opens nothing.

The nodes of the text are converted one by one along the types of
`hookrunner.config.schema`. So a bare number is never taken for a duration, ``1.10`` stays
the branch that somebody wrote, and nothing in a file can make an object of another kind.
"""

import difflib
import json
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from types import UnionType
from typing import Annotated, Any, Literal, TypedDict, TypeVar, Union, get_args, get_origin

import yaml

from hookrunner.config import nodes
from hookrunner.config.checks import check
from hookrunner.config.marks import (
    Duration,
    Form,
    Items,
    Keys,
    Range,
    Shorthand,
    Size,
    Words,
)
from hookrunner.config.polling import Poll
from hookrunner.config.schema import SECRETS, Config, Source, keys
from hookrunner.config.secrets import SecretReference, secret_keys
from hookrunner.config.values import parse_path, parse_variable
from hookrunner.errors import ConfigError
from hookrunner.units import format_duration, format_size, parse_duration, parse_size

VALUES_LIMIT = 100_000
"""Values that a file may come to, a guess. Aliases let a short text stand for many."""

_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_REFUSED = {
    (kind, word): (
        f"a {word} does not belong in this file",
        f"use `{word}_file: /path/of/a/file` or `{word}_env: NAME_OF_A_VARIABLE`",
    )
    for kind, word in SECRETS.items()
}
KEYED = "standard-webhooks"
"""The forge whose sources need no secret beside a public key."""
_EXAMPLES = {(Source, "repositories"): 'write `repositories: ["ops/*"]`, or `["**"]` for all'}

_Path = tuple[str | int, ...]
_Entry = tuple[yaml.ScalarNode, yaml.Node]
_Entries = dict[str, _Entry]
_T = TypeVar("_T")


class _Where(TypedDict):
    """A place, as `ConfigError` and `SecretReference` take it."""

    file: str
    line: int
    column: int


_Places = Callable[..., _Where]


def loads(text: str, *, name: str) -> Config:
    """Read a configuration.

    Args:
        text: The whole file. One that is empty, or of comments only, means the defaults.
        name: The file's name, for messages.

    Raises:
        ConfigError: It is not YAML, or says what cannot be. The first mistake is told,
            with its line and column.
    """
    config, place = read(Config, text, name=name)
    check(config, place)
    return config


def read(kind: type[_T], text: str, *, name: str) -> tuple[_T, _Places]:
    """Read a file that is one struct; give it, and what tells the places of its values.

    Raises:
        ConfigError: As `loads`.
    """
    reader = _Reader(name)
    root = nodes.compose(text, name)
    found: _T = kind() if root is None else reader.struct(kind, root, (), root)
    return found, reader.place


class _Reader:
    """Converts nodes along types, and remembers the place of each value."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._places: dict[_Path, _Where] = {}
        self._values = 0

    def place(self, *paths: _Path) -> _Where:
        """The place of the first of these values that the file has."""
        return next(self._places[path] for path in paths if path in self._places)

    def struct(self, kind: Any, node: yaml.Node, path: _Path, key: yaml.Node) -> Any:
        """Make a struct of a mapping; one without any entry is all defaults.

        Args:
            path: The keys and indices that lead there, for messages.
            key: The node that names the mapping, the place of what is missing in it.
        """
        known = keys(kind)
        entries = self._entries(node, path)
        values: dict[str, Any] = {}
        for name, (name_node, value) in entries.items():
            if name not in known:
                raise self._unknown(kind, name_node)
            if known[name].name == name:
                values[name] = self._convert(known[name].type, value, (*path, name), name_node)
        if kind in SECRETS:
            has_key = values.get("public_key") is not None
            is_keyed = has_key and values.get("forge") == KEYED
            needed = not is_keyed and kind is not Poll
            values["secrets"] = self._secrets(
                secret_keys(SECRETS[kind]), entries, path, key, needed=needed
            )
        for name, field in known.items():
            if field.required and field.name not in values:
                raise self._wrong(
                    key,
                    f"{_subject(path)} needs the key `{name}`",
                    hint=_EXAMPLES.get((kind, name)),
                )
        return kind(**values)

    def _convert(self, kind: Any, node: yaml.Node, path: _Path, key: yaml.Node) -> Any:
        """Make a value of the type `kind` of a node; `path` and `key` as in `struct`."""
        self._count(node)
        self._places[path] = self._where(node)
        if get_origin(kind) in {Union, UnionType}:
            if nodes.is_null(node):
                return None
            kind = next(one for one in get_args(kind) if one is not type(None))
        kind, mark = get_args(kind) if get_origin(kind) is Annotated else (kind, None)
        match mark:
            case Form():
                return self._form(mark, node, path)
            case Duration() | Size():
                return self._amount(mark, node, path)
            case Range():
                return self._number(mark, node, path)
            case Words():
                return self._word(mark.allowed, node, path)
            case Keys():
                return self._dictionary(mark, get_args(kind)[1], node, path)
        return self._unmarked(kind, mark, node, path, key)

    def _unmarked(
        self, kind: Any, mark: object, node: yaml.Node, path: _Path, key: yaml.Node
    ) -> Any:
        """Make a value whose type says enough, or nearly."""
        if isinstance(mark, Shorthand) and isinstance(node, yaml.ScalarNode):
            form = keys(kind)[mark.key].type
            return kind(**{mark.key: self._convert(form, node, path, key)})
        if origin := get_origin(kind):
            items = self._items(mark if isinstance(mark, Items) else Items(), node, path)
            item = get_args(kind)[0]
            return origin([self._convert(item, one, at, one) for at, one in items])
        if kind is bool:
            return self._boolean(node, path)
        if issubclass(kind, StrEnum):
            return kind(self._word([str(one) for one in kind], node, path))
        return self.struct(kind, node, path, key)

    def _secrets(
        self,
        known: Mapping[str, Literal["file", "environment"]],
        entries: _Entries,
        path: _Path,
        key: yaml.Node,
        *,
        needed: bool,
    ) -> tuple[SecretReference, ...]:
        """References to secrets; without any it is systemd's of the place's name.

        Args:
            known: The keys that give one.
        """
        references = []
        for name in [name for name in entries if name in known]:
            kind = known[name]
            form = Form(parse_path if kind == "file" else parse_variable)
            mark = Items(1, single=True)
            for at, one in self._items(mark, entries[name][1], (*path, name)):
                self._count(one)
                value = self._form(form, one, at)
                references.append(SecretReference(kind=kind, value=value, **self._where(one)))
        if not references and needed:
            credential = ".".join(map(str, path)).removeprefix("sources.")
            references.append(
                SecretReference(kind="credential", value=credential, **self._where(key))
            )
        return tuple(references)

    def _entries(self, node: yaml.Node, path: _Path, depth: int = 0) -> _Entries:
        """The entries of a mapping; its own beat those of its merge key (``<<``)."""
        if nodes.is_null(node):
            return {}
        if not isinstance(node, yaml.MappingNode) or node.tag != nodes.MAP:
            raise self._wrong(
                node, f"{_subject(path)} must be a mapping, not {nodes.kind_of(node)}"
            )
        own: _Entries = {}
        for key, value in node.value:
            self._count(key)
            if key.tag not in {nodes.TEXT, nodes.MERGE} or not isinstance(key, yaml.ScalarNode):
                raise self._not_text("a key", key)
            if key.value in own:
                first = own[key.value][0].start_mark.line + 1
                raise self._wrong(
                    key, f"duplicate key `{nodes.shown(key.value)}`, first in line {first}"
                )
            own[key.value] = (key, value)
        if "<<" not in own or own["<<"][0].tag != nodes.MERGE:
            return own
        _, merged = own.pop("<<")
        return {**self._merged(merged, path, depth), **own}

    def _merged(self, node: yaml.Node, path: _Path, depth: int) -> _Entries:
        """The entries that a merge key brings; an earlier mapping beats a later one."""
        if depth > nodes.DEPTH_LIMIT:
            raise self._wrong(node, "merge keys are nested too deeply")
        entries: _Entries = {}
        for one in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            self._count(one)
            if not isinstance(one, yaml.MappingNode):
                raise self._wrong(one, f"`<<` must be a mapping, not {nodes.kind_of(one)}")
            entries = {**self._entries(one, path, depth + 1), **entries}
        return entries

    def _dictionary(self, mark: Keys, kind: Any, node: yaml.Node, path: _Path) -> Any:
        """Make a dictionary of a mapping whose keys are names."""
        values: dict[str, Any] = {}
        for written, (key, value) in self._entries(node, path).items():
            name = self._form(Form(mark.parse), key, (*path, written))
            if name in values:  # another way to write the same name
                raise self._wrong(key, f"duplicate key `{nodes.shown(name)}`")
            values[name] = self._convert(kind, value, (*path, name), key)
        return values

    def _items(
        self, mark: Items, node: yaml.Node, path: _Path
    ) -> Iterator[tuple[_Path, yaml.Node]]:
        """The nodes of a list, each with its path."""
        if isinstance(node, yaml.SequenceNode) and node.tag == nodes.SEQUENCE:
            if len(node.value) < mark.least:
                raise self._wrong(node, f"{_subject(path)} must not be empty")
            yield from (((*path, index), one) for index, one in enumerate(node.value))
        elif mark.single and not nodes.is_null(node):
            yield (*path, 0), node
        else:
            hint = None
            if isinstance(node, yaml.ScalarNode) and node.tag in nodes.WRITTEN:
                words = _split(node.value) if mark.command else [node.value]
                hint = f"write {json.dumps(words)}"
            message = f"{_subject(path)} must be a list, not {nodes.kind_of(node)}"
            raise self._wrong(node, message, hint=hint)

    def _text(self, node: yaml.Node, path: _Path) -> str:
        """The text of a scalar as it is written, also where YAML sees a number in it."""
        if not isinstance(node, yaml.ScalarNode) or node.tag not in nodes.WRITTEN:
            raise self._not_text(_subject(path), node)
        text: str = node.value
        if "\0" in text or any("\ud800" <= one <= "\udfff" for one in text):
            raise self._wrong(node, f"{_subject(path)} has a character that text cannot have")
        return text

    def _form(self, mark: Form, node: yaml.Node, path: _Path) -> Any:
        text = self._text(node, path)
        try:
            return mark.parse(text)
        except ValueError as error:
            raise self._wrong(node, f"{_subject(path)} {error}") from error

    def _amount(self, mark: Duration | Size, node: yaml.Node, path: _Path) -> float:
        """Read a duration or size; its unit is a part of it."""
        text = self._text(node, path)
        try:
            if isinstance(mark, Size):
                amount: float = parse_size(text)
                low, high = format_size(mark.low), format_size(mark.high)
            else:
                amount = parse_duration(text)
                low, high = format_duration(mark.low), format_duration(mark.high)
        except ValueError as error:
            what = "size" if isinstance(mark, Size) else "duration"
            form = "512KiB or 10MiB" if what == "size" else "30s or 10m"
            message = f"must be a {what} with its unit, as in {form}"
            raise self._wrong(
                node, f"{_subject(path)} {message}, not `{nodes.shown(text)}`"
            ) from error
        if not mark.low <= amount <= mark.high:
            message = f"must be between {low} and {high}, not `{nodes.shown(text)}`"
            raise self._wrong(node, f"{_subject(path)} {message}")
        return amount

    def _number(self, mark: Range, node: yaml.Node, path: _Path) -> int:
        written = node.value if node.tag == nodes.INTEGER else ""
        is_number = isinstance(written, str) and re.fullmatch(r"0|[1-9][0-9]{0,17}", written)
        if not is_number or not mark.low <= int(written) <= mark.high:
            found = f"`{nodes.shown(written)}`" if written else nodes.kind_of(node)
            message = f"must be a whole number between {mark.low} and {mark.high}, not {found}"
            raise self._wrong(node, f"{_subject(path)} {message}")
        return int(written)

    def _boolean(self, node: yaml.Node, path: _Path) -> bool:
        written = str(node.value).lower() if node.tag == nodes.BOOLEAN else ""
        if written not in _BOOLEANS:
            message = f"{_subject(path)} must be true or false, not {nodes.kind_of(node)}"
            raise self._wrong(node, message)
        return _BOOLEANS[written]

    def _word(self, allowed: Sequence[str], node: yaml.Node, path: _Path) -> str:
        text = self._text(node, path)
        if text not in allowed:
            words = f"{', '.join(allowed[:-1])} or {allowed[-1]}"
            found = f"`{nodes.shown(text)}`{_did_you_mean(text, allowed)}"
            raise self._wrong(node, f"{_subject(path)} must be {words}, not {found}")
        return text

    def _unknown(self, kind: Any, key: yaml.ScalarNode) -> ConfigError:
        if advice := _REFUSED.get((kind, key.value)):
            return self._wrong(key, advice[0], hint=advice[1])
        known = keys(kind)
        message = f"unknown key `{nodes.shown(key.value)}`{_did_you_mean(key.value, known)}"
        return self._wrong(key, message, hint=f"possible here: {', '.join(known)}")

    def _not_text(self, what: str, node: yaml.Node) -> ConfigError:
        hint = "put it in quotes" if isinstance(node, yaml.ScalarNode) else None
        return self._wrong(node, f"{what} must be text, not {nodes.kind_of(node)}", hint=hint)

    def _count(self, node: yaml.Node) -> None:
        self._values += 1
        if self._values > VALUES_LIMIT:
            raise self._wrong(node, f"the file comes to more than {VALUES_LIMIT} values")

    def _wrong(self, at: yaml.Node, message: str, *, hint: str | None = None) -> ConfigError:
        return ConfigError(message, hint=hint, **self._where(at))

    def _where(self, node: yaml.Node) -> _Where:
        mark = node.start_mark
        return {"file": self._name, "line": mark.line + 1, "column": mark.column + 1}


def _subject(path: _Path) -> str:
    """What a message is about, by the last name on the way there."""
    if not path:
        return "the file"
    *rest, last = path
    if isinstance(last, int):
        return f"item {last + 1} of {_subject(tuple(rest))}"
    return f"`{nodes.shown(last)}`"


def _did_you_mean(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word[: nodes.SHOWN_LIMIT], known, n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""


def _split(command: str) -> list[str]:
    """Split a command as a shell would, for advice."""
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()
