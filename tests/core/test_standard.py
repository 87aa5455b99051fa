"""What the keys of the container standard may hold, and whose a document is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.standard import KEYS, checked, is_of_image, layers_of, mistake

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("project", 7, "of another kind: expected `str`, got `int`"),
        ("project", "two\nlines", "cannot be printed"),
        ("project", "x" * 1001, "more than 1000"),
        ("git_repo", {}, "of another kind"),
        ("update_method", "/srv/\x1b[31mred", "cannot be printed"),
        ("ci", "yes", "expected `bool`"),
        ("build_time_stamp", "now", "of another kind"),
        ("image_tag_names", ["a", 1], "of another kind"),
        ("checkouts", [{"repository": "r"}], "path"),
        ("checkouts", [{"path": "/a\n"}], "cannot be printed"),
        ("paths", ["a\0"], "cannot be printed"),
        ("layers", 3, "of another kind"),
        ("ancestors", "base", "of another kind"),
        ("ancestors", [1], "of another kind"),
    ],
)
def test_a_value_of_another_kind_is_left_out_and_said(key, value, words):
    keys, mistakes = checked({key: value, "mine": 1}, "image label")

    assert keys == {"mine": 1}
    assert len(mistakes) == 1
    assert mistakes[0].startswith(f"{key} in the image label is left out: it has ")
    assert words in mistakes[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("project", "bind"),
        ("project", None),
        ("image_tag_names", "one"),
        ("image_tag_names", ["one", "two"]),
        ("build_cause", "started by anna\nstarted by a timer"),
        ("build_time_stamp", 1427691730),
        ("checkouts", [{"path": "/a", "repository": "r", "branch": "b", "more": 1}]),
        ("ancestors", [{"project": 7}]),
        ("mine", "two\nlines"),
    ],
)
def test_a_value_that_fits_is_kept(key, value):
    assert checked({key: value}, "image label") == ({key: value}, [])


@given(st.dictionaries(st.sampled_from([*KEYS, "mine"]), JSON))
def test_a_checked_document_has_no_mistake_left(document):
    keys, mistakes = checked(document, "image label")

    assert len(keys) + len(mistakes) == len(document)
    assert all(value is None or mistake(key, value) is None for key, value in keys.items())


def test_a_document_is_its_images_where_it_lies_in_the_last_layer():
    document = {"layers": layers_of(["a", "b"])}

    assert document == {"layers": {"count": 3, "below": "b"}}
    assert is_of_image(document, ["a", "b", "own"])
    assert not is_of_image(document, ["a", "b", "own", "another"])
    assert not is_of_image(document, ["a", "x", "own"])


def test_a_document_without_layers_is_taken_at_its_word():
    assert is_of_image({}, ["a"])
    assert is_of_image({"layers": layers_of(["a"])}, [])
    assert is_of_image({"layers": layers_of([])}, ["own"])
