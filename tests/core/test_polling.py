"""What git servers are asked, and that nobody but the operator says where."""

from datetime import UTC, datetime, timedelta

import pytest

from hookrunner.config import loads
from hookrunner.core.history import History, KnownPush
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known
from hookrunner.core.polling import Question, decode_refs, questions, untold

NOW = datetime(2026, 11, 23, tzinfo=UTC)
A, B = "a" * 40, "b" * 40
MAIN = "refs/heads/main"
SOURCES = """\
sources:
  silent: {secret_env: S, repositories: ["ops/*"], url: "https://git.example.net/{repository}"}
  first:
    secret_env: A
    repositories: ["ops/*"]
    url: "https://git.example.net:8443/{repository}.git"
    poll: 10m
  second:
    secret_env: B
    repositories: ["**"]
    url: "ssh://git@other.example.net/{repository}"
    poll: {every: 1h, ssh_key: /etc/hookrunner/key}
"""


@pytest.fixture
def asked(make_container):
    """A function: what is asked where there are containers with these metadata keys."""

    def ask(*documents, sources=SOURCES):
        inventory = Inventory()
        for number, keys in enumerate(documents):
            inventory.put(make_container(f"c{number}", keys))
        config = loads(sources, name="test.yaml")
        known = Known(config=config, inventory=inventory, history=History(), bindings={})
        return {
            key: (one.source, one.url, *sorted(one.refs))
            for key, one in questions(known).items()
        }

    return ask


def test_each_repository_is_asked_once_for_the_branches_that_containers_follow(asked):
    repo = {"git_repo": "git@git.example.net:Ops/Bind.git"}

    found = asked(
        repo | {"git_branch": "main"},
        repo | {"git_branch": "test"},
        {"git_repo": "https://other.example.net/team/app"},
    )

    assert found == {
        "git.example.net/ops/bind": (
            "first",
            "https://git.example.net:8443/Ops/Bind.git",
            MAIN,
            "refs/heads/test",
        ),
        "other.example.net/team/app": (
            "second",
            "ssh://git@other.example.net/team/app",
            MAIN,
            "refs/heads/master",
        ),
    }


@pytest.mark.parametrize(
    "url",
    [
        "https://169.254.169.254/ops/bind.git",
        "https://evil.example.net/ops/bind.git",
        "https://git.example.net@evil.example.net/ops/bind",
        "https://git.example.net/other/bind",
        "https://git.example.net/ops/-oProxyCommand=x",
        "https://git.example.net/ops/a'b",
        "https://git.example.net/ops/$(id)",
        "https://git.example.net/ops/a%20b",
        "file:///srv/git/ops/bind.git",
        "/srv/git/ops/bind.git",
        "ext::sh -c id",
    ],
)
def test_no_container_says_where_or_what_its_source_may_not_speak_for(asked, url):
    assert asked({"git_repo": url}) == {}


def test_nothing_is_asked_where_no_source_says_so(asked):
    silent = "".join(SOURCES.splitlines(keepends=True)[:2])

    assert asked({"git_repo": "https://git.example.net/ops/bind"}, sources=silent) == {}


def history(*afters, received_at=NOW):
    known = History()
    for number, after in enumerate(afters):
        known.add(
            KnownPush(
                id=f"p{number}",
                repository="h/ops/bind",
                ref=MAIN,
                received_at=received_at,
                before=afters[number - 1] if number else None,
                after=after,
            )
        )
    return known


def found(refs, known, asked_at=NOW + timedelta(minutes=1)):
    question = Question(
        source="first", repository="h/ops/bind", name="", url="", refs=frozenset({MAIN})
    )
    return untold(question, refs, known, asked_at=asked_at)


def test_what_a_branch_has_and_nobody_told_of_is_a_push():
    assert found({MAIN: A}, history()) == [(MAIN, A, None)]
    assert found({MAIN: B}, history(A)) == [(MAIN, B, A)]
    assert found({MAIN: A}, history(A, B)) == [(MAIN, A, B)]
    assert found({MAIN: B}, history(A, B)) == []
    assert found({"refs/heads/other": B}, history(A)) == []


def test_an_answer_from_before_a_push_takes_nothing_back():
    known = history(A, B, received_at=NOW)

    assert found({MAIN: A}, known, asked_at=NOW) == []


def test_of_what_git_prints_only_commits_count():
    told = f"{A}\t{MAIN}\nwarning: x\n{B}\trefs/heads/x y\nshort\trefs/heads/z\n\n"

    assert decode_refs(told) == {MAIN: A, "refs/heads/x y": B}
