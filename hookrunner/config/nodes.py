"""Text to YAML nodes, which know their places, within bounds and with our own errors.

Never to YAML's own values: what a node means depends on the key that it belongs to, which
is the business of `hookrunner.config.loading`.
"""

from typing import Any

import yaml

from hookrunner.errors import ConfigError

TEXT_LIMIT = 2**20
"""Characters of a file, a guess: two thousand projects with all of their keys."""
DEPTH_LIMIT = 32
"""Levels of nesting: a correct file has six, and the YAML library recurses."""
SHOWN_LIMIT = 60
"""Characters of a wrong word that a message repeats: enough to find it on its line."""

_TAG = "tag:yaml.org,2002:"
MAP, SEQUENCE, TEXT, INTEGER = (f"{_TAG}{name}" for name in ("map", "seq", "str", "int"))
BOOLEAN, NULL, MERGE = (f"{_TAG}{name}" for name in ("bool", "null", "merge"))
WRITTEN = frozenset(
    f"{_TAG}{name}" for name in ("str", "int", "float", "timestamp", "value", "merge")
)
"""Tags of scalars that may stand for text as they are written: a user ``1000``, a branch
``1.10``. Not booleans and null: who writes ``no`` rarely means the word."""

_KINDS = {
    MAP: "a mapping",
    SEQUENCE: "a list",
    TEXT: "text",
    INTEGER: "a number",
    f"{_TAG}float": "a number",
    f"{_TAG}timestamp": "a date",
    BOOLEAN: "true or false",
    NULL: "nothing",
}


class _Composer(yaml.SafeLoader):
    """The library's composer with a bound on nesting."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > DEPTH_LIMIT:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="nested too deeply", problem_mark=mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


def compose(text: str, name: str) -> yaml.Node | None:
    """Make the tree of nodes of a text that has one YAML document at most.

    Returns:
        The root, or None where the text has nothing but blanks and comments. An alias
        gives the same node again, so the tree may have circles.

    Raises:
        ConfigError: It is no YAML, has several documents, or is too long or too deep.
    """
    if len(text) > TEXT_LIMIT:
        message = f"the file is longer than {TEXT_LIMIT} characters"
        raise _error_at(TEXT_LIMIT, message, text=text, name=name)
    composer: _Composer | None = None
    try:
        composer = _Composer(text)
        root: yaml.Node | None = composer.get_single_node()
    except yaml.reader.ReaderError as error:
        message = f"the character U+{ord(text[error.position]):04X} is not allowed"
        raise _error_at(error.position, message, text=text, name=name) from error
    except yaml.MarkedYAMLError as error:
        problem, mark = error.problem or "", error.problem_mark or error.context_mark
        context = f" ({error.context})" if error.context else ""
        raise ConfigError(
            f"not valid YAML: {problem}{context}",
            file=name,
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
            hint="indent with spaces, not with tabs" if r"'\t'" in problem else None,
        ) from error
    except (ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF"
        line, column = (composer.line, composer.column) if composer is not None else (0, 0)
        raise ConfigError(
            "not valid YAML: no such character or number",
            file=name,
            line=line + 1,
            column=column + 1,
        ) from error
    finally:
        if composer is not None:
            composer.dispose()
    return root


def is_null(node: yaml.Node) -> bool:
    """Nothing stands there: ``key:`` without a value, ``null`` or ``~``."""
    return isinstance(node, yaml.ScalarNode) and node.tag == NULL


def kind_of(node: yaml.Node) -> str:
    """What a node is, in words."""
    return _KINDS.get(node.tag) or f"a value with the tag `{shown(node.tag)}`"


def shown(text: str) -> str:
    """A word from the file as a message may repeat it: short, no control characters."""
    safe = repr(text)[1:-1]
    return safe if len(safe) <= SHOWN_LIMIT else f"{safe[:SHOWN_LIMIT]}..."


def _error_at(position: int, message: str, *, text: str, name: str) -> ConfigError:
    """Make the error for a place that is known by its number of characters."""
    before = text[:position]
    return ConfigError(
        message,
        file=name,
        line=before.count("\n") + 1,
        column=position - before.rfind("\n"),
    )
