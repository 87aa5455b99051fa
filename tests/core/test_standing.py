"""Behind, or not, or nobody can say."""

from datetime import UTC, datetime, timedelta

import pytest

from hookrunner.config import Config, Project
from hookrunner.core.history import Binding, History, KnownPush
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known
from hookrunner.core.standing import Standing, standing

NOW = datetime(2026, 11, 23, tzinfo=UTC)
URL, KEY = "https://git.example.net/ops/bind.git", "git.example.net/ops/bind"
A, B, C, D = "a" * 40, "b" * 40, "c" * 40, "d" * 40
KEYS = {"project": "bind", "git_repo": URL, "git_branch": "main", "gitref": A}


def push(number, before, after, paths=None, **more):
    return KnownPush(
        **{
            "id": f"{number:03}",
            "repository": KEY,
            "ref": "refs/heads/main",
            "received_at": NOW,
            "before": before,
            "after": after,
            "commits": (after,),
            "paths": paths,
        }
        | more
    )


@pytest.fixture
def stand(make_container):
    def make(*pushes, keys=KEYS, bindings=(), projects=None, current=A, **more):
        container = make_container("dns", keys, current_gitref=current, **more)
        inventory = Inventory()
        inventory.put(container)
        known = Known(
            config=Config(projects=projects or {}),
            inventory=inventory,
            history=History(pushes),
            bindings={binding.project: binding for binding in bindings},
        )
        return standing(container, known)

    return make


def test_it_is_behind_the_last_push_of_its_branch(stand):
    other = push(2, None, D, ref="refs/heads/topic")

    assert stand(push(1, A, B), other).behind is True
    assert stand(push(1, A, B), other, current=B).behind is False
    assert stand(push(1, A, B), other).pushed_gitref == B


def test_a_push_outside_of_its_paths_leaves_it_as_it_is(stand):
    keys = KEYS | {"paths": ["zones/**"]}
    pushes = [push(1, A, B, ("zones/x",)), push(2, B, C, ("README",))]

    assert stand(*pushes, keys=keys, current=B).behind is False
    assert stand(*pushes, keys=keys, current=C).behind is False
    assert stand(*pushes, keys=keys, current=A).pushed_gitref == B
    assert stand(push(1, A, B), keys=keys).behind is True


ZONES = {"repository": "git.example.net/ops/zones", "ref": "refs/heads/live"}
SEVERAL = KEYS | {
    "checkouts": [
        {"path": "/srv/bind"},
        {
            "path": "/srv/zones",
            "repository": "https://git.example.net/ops/zones",
            "branch": "live",
        },
    ]
}


@pytest.mark.parametrize(
    ("gitrefs", "behind", "pushed"),
    [
        ({KEY: B, ZONES["repository"]: D}, False, B),
        ({KEY: B, ZONES["repository"]: C}, True, D),
        ({KEY: A, ZONES["repository"]: D}, True, B),
        ({KEY: B}, None, D),
    ],
)
def test_each_of_several_repositories_is_compared_with_its_own(stand, gitrefs, behind, pushed):
    pushes = [push(1, A, B), push(2, C, D, **ZONES)]

    told = stand(*pushes, keys=SEVERAL, current=gitrefs[KEY], gitrefs=gitrefs)

    assert (told.behind, told.pushed_gitref) == (behind, pushed)


def test_the_image_is_outdated_also_by_a_push_that_does_not_touch_its_paths(stand):
    keys = KEYS | {"paths": ["zones/**"]}

    told = stand(push(1, A, B, ("Dockerfile",)), keys=keys)

    assert (told.image_behind, told.behind, told.pushed_gitref) == (True, None, None)


def test_the_image_is_outdated_by_its_own_rebuild_paths(stand):
    keys = KEYS | {"rebuild_paths": "image/**"}

    assert stand(push(1, A, B, ("Dockerfile",)), keys=keys).image_behind is False
    assert stand(push(1, A, B, ("image/x/y",)), keys=keys).image_behind is True
    assert stand(push(1, A, B, None), keys=keys).image_behind is False


def test_the_operators_branch_and_paths_count_before_its_own(stand):
    projects = {"bind": Project(branch="live", paths=("etc/*",))}
    pushes = [push(1, A, B, ("etc/x",), ref="refs/heads/live"), push(2, A, C, ("etc/x",))]

    assert stand(*pushes, projects=projects).pushed_gitref == B


def test_what_went_back_is_behind_the_commit_that_was_gone_back_to(stand):
    pushes = [push(1, None, A), push(2, A, B), push(3, B, A)]

    assert stand(*pushes, current=B).behind is True
    assert stand(*pushes, current=A).behind is False


def test_dirty_never_counts_as_current_and_unknown_is_unknown(stand):
    assert stand(push(1, A, B), current=B, dirty=True).behind is True
    assert stand(push(1, A, B), current=None).behind is None


def test_without_a_push_or_a_repository_nobody_can_say(stand):
    assert stand() == Standing()
    assert stand(push(1, A, B), keys={"project": "bind"}) == Standing()


def test_a_remembered_repository_counts_where_it_names_none(stand):
    binding = Binding(project="bind", repository=KEY, rule="gitref")

    assert stand(push(1, A, B), keys={"project": "bind"}, bindings=[binding]).behind is True


@pytest.mark.parametrize(
    ("keys", "paths", "outdated"),
    [
        ({}, ("Dockerfile",), True),
        ({}, ("container.yaml", "zone"), True),
        ({}, ("zone",), False),
        ({}, None, False),
        ({"rebuild_paths": ["build/**"]}, ("Dockerfile",), False),
        ({"rebuild_paths": ["build/**"]}, ("build/x",), True),
    ],
)
def test_what_the_image_is_made_of_makes_it_outdated(stand, keys, paths, outdated):
    assert stand(push(1, A, B, paths), keys=KEYS | keys).image_behind is outdated


def test_only_what_was_pushed_after_the_build_makes_the_image_outdated(stand):
    built_at_b = KEYS | {"gitref": B}
    pushes = [push(1, A, B, ("Dockerfile",)), push(2, B, C, ("zone",))]

    assert stand(*pushes, keys=built_at_b).image_behind is False
    assert stand(*pushes, keys=KEYS | {"gitref": D}).image_behind is None


def test_it_is_behind_since_the_first_push_that_it_does_not_serve(stand):
    later = [NOW + timedelta(hours=hour) for hour in range(3)]
    pushes = [
        push(1, A, B, received_at=later[0]),
        push(2, B, C, received_at=later[1]),
        push(3, C, D, received_at=later[2]),
    ]

    assert stand(*pushes, current=B).behind_since == later[1]
    assert stand(*pushes, current=A).behind_since == later[0]
    assert stand(*pushes, current="e" * 40).behind_since == later[2]
    assert stand(*pushes, current=D, dirty=True).behind_since == later[2]
    assert stand(*pushes, current=D).behind_since is None
