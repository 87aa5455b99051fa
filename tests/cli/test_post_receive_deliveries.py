"""What the hook tells of a push, in real repositories."""

import hashlib
import hmac
import shutil

import pytest

from hookrunner.forges import FORGES, Request

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


def test_a_push_is_delivered_signed_and_streamed(secret, done, live, repository):
    before = repository.commit(**{"zones/a": "1"})
    repository.push("main")
    after = repository.commit(**{"zones/a": "2", "new": "1"})

    said = repository.push("main")

    (first, second) = live.seen
    digest = hmac.new(secret, second.body, hashlib.sha256).hexdigest()
    assert second.headers["X-Hub-Signature-256"] == f"sha256={digest}"
    assert second.headers["Content-Type"] == "application/json"
    assert second.headers["Accept"] == "text/plain"
    assert second.query == {"stream": "1"}
    body = second.json
    assert len(body.pop("delivery")) == 32
    assert body == {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "repository": {"full_name": "ops/docker_bind", "default_branch": "main"},
        "pusher": {"name": "anna"},
        "commits": [{"id": after, "added": ["new"], "modified": ["zones/a"], "removed": []}],
    }
    assert "commits" not in first.json
    assert set(first.json["before"]) == {"0"}
    assert ">> Fetch" in said
    assert done.decode().strip() in said
    assert repository.spooled() == []


def test_the_server_reads_what_the_hook_sends(secret, live, repository):
    repository.commit(a="1")
    repository.push("main")
    repository.commit(**{"zöne ä.txt": "1", "a": None})
    repository.push("main")

    seen = live.seen[-1]
    request = Request(headers=tuple(seen.headers.items()), body=seen.body)
    assert FORGES["generic"].verify(request, [secret]) == 0
    (push,) = FORGES["generic"].decode(request).pushes
    assert push.repository == "ops/docker_bind"
    assert set(push.paths or ()) == {"zöne ä.txt", "a"}
    assert push.commits == (push.after,)


def test_branches_that_are_not_ascii(live, repository):
    repository.commit(a="1")
    repository.git("branch", "größe/ünï-🐄")

    repository.push("größe/ünï-🐄")

    assert live.seen[0].json["ref"] == "refs/heads/größe/ünï-🐄"


def test_two_refs_are_two_deliveries_in_order(done, live, repository):
    repository.commit(a="1")
    repository.git("branch", "b1")
    repository.git("tag", "v1")

    said = repository.push("b1", "v1")

    assert [seen.json["ref"] for seen in live.seen] == ["refs/heads/b1", "refs/tags/v1"]
    assert len({seen.json["delivery"] for seen in live.seen}) == 2
    assert said.count(done.decode().strip()) == 2
    assert said.index("refs/heads/b1") < said.index("refs/tags/v1")


def test_a_deleted_branch(live, repository):
    gone = repository.commit(a="1")
    repository.push("main", "main:other")

    repository.push("--delete", "other")

    body = live.seen[-1].json
    assert (body["ref"], body["before"]) == ("refs/heads/other", gone)
    assert set(body["after"]) == {"0"}
    assert "commits" not in body


def test_a_forced_push_tells_no_commits(live, repository):
    repository.commit(a="1")
    repository.commit(a="2")
    repository.push("main")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    repository.commit(b="1")

    repository.push("--force", "main")

    assert "commits" not in live.seen[-1].json


@pytest.mark.parametrize("count", [100, 101])
def test_more_than_a_hundred_commits_are_not_told(live, repository, count):
    base = repository.commit(a="1")
    repository.push("main")
    tree = repository.git("rev-parse", "HEAD^{tree}")
    tip = base
    for number in range(count):
        tip = repository.git("commit-tree", tree, "-p", tip, "-m", str(number))
    repository.git("update-ref", "refs/heads/main", tip)

    repository.push("main")

    assert len(live.seen[-1].json.get("commits", ())) == (100 if count == 100 else 0)


def test_a_merge_tells_what_it_brought_in(live, repository):
    repository.commit(a="1")
    repository.push("main")
    repository.git("checkout", "-q", "-b", "side")
    repository.commit(side="1")
    repository.git("checkout", "-q", "main")
    repository.commit(b="1")
    repository.git("merge", "-q", "--no-ff", "-m", "merge", "side")

    repository.push("main")

    commits = live.seen[-1].json["commits"]
    assert len(commits) == 3
    assert commits[-1]["added"] == ["side"]
    assert {path for commit in commits for path in commit["added"]} == {"b", "side"}


@pytest.mark.parametrize(
    ("how", "name"),
    [("option", "a/b"), ("gitolite", "c/d"), ("config", "e/f"), ("path", "ops/docker_bind")],
)
def test_the_name_of_the_repository(live, install, repository, how, name):
    if how == "option":
        install("--repository", name, port=live.port)
    if how == "gitolite":
        repository.environment |= {"GL_REPO": name, "GL_USER": "otto"}
    if how == "config":
        repository.git(
            "--git-dir", str(repository.bare), "config", "hookrunner.repository", name
        )
    repository.commit(a="1")

    repository.push("main")

    body = live.seen[0].json
    assert body["repository"]["full_name"] == name
    assert body["pusher"]["name"] == ("otto" if how == "gitolite" else "anna")
