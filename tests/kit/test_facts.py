"""The metadata of a build, from all who know a part of it."""

from datetime import UTC, datetime

import pytest

from hookrunner.core.standard import is_of_image
from hookrunner.kit.ci import Facts
from hookrunner.kit.facts import Git, describe, image_name, project_name, without_user

URL = "https://git.example.net/ops/bind.git"
COMMIT = "e1b0a445744fec5e584919711cafd8f4cebdee0e"
CI = Facts(ci=True, cause="TIMERTRIGGER", tag="jenkins-bind-55", commit="f" * 40, branch="main")
BY_HAND = Facts(ci=False, cause="MANUAL")


def made(recipe=(), **more):
    facts = {
        "names": ["hub.example.net/ops/bind:9"],
        "git": Git(),
        "ci": BY_HAND,
        "host": "builder",
        "at": datetime(2015, 3, 30, 6, 2, 10, tzinfo=UTC),
        "below": ["sha256:a", "sha256:b"],
        "base": None,
        "validated": True,
    }
    return describe(dict(recipe), **facts | more)


def test_an_image_that_says_nothing_is_known_by_its_name():
    assert made() == {
        "project": "bind",
        "image_name": "ops/bind",
        "image_tag_names": ["hub.example.net/ops/bind:9"],
        "ci": False,
        "build_cause": "MANUAL",
        "build_time": "2015-03-30 06:02:10",
        "build_time_stamp": 1427695330,
        "build_host": "builder",
        "validate": True,
        "layers": {"count": 3, "below": "sha256:b"},
        "standard": 1,
    }


def test_git_knows_better_than_the_system_and_the_system_better_than_nobody():
    git = Git(commit=COMMIT, branch=None, repository=URL)

    found = made(git=git, ci=CI)

    assert (found["gitref"], found["git_branch"], found["git_repo"]) == (COMMIT, "main", URL)
    assert "git_dirty" not in found
    assert made(ci=CI)["gitref"] == "f" * 40


def test_changes_that_are_in_no_commit_are_said():
    assert made(git=Git(commit=COMMIT, dirty=True))["git_dirty"] is True


def test_the_recipe_counts_most_but_for_what_only_the_build_knows():
    found = made({"project": "dns", "owner": "anna", "validate": True}, validated=False)

    assert (found["project"], found["owner"], found["validate"]) == ("dns", "anna", False)


@pytest.mark.parametrize(
    ("said", "gitref"),
    [
        ("git@git.example.net:ops/bind", COMMIT),
        ("https://git.example.net/ops/zones.git", None),
    ],
)
def test_a_commit_says_nothing_of_another_repository(said, gitref):
    git = Git(commit=COMMIT, branch="main", repository=URL)

    found = made({"git_repo": said}, git=git)

    assert (found["git_repo"], found.get("gitref")) == (said, gitref)


def test_ancestors_are_carried_on_oldest_first():
    oldest = {"project": "debian"}
    base = {"project": "base", "ancestors": [oldest]}

    assert made(base=base)["ancestors"] == [oldest, {"project": "base"}]


def test_an_image_on_top_of_it_does_not_pass_for_it():
    found = made()

    assert is_of_image(found, ["sha256:a", "sha256:b", "sha256:own"])
    assert not is_of_image(found, ["sha256:a", "sha256:b", "sha256:own", "sha256:c"])


@pytest.mark.parametrize(
    ("name", "image", "project"),
    [
        ("bind", "bind", "bind"),
        ("ops/bind:9", "ops/bind", "bind"),
        ("localhost/bind", "bind", "bind"),
        ("hub:5000/ops/bind", "ops/bind", "bind"),
        ("hub.example.net/ops/team/bind:9@sha256:aa", "ops/team/bind", "bind"),
    ],
)
def test_names_of_images(name, image, project):
    assert (image_name(name), project_name(name)) == (image, project)


def test_no_password_of_an_address_gets_into_an_image():
    assert without_user("https://ada:secret@git.example.net/a") == "https://git.example.net/a"
    assert without_user("git@git.example.net:a") == "git@git.example.net:a"
