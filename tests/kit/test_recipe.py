"""``container.yaml``, and the mistakes in it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.errors import ConfigError
from hookrunner.kit import recipe


def read(text):
    return recipe.loads(text, name="container.yaml").keys


def test_keys_of_the_standard_and_of_ones_own():
    assert read(
        "project: bind\nvalidate: yes\ngit_branch: 1.10\npaths: [zones/*]\n"
        "checkouts:\n  - {path: /srv/data, repository: git@git:ops/zones}\n"
        "version: 1.10\nport: 53\nratio: 0.5\nwhen: 2015-03-30\nowner: null\n"
    ) == {
        "project": "bind",
        "validate": True,
        "git_branch": "1.10",
        "paths": ["zones/*"],
        "checkouts": [{"path": "/srv/data", "repository": "git@git:ops/zones"}],
        "version": "1.10",
        "port": 53,
        "ratio": 0.5,
        "when": "2015-03-30",
    }


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n"])
def test_nothing_says_nothing(text):
    assert read(text) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("project: [a]\n", "container.yaml:1:10: `project` has a value of another kind"),
        ("a: 1\nci: perhaps\n", "container.yaml:2:5: `ci` has a value of another kind"),
        ('project: "a\\nb"\n', "container.yaml:1:10: `project` has characters that cannot"),
        ("a: 1\na: 2\n", "container.yaml:2:1: duplicate key `a`"),
        ("ancestors: []\n", "container.yaml:1:1: `ancestors` is the build's own to say"),
        ("- a\n", "container.yaml:1:1: the file must be a mapping, not a list"),
        ("a: &x [*x]\n", "container.yaml:1:4: an alias cannot stand for a list"),
        ("a: !!python/name:os.system\n", "container.yaml:1:4: a value with the tag"),
        ("1: {? [a] : b}\n", "container.yaml:1:7: a key must be text, not a list"),
        ("a: b: c\n", "container.yaml:1:5: not valid YAML"),
    ],
)
def test_a_mistake_is_named_with_its_place(text, message):
    with pytest.raises(ConfigError) as caught:
        read(text)

    assert str(caught.value).startswith(message)


def test_a_key_that_is_nearly_one_of_the_standard_is_remarked():
    remarks = recipe.loads(
        "owner: a\n update_methods: b\n".replace(" u", "u"), name="f"
    ).remarks

    assert remarks == [
        "f:2:1: `update_methods` is a key of your own; did you mean `update_method`?"
    ]


@given(st.text())
def test_no_text_is_anything_but_keys_or_a_mistake(text):
    try:
        found = read(text)
    except ConfigError:
        return
    assert all(isinstance(key, str) for key in found)
