"""What a container is, key by key from the first origin that says it."""

import json

import pytest

from hookrunner.config import Project
from hookrunner.core.metadata import (
    DOCUMENT_LIMIT,
    LABEL,
    NOTHING,
    Answer,
    checkouts,
    decode_document,
    is_hidden,
    is_labelled,
    merge,
    methods,
    names_methods,
    printed_answer,
)
from hookrunner.core.standard import layers_of
from hookrunner.errors import HookrunnerError
from hookrunner.model import Action, Image, Metadata

SOURCE = "org.opencontainers.image.source"
REVISION = "org.opencontainers.image.revision"
BOTH = frozenset({Action.update, Action.validate})


def merged(labels=None, *, image=None, asked=None, projects=None, layers=()):
    return merge(
        labels or {},
        image=Image(id="i", labels=image or {}, layers=layers),
        asked=NOTHING if asked is None else Answer(asked),
        projects=projects or {},
    )


def test_validations_come_as_often_as_the_first_says_that_says_it(make_container):
    label = {"hookrunner.validate_every": "5m"}
    projects = {"dns": Project(validate_every=5400.0)}
    image = {"project": "dns", "validate_every": "1d"}

    def every(labels, **more):
        metadata = merged({"hookrunner.project": "dns"} | labels, **more)
        return make_container(metadata=metadata).validate_every, metadata.problems

    assert every(label, asked=image, projects=projects) == (300.0, ())
    assert every({}, asked=image, projects=projects) == (5400.0, ())
    assert every({}, asked=image) == (86400.0, ())
    assert every({}) == (None, ())
    for wrong, word in (("5", "such as 5m"), ("1s", "within 1m and 30d"), ("x", "such as 5m")):
        seconds, [problem] = every({"hookrunner.validate_every": wrong}, projects=projects)
        assert (seconds, word in problem) == (5400.0, True)


def test_each_key_comes_from_the_first_that_has_it():
    image = {LABEL: json.dumps({"project": "image", "gitref": "g", "git_branch": "b"})}

    found = merged(
        {"hookrunner.project": "label", "hookrunner.repository": "https://h/o/r"},
        image=image,
        asked={"project": "asked", "gitref": "other", "start_method": "/s", "mine": [1]},
    )

    assert found.keys == {
        "project": "label",
        "git_repo": "https://h/o/r",
        "gitref": "g",
        "git_branch": "b",
        "start_method": "/s",
        "mine": [1],
    }
    assert found.origins["project"] == "container label"
    assert found.origins["gitref"] == "image label"
    assert found.origins["mine"] == "container --metadata"


def test_the_operators_commands_stand_before_the_images():
    project = Project(update=("git", "pull"), branch="live")

    found = merged(
        {"hookrunner.project": "www"}, asked={"update_method": "/u"}, projects={"www": project}
    )

    assert (found.keys["update_method"], found.keys["git_branch"]) == ("git pull", "live")
    assert found.origins["update_method"] == "configuration"


def test_oci_labels_count_only_where_nothing_else_answered():
    oci = {SOURCE: "https://h/o/r", REVISION: "g"}

    assert merged(oci).keys == {"git_repo": "https://h/o/r", "gitref": "g"}
    assert merged(oci, asked={"project": "p"}).keys == {"project": "p"}
    image = {LABEL: '{"project": "p"}'}
    assert merged(oci | image, image=oci | image).keys == {"project": "p"}


@pytest.mark.parametrize(
    "text", [b"", b"[]", b"1", b"{", b"\xff{}", b'{"a":' * 9999, b"x" * 2**21]
)
def test_what_is_no_json_object_is_refused(text):
    with pytest.raises(HookrunnerError):
        decode_document(text)


@pytest.mark.parametrize(
    "text", ["nonsense", "[]", "{" * 9999, json.dumps({"mine": "x" * 2**20})]
)
def test_an_image_label_that_is_nonsense_is_left_out_and_said(text):
    found = merged({"hookrunner.project": "label"}, image={LABEL: text})

    assert found.keys == {"project": "label"}
    assert len(found.problems) == 1
    assert found.problems[0].startswith(
        "the image label hookrunner.metadata is left out: it is"
    )


def test_a_key_of_another_kind_is_left_out_and_the_next_origin_counts():
    found = merged(
        {"hookrunner.project": "two\nlines"},
        image={LABEL: json.dumps({"project": 7, "gitref": "g"})},
        asked={"project": "asked", "checkouts": [{"path": "/a"}, 7]},
    )

    assert found.keys == {"project": "asked", "gitref": "g"}
    assert [problem.partition(" is left out")[0] for problem in found.problems] == [
        "project in the container label",
        "project in the image label",
        "checkouts in the container --metadata",
    ]


BASE = {"project": "base", "update_method": "/u", "ancestors": [{"project": "oldest"}]}
BASE |= {"layers": layers_of(["a"])}


def test_an_image_on_top_by_other_means_has_its_bases_metadata_as_an_ancestor_only():
    label = {LABEL: json.dumps(BASE)}

    own = merged(image=label, layers=("a", "b"))
    found = merged(label | {SOURCE: "https://h/o/r"}, image=label, layers=("a", "b", "c"))

    assert own.keys == BASE
    assert own.problems == ()
    assert set(found.keys) == {"ancestors"}
    assert [one["project"] for one in found.keys["ancestors"]] == ["oldest", "base"]
    assert "base image base: it was built on top of it by other means" in found.problems[0]
    assert names_methods(Image(id="i", labels=label, layers=("a", "b")))
    assert not names_methods(Image(id="i", labels=label, layers=("a", "b", "c")))


def test_a_file_with_metadata_is_inherited_as_a_label_is():
    found = merged(asked=BASE, layers=("a", "b", "c"))

    assert set(found.keys) == {"ancestors"}


def test_an_image_on_top_may_say_itself_what_it_is():
    label = {LABEL: json.dumps(BASE)}

    found = merged(image=label, asked={"project": "own"}, layers=("a", "b", "c"))

    assert found.keys["project"] == "own"
    assert "update_method" not in found.keys
    assert [one["project"] for one in found.keys["ancestors"]] == ["oldest", "base"]


@pytest.mark.parametrize(
    ("code", "text", "document", "problem"),
    [
        (0, b'{"project": "p"}', {"project": "p"}, None),
        (1, b"usage", None, None),
        (None, b"", None, "did not end in time"),
        (0, b"usage", None, "it is no JSON object"),
        (0, b" " * (DOCUMENT_LIMIT + 1), None, "longer than 256 KiB"),
    ],
)
def test_what_a_program_prints_is_a_document_or_a_problem(code, text, document, problem):
    answer = printed_answer(code, text)

    assert answer.document == document
    assert answer.problem is problem is None or problem in answer.problem


@pytest.mark.parametrize(
    ("labels", "hidden"),
    [
        ({}, False),
        ({"hookrunner.enable": "false"}, True),
        ({"hookrunner.enable": "False"}, True),
        ({"hookrunner.enable": "true"}, False),
        ({"com.docker.compose.oneoff": "True"}, True),
        ({"com.docker.compose.oneoff": "False"}, False),
    ],
)
def test_containers_can_be_hidden(labels, hidden):
    assert is_hidden(labels) is hidden


def test_labelled_means_a_label_of_ours():
    assert is_labelled({"hookrunner.project": "x"})
    assert not is_labelled({"org.hookrunner": "x"})


@pytest.mark.parametrize(
    ("keys", "has_program", "asked", "project", "found"),
    [
        ({"update_method": "/u", "validate_method": "/v"}, True, True, None, BOTH),
        ({"update_method": "/u"}, True, True, None, {Action.update}),
        ({"update_method": "/u"}, False, True, None, set()),
        ({}, True, True, None, set()),
        ({}, True, False, None, BOTH),
        ({}, False, False, Project(update=("u",)), {Action.update}),
    ],
)
def test_methods_are_what_it_names_or_the_operator_does(
    keys, has_program, asked, project, found
):
    metadata = Metadata(keys=keys, origins=dict.fromkeys(keys, "container --metadata"))

    told = methods(metadata, has_program=has_program, asked=asked, project=project)

    assert told == found


def test_checkouts_are_one_path_or_several():
    one = checkouts(Metadata(keys={"checkout": "/srv/data"}))
    several = checkouts(
        Metadata(keys={"checkouts": [{"path": "/a", "repository": "r", "branch": "b"}]})
    )

    assert [c.path for c in one] == ["/srv/data"]
    assert [(c.path, c.repository, c.branch) for c in several] == [("/a", "r", "b")]
