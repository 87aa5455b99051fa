"""What `check` finds wrong, and what it says to do about it."""

from datetime import UTC, datetime

import msgspec
import pytest

from hookrunner.config import loads
from hookrunner.core.checking import (
    check_chats,
    check_container,
    check_deliveries,
    check_engines,
    check_sources,
    check_strangers,
)
from hookrunner.core.findings import Level
from hookrunner.core.history import Binding, History, KnownPush
from hookrunner.core.inventory import EngineState, Inventory
from hookrunner.core.matching import Known
from hookrunner.core.metadata import INHERITED
from hookrunner.model import Action, Delivery, Metadata, Push, PushReceipt, Verdict

NOW = datetime(2026, 11, 24, tzinfo=UTC)
URL, KEY = "https://git.example.net/ops/bind.git", "git.example.net/ops/bind"
SOURCE = "sources: {git: {secret_file: /s, repositories: ['ops/*']}}\n"
KEYS = {"project": "bind", "git_repo": URL, "git_branch": "main"}


def pushed(ref="refs/heads/main", repository=KEY):
    return KnownPush(
        id=f"1-{ref}", repository=repository, ref=ref, received_at=NOW, after="a" * 40
    )


@pytest.fixture
def check(make_container):
    """A function: the findings on a container."""

    def look(*pushes, keys=KEYS, config=SOURCE, bindings=(), **more):
        container = make_container("dns", keys, **more)
        inventory = Inventory()
        inventory.put(container)
        known = Known(
            config=loads(config, name="x"),
            inventory=inventory,
            history=History(pushes),
            bindings={one.project: one for one in bindings},
        )
        return list(check_container(container, known))

    return look


def test_a_container_whose_branch_is_pushed_to_has_nothing_wrong(check):
    assert check(pushed()) == []


def test_a_branch_that_gets_no_push_while_others_do(check):
    (found,) = check(pushed("refs/heads/dev"), pushed("refs/tags/v1"))

    assert found.level is Level.wrong
    assert found.text == f"it follows main of {KEY}, which never got a push; dev did"
    assert found.remedy == "set projects.bind.branch, or the label hookrunner.branch, to dev"


def test_a_repository_that_no_push_came_of(check):
    (found,) = check()

    assert (found.level, found.text) == (Level.note, f"no push of {KEY} came yet")


def test_a_project_that_a_push_was_once_bound_to_counts_as_its_repository(check):
    binding = Binding(project="bind", repository=KEY, rule="project")

    (found,) = check(pushed("refs/heads/dev"), keys={"project": "bind"}, bindings=[binding])

    assert "which never got a push" in found.text


def test_each_checkout_is_looked_at_with_its_own_branch(check):
    keys = KEYS | {
        "checkouts": [
            {"path": "/a", "branch": "live"},
            {"path": "/b", "repository": "https://git.example.net/ops/zones", "branch": "z"},
        ]
    }
    zones = "git.example.net/ops/zones"

    (found,) = check(pushed("refs/heads/live"), pushed("refs/heads/y", zones), keys=keys)

    assert found.text == f"it follows z of {zones}, which never got a push; y did"


def test_a_repository_that_no_source_may_speak_for(check):
    (found,) = check(keys=KEYS | {"git_repo": "https://git.example.net/web/bind.git"})

    assert found.level is Level.wrong
    assert found.text == "no source may speak for its repository git.example.net/web/bind"
    assert found.remedy.startswith("add web/bind to `repositories:`")


def test_metadata_that_makes_no_sense(check):
    metadata = Metadata(problems=("the image label is left out: it is no JSON object",))

    (found,) = check(metadata=metadata, methods=frozenset())

    assert (found.level, found.text) == (Level.wrong, metadata.problems[0])


def test_an_image_on_top_by_other_means_is_worth_knowing(check):
    metadata = Metadata(problems=(f"the image label is that of its base image x: {INHERITED}",))

    (found,) = check(metadata=metadata, methods=frozenset())

    assert (found.level, "hookrunner build" in found.remedy) == (Level.note, True)


def test_a_labelled_container_without_a_method_gets_three_lines_to_paste(check):
    (found,) = check(
        keys={"project": "www"},
        methods=frozenset({Action.validate}),
        mounts={"/var/www/html": "www"},
    )

    assert found.level is Level.note
    before, _, pasted = found.remedy.partition("below `projects:`\n")
    assert before
    assert len(pasted.splitlines()) == 3
    project = loads(f"projects:\n{pasted}\n", name="x").projects["www"]
    assert project.update == ("git", "-C", "/var/www/html", "pull", "--ff-only")
    assert project.gitref == ("git", "-C", "/var/www/html", "rev-parse", "HEAD")


def test_a_container_without_container_gets_a_label_and_three_lines(make_container):
    (found,) = check_strangers([make_container("no", image="nginx:1.27")], 0)

    assert found.text == "nginx:1.27 has no `container`, so that nobody knows how to update it"
    assert "--label hookrunner.project=no" in found.remedy
    pasted = found.remedy.partition("below `projects:`\n")[2]
    assert loads(f"projects:\n{pasted}\n", name="x").projects["no"].update


def test_of_many_strangers_some_are_named(make_container):
    found = list(check_strangers([make_container(f"c{n:02}") for n in range(14)], 1))

    assert [one.about for one in found[:10]] == [f"container c{n:02}" for n in range(10)]
    assert [one.text for one in found[10:]] == ["4 more are not known", "1 container is hidden"]


@pytest.mark.parametrize(
    ("error", "listed", "level", "words"),
    [
        (None, True, Level.ok, None),
        (None, False, Level.wrong, "start it"),
        ("cannot connect: Permission denied", False, Level.wrong, "group docker"),
        ("no such file", True, Level.wrong, "start it, or name another"),
    ],
)
def test_an_engine_that_does_not_answer(error, listed, level, words):
    state = EngineState(name="local", url="unix:///x", listed=listed, error=error)

    (found,) = check_engines([state], {"local": 2})

    assert found.level is level
    assert found.remedy is words is None or words in found.remedy


def test_without_a_source_nobody_may_send():
    (found,) = check_sources(loads("", name="x"), {})

    assert (found.level, "hookrunner init" in found.remedy) == (Level.wrong, True)
    assert list(check_sources(loads(SOURCE, name="x"), {})) == []


def test_a_source_with_a_weaker_proof_is_marked():
    (found,) = check_sources(loads(SOURCE, name="x"), {"git": "it signs nothing"})

    assert (found.level, found.about) == (Level.note, "source git")
    assert found.text == "a weaker proof: it signs nothing"


def delivery(**receipt):
    push = Push(repository="ops/bind", ref="refs/heads/main")
    return Delivery(
        id="d1",
        source="git",
        forge="gitea",
        event="push",
        received_at=NOW,
        body_hash="",
        pushes=(PushReceipt(push=push, **receipt),),
    )


def test_the_last_delivery_of_a_source_and_what_became_of_it(make_container):
    inventory = Inventory()
    inventory.put(make_container("binding", {"project": "bindings"}))
    known = Known(
        config=loads(SOURCE, name="x"), inventory=inventory, history=History(), bindings={}
    )
    near = Verdict(
        container="dns",
        container_id="c",
        engine="local",
        project="bind",
        target=False,
        reason="it follows main",
        remedy="set projects.bind.branch to dev",
    )

    hit = msgspec.structs.replace(near, target=True)
    (good,) = check_deliveries([delivery(run="r", verdicts=(hit,))], known)
    (late,) = check_deliveries([delivery(run="r", verdicts=(near,))], known)
    (strange,) = check_deliveries([delivery(ignored="a tag")], known)
    (none,) = check_deliveries([], known)
    tested = msgspec.structs.replace(delivery().pushes[0].push, before="a" * 40, after="a" * 40)
    receipt = PushReceipt(push=tested, ignored="a test delivery")
    (test,) = check_deliveries([msgspec.structs.replace(delivery(), pushes=(receipt,))], known)

    assert (good.level, test.level) == (Level.ok, Level.ok)
    assert (late.text, late.remedy) == (
        "its last delivery reached no container: the nearest is dns: it follows main",
        near.remedy,
    )
    assert strange.text.endswith(
        ": a tag; the closest by name is binding: its project is bindings"
    )
    assert strange.remedy == "hookrunner explain --delivery d1"
    assert (none.level, none.text) == (Level.note, "no delivery of it came yet")


@pytest.mark.parametrize(
    ("more", "level", "text"),
    [
        ("public_url: https://h.net", Level.note, "nobody there may do anything yet"),
        ("public_url: http://h.net", Level.wrong, "it sends to https alone"),
        ("listen: {address: '127.0.0.1:1', serves: [api]}", Level.wrong, "no address serves"),
        ("", Level.note, "https://HOST/chat/slack"),
    ],
)
def test_a_chat_that_gets_nowhere_is_told(more, level, text):
    config = loads(f"chat: {{slack: {{secret_file: /s}}}}\n{more}", name="hookrunner.yaml")

    first = next(check_chats(config, ["bind"]))

    assert (first.level, first.about) == (level, "chat slack")
    assert text in first.text
