"""``container.yaml``: what an image's author says of it. Text in, keys out; opens nothing.

The file is flat: a key of the container standard, or any key of the author's own.
"""

import difflib
from typing import Any, NamedTuple

import yaml

from hookrunner.config import nodes
from hookrunner.core.standard import KEYS, mistake
from hookrunner.errors import ConfigError

NAME = "container.yaml"
"""The file beside the Dockerfile."""

_BUILDS_OWN = {"ancestors", "layers", "standard"}
"""Keys that only the build knows."""
_NUMBERS = {nodes.INTEGER: int, "tag:yaml.org,2002:float": float}
_TRUE = {"true", "yes", "on"}
_CLOSE = 0.85
"""How alike a key of one's own and one of the standard are when it is a slip; a guess.
``update_methods`` is, ``owner`` is not."""


class Recipe(NamedTuple):
    """What a file says.

    Attributes:
        keys: Its keys, none of them null.
        remarks: What may be a slip, each with its place.
    """

    keys: dict[str, Any]
    remarks: list[str]


def loads(text: str, *, name: str) -> Recipe:
    """Read a recipe.

    Args:
        name: The file's name, for messages.

    Raises:
        ConfigError: It is no YAML, no mapping, or a key of the standard has a value that it
            cannot have; with line and column.
    """
    root = nodes.compose(text, name)
    if root is None or nodes.is_null(root):
        return Recipe({}, [])
    if not isinstance(root, yaml.MappingNode):
        raise _wrong(name, root, f"the file must be a mapping, not {nodes.kind_of(root)}")
    keys: dict[str, Any] = {}
    remarks = []
    seen: set[int] = set()
    for key_node, node in root.value:
        key = _key(key_node, name)
        if key in keys:
            raise _wrong(name, key_node, f"duplicate key `{nodes.shown(key)}`")
        if key in _BUILDS_OWN:
            raise _wrong(name, key_node, f"`{key}` is the build's own to say")
        value = _value(node, name, seen, as_text=KEYS.get(key) is str)
        if wrong := mistake(key, value) if value is not None else None:
            raise _wrong(name, node, f"`{key}` has {wrong}")
        keys[key] = value
        close = difflib.get_close_matches(key, KEYS, n=1, cutoff=_CLOSE)
        if key not in KEYS and close:
            remark = f"`{nodes.shown(key)}` is a key of your own; did you mean `{close[0]}`?"
            remarks.append(str(_wrong(name, key_node, remark)))
    return Recipe({key: value for key, value in keys.items() if value is not None}, remarks)


def _key(node: yaml.Node, name: str) -> str:
    if not isinstance(node, yaml.ScalarNode) or node.tag == nodes.MERGE or nodes.is_null(node):
        raise _wrong(name, node, f"a key must be text, not {nodes.kind_of(node)}")
    key: str = node.value
    return key


def _value(node: yaml.Node, name: str, seen: set[int], *, as_text: bool = False) -> Any:
    """What a node means: text where text is wanted, so that a branch ``1.10`` stays one.

    Args:
        seen: The lists and mappings so far. An alias gives one again, which may be a circle.
    """
    if nodes.is_null(node):
        return None
    if isinstance(node, yaml.CollectionNode):
        if id(node) in seen:
            raise _wrong(name, node, "an alias cannot stand for a list or a mapping")
        seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return [_value(one, name, seen) for one in node.value]
    if isinstance(node, yaml.MappingNode):
        return {_key(key, name): _value(value, name, seen) for key, value in node.value}
    if not isinstance(node, yaml.ScalarNode):
        raise _wrong(name, node, f"{nodes.kind_of(node)} cannot stand here")
    return _scalar(node, name, as_text=as_text)


def _scalar(node: yaml.ScalarNode, name: str, *, as_text: bool) -> str | int | float | bool:
    if node.tag not in nodes.WRITTEN | {nodes.INTEGER, nodes.BOOLEAN}:
        raise _wrong(name, node, f"{nodes.kind_of(node)} cannot stand here")
    written: str = node.value
    if any("\ud800" <= one <= "\udfff" for one in written) or "\0" in written:
        raise _wrong(name, node, "there is a character that text cannot have")
    if node.tag == nodes.BOOLEAN:
        return written.lower() in _TRUE
    if node.tag in _NUMBERS and not as_text:
        try:
            number = _NUMBERS[node.tag](written)
        except ValueError:  # in one of YAML's other notations
            return written
        return number if str(number) == written else written  # a version 1.10 stays one
    return written


def _wrong(name: str, node: yaml.Node, message: str) -> ConfigError:
    mark = node.start_mark
    return ConfigError(message, file=name, line=mark.line + 1, column=mark.column + 1)
