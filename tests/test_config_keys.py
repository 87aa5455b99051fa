"""Every key: in the example, and whatever is written under it a ConfigError at worst."""

import re
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from hookrunner.config import (
    Config,
    keys,
    loads,
)
from hookrunner.config.marks import Form
from hookrunner.errors import ConfigError
from hookrunner.web.documents import documents

EXAMPLE = Path(__file__).parents[1] / "config" / "hookrunner.yaml"


NAME = "hookrunner.yaml"


def load(text: str) -> Config:
    return loads(text, name=NAME)


def test_example_shows_every_key():
    text = re.sub(r"(?m)^# ", "", EXAMPLE.read_text())
    root = yaml.compose(text, Loader=yaml.SafeLoader)

    shown = set(_keys_shown(root))

    missing = _keys_known(Config) - shown
    assert not missing


DOCUMENT = documents()["configuration"]
ROWS = re.findall(r"^\| (`[^|]*`) \| (?:`([^|]*)`)? ?\| .* \|$", DOCUMENT, re.MULTILINE)
NAMED = r"(sources|engines|notify|projects|chat)\.[a-z_]+"


def _example():
    """The value of every key of the example, by its path."""

    def walk(path, value):
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                yield from walk(f"{path}.{key}" if path else key, inner)
        else:
            yield re.sub(rf"^{NAMED}", r"\1.NAME", path), value

    text = re.sub(r"(?m)^# ?", "", re.sub(r"(?m)^##.*\n", "", EXAMPLE.read_text()))
    return dict(walk("", yaml.safe_load(text)))


@pytest.mark.parametrize("path", sorted(_example()))
def test_every_key_is_in_the_document_with_the_default_that_the_example_shows(path):
    defaults = {
        key: default for keys, default in ROWS for key in re.findall(r"`([^`]+)`", keys)
    }

    assert path in defaults, f"hookrunner/docs/configuration.md has no row for `{path}`"
    default, value = defaults[path], _example()[path]
    if default and path != "listen":  # which the example shows in its long form
        assert value == default or value == yaml.safe_load(default)


def _keys_shown(node: yaml.Node) -> list[str]:
    if isinstance(node, yaml.SequenceNode):
        return [key for one in node.value for key in _keys_shown(one)]
    if not isinstance(node, yaml.MappingNode):
        return []
    return [key for name, value in node.value for key in (name.value, *_keys_shown(value))]


def _keys_known(kind: Any) -> set[str]:
    if get_origin(kind) is Annotated and isinstance(get_args(kind)[1], Form):
        return set()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        nested = [_keys_known(f.type) for f in keys(kind).values() if f.name != "secrets"]
        return set(keys(kind)).union(*nested)
    return set().union(*(_keys_known(one) for one in get_args(kind)))


WORDS = st.sampled_from(
    [
        *_keys_known(Config),
        "<<",
        "gitea",
        "a:1",
        "30s",
        "1MiB",
        "ops/*",
        "info",
        "main",
        "0",
        "/a",
    ]
)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=5),
    st.dates(),
    WORDS,
)


VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(
            st.one_of(WORDS, st.integers(), st.text(max_size=5)), inner, max_size=5
        ),
    ),
    max_leaves=30,
)


def only_config_errors(text: str) -> None:
    found: Config | ConfigError
    try:
        found = load(text)
    except ConfigError as error:
        found = error
    if isinstance(found, ConfigError):
        assert found.line is not None
        assert found.column is not None
        assert str(found).startswith(f"{NAME}:{found.line}:{found.column}: ")
        assert "\n" not in str(found)
        assert str(found).encode()


@given(st.text())
@example('"\\UFFFFFFFF"')
@example('"\\ud800": 1')
@example("%YAML 9" + "9" * 5000 + ".1\n---\n")
@example("? ? ? a")
@example("!<!> a")
@example("&a {*a : *a}")
def test_any_text_gives_a_configuration_or_a_config_error(text: str):
    only_config_errors(text)


@given(st.text(alphabet="{}[]<>&*!|?:-,#%@'\"\\ \n\tax~01\x00\ufeff\ud800"))
def test_any_yaml_like_text_gives_a_configuration_or_a_config_error(text: str):
    only_config_errors(text)


@given(st.dictionaries(st.sampled_from(sorted(keys(Config))), VALUES, max_size=4))
def test_any_values_under_known_keys_give_a_configuration_or_a_config_error(values: dict):
    only_config_errors(yaml.safe_dump(values, allow_unicode=True))


@given(st.sampled_from(["sources", "projects"]), st.data())
def test_any_values_in_an_entry_give_a_configuration_or_a_config_error(
    key: str, data: st.DataObject
):
    entry = data.draw(st.dictionaries(WORDS, VALUES, max_size=3))

    only_config_errors(yaml.safe_dump({key: {"gitea": entry}}))
