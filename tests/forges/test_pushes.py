"""What every forge's push comes to."""

import pytest

from hookrunner.forges import FORGES
from hookrunner.model import Push

OLD, NEW, TAGGED = "a" * 40, "b" * 40, "c" * 40
LIKE_GITHUB = [
    name
    for name in FORGES
    if name not in {"bitbucket-cloud", "bitbucket-dc", "azure-devops", "gerrit", "sourcehut"}
]
"""Those whose pushes have the fields of GitHub's."""
NAMING = {name for name, forge in FORGES.items() if forge.push_event} - {"sourcehut"}
"""Those whose header alone names the event."""
each_forge = pytest.mark.parametrize("forge", LIKE_GITHUB)


@pytest.fixture
def decode(send, push_of):
    """The one push of a forge's small push with fields replaced."""

    def make(forge, **changes):
        event = "push"
        if forge == "gitlab" and changes.get("ref", "").startswith("refs/tags/"):
            changes |= {"object_kind": "tag_push"}
            event = "Tag Push Hook"
        (push,) = (
            FORGES[forge].decode(send(forge, push_of(forge, **changes), event=event)).pushes
        )
        return push

    return make


def commit(**changes):
    return {"id": NEW, "added": ["a"], "modified": [], "removed": []} | changes


@each_forge
def test_a_push_has_the_same_fields_whoever_sends_it(forge, decode):
    push = decode(forge)

    assert push == Push(
        repository="ops/docker_bind",
        urls=push.urls,
        default_branch="main",
        ref="refs/heads/main",
        before=OLD,
        after=NEW,
        pusher="jo",
        commits=(NEW,),
        paths=("a", "m", "z"),
    )
    assert push.branch == "main"
    assert "https://git.example.net/ops/docker_bind.git" in push.urls


@each_forge
def test_the_senders_id_is_told(forge, send, push_of):
    decoded = FORGES[forge].decode(send(forge, push_of(forge, delivery="from the body")))

    wanted = {"generic": "from the body", "gitee": None}.get(
        forge, "44840d80-36a8-11e7-89d0-954e94e187c2"
    )
    assert decoded.sender_id == wanted
    assert decoded.forge == forge


@each_forge
def test_no_id_of_the_sender_is_none(forge, send, push_of):
    names = [name for name, _ in send(forge, b"{}").headers if name.endswith("-Delivery")]
    change = dict.fromkeys([*names, "webhook-id", "Idempotency-Key"])

    assert FORGES[forge].decode(send(forge, push_of(forge), change=change)).sender_id is None


@each_forge
@pytest.mark.parametrize("zeros", ["0" * 40, "0" * 64])
def test_zeros_are_no_commit(forge, zeros, decode):
    created = decode(forge, before=zeros)
    deleted = decode(forge, after=zeros, checkout_sha=None, commits=[], total_commits_count=0)

    assert (created.before, created.deleted, created.paths) == (None, False, None)
    assert (deleted.after, deleted.deleted, deleted.paths) == (None, True, None)


@each_forge
def test_ids_of_sha256_repositories_and_upper_case_are_read(forge, decode):
    push = decode(forge, before="A" * 64, after="B" * 64, commits=[commit(id="B" * 64)])

    assert (push.before, push.after, push.commits) == ("a" * 64, "b" * 64, ("b" * 64,))


@each_forge
def test_a_test_delivery_stays_a_push(forge, decode):
    assert decode(forge, before=NEW).is_test


@each_forge
@pytest.mark.parametrize(
    "commits",
    [None, [], [{"id": NEW}], [commit(added=None, modified=None, removed=None)]],
    ids=["null", "none", "no paths", "null paths"],
)
def test_paths_that_are_not_told_are_unknown(forge, commits, decode):
    assert decode(forge, commits=commits, total_commits_count=None).paths is None


@each_forge
def test_null_beside_a_list_is_an_empty_list(forge, decode):
    assert decode(forge, commits=[commit(modified=None, removed=None)]).paths == ("a",)


@each_forge
def test_a_commit_that_changes_nothing_has_no_paths(forge, decode):
    assert decode(forge, commits=[commit(added=[])]).paths == ()


@pytest.mark.parametrize(
    ("forge", "count", "changes"),
    [
        ("github", 2048, {}),
        ("gitlab", 20, {"total_commits_count": 21}),
        ("gitlab", 20, {"total_commits_count": None}),
        ("gitea", 5, {"total_commits": 6}),
        ("gitea", 5, {}),
        ("forgejo", 15, {"total_commits": 16}),
        ("gogs", 5, {}),
        ("gitee", 10, {}),
        ("gitee", 3, {"total_commits_count": 4}),
    ],
)
def test_a_list_that_was_cut_has_unknown_paths(forge, count, changes, decode):
    cut = decode(forge, commits=[commit()] * count, **changes)
    whole = decode(forge, commits=[commit()], **(changes and dict.fromkeys(changes, 1)))

    assert cut.paths is None
    assert len(cut.commits) == count
    assert whole.paths == ("a",)


@pytest.mark.parametrize(("forge", "count"), [("gitea", 5), ("forgejo", 15)])
def test_a_full_list_that_was_not_cut_has_its_paths(forge, count, decode):
    assert decode(forge, commits=[commit()] * count, total_commits=count).paths == ("a",)


def test_a_forced_push_has_unknown_paths(decode):
    assert decode("github", forced=True).paths is None


def test_githubs_flag_alone_is_a_deletion(decode):
    push = decode("github", deleted=True, forced=True)

    assert (push.deleted, push.after) == (True, None)


@pytest.mark.parametrize(
    ("forge", "changes"),
    [
        ("github", {"head_commit": {"id": TAGGED}}),
        ("gitea", {"head_commit": {"id": TAGGED}}),
        ("gitlab", {"checkout_sha": TAGGED}),
    ],
)
def test_a_tag_comes_to_its_commit_and_a_branch_to_its_own(forge, changes, decode):
    assert decode(forge, ref="refs/tags/v1", **changes).after == TAGGED
    assert decode(forge, **changes).after == NEW


@each_forge
def test_a_tag_is_no_branch(forge, decode):
    push = decode(forge, ref="refs/tags/v1")

    assert (push.tag, push.branch) == ("v1", None)


@each_forge
def test_what_is_not_told_is_none(forge, decode):
    bare = {"full_name": "ops/app", "path_with_namespace": "ops/app"}

    push = decode(forge, repository=bare, project=bare, pusher=None, user_username=None)

    assert (push.repository, push.urls) == ("ops/app", ())
    assert (push.default_branch, push.pusher) == (None, None)


@each_forge
def test_urls_that_are_not_the_repositorys_own_are_not_read(forge, decode, push_of):
    other = {
        name: "https://evil.example.net/a/b"
        for name in (
            "url",
            "original_url",
            "mirror_url",
            "link",
            "archive_url",
            "website",
            "homepage",
        )
        if (forge, name) != ("gitlab", "url")
    }
    payload = push_of(forge)

    push = decode(
        forge,
        repository=payload["repository"] | other,
        **({"project": payload["project"] | other} if forge == "gitlab" else {}),
    )

    assert not [url for url in push.urls if "evil" in url]


@pytest.mark.parametrize("forge", sorted(NAMING))
@pytest.mark.parametrize("event", ["issues", "Merge Request Hook", "release"])
def test_another_event_is_ignored_by_name(forge, event, send, push_of):
    """Even with a push for a body: who changes the header gets no run out of it."""
    decoded = FORGES[forge].decode(send(forge, push_of(forge), event=event))

    assert decoded.pushes == ()
    assert event in decoded.ignored
    assert decoded.event == event


@pytest.mark.parametrize("forge", sorted(NAMING))
def test_a_push_without_its_event_is_refused(forge, send, push_of):
    names = [FORGES[forge].push_event[0]]

    with pytest.raises(Exception, match="header") as raised:
        FORGES[forge].decode(send(forge, push_of(forge), change=dict.fromkeys(names)))

    assert raised.value.http_status == 400


def test_githubs_ping_is_told_from_other_events(send):
    for body in ({"zen": "Design for failure.", "hook_id": 1}, {"zen": "", "repository": None}):
        decoded = FORGES["github"].decode(send("github", body, event="ping"))
        assert decoded.ignored.startswith("a ping: ")


def test_the_pusher_of_a_push_without_one_is_the_sender(decode):
    assert decode("github", pusher=None, sender={"login": "mo"}).pusher == "mo"
    assert decode("gitea", pusher={"username": "mo"}).pusher == "mo"


def test_a_generic_push_need_not_tell_what_was_before(send):
    body = {"ref": "refs/heads/main", "after": NEW, "repository": {"full_name": "ops/app"}}

    (push,) = FORGES["generic"].decode(send("generic", body)).pushes

    assert push == Push(repository="ops/app", ref="refs/heads/main", after=NEW)


def system_hook(send, body):
    return FORGES["gitlab"].decode(send("gitlab", body, event="System Hook"))


@pytest.mark.parametrize(
    ("kind", "ref"), [("push", "refs/heads/main"), ("tag_push", "refs/tags/v1")]
)
def test_system_hooks_are_told_by_their_body(kind, ref, send, push_of):
    """They have no object_kind."""
    decoded = system_hook(send, push_of("gitlab", object_kind=None, event_name=kind, ref=ref))

    assert decoded.pushes[0].ref == ref
    assert decoded.event == kind


def test_other_system_hooks_are_ignored_by_name(send):
    for body in ({"event_name": "project_create"}, {"object_kind": "merge_request"}):
        decoded = system_hook(send, body)
        assert next(iter(body.values())) in decoded.ignored


@pytest.mark.parametrize("kind", [None, "tag_push", "note"])
def test_a_body_that_contradicts_gitlabs_event_is_refused(kind, send, push_of):
    payload = push_of("gitlab", object_kind=kind, event_name=None)

    with pytest.raises(Exception, match="Push Hook") as raised:
        FORGES["gitlab"].decode(send("gitlab", payload))

    assert raised.value.http_status == 400


FAMILY = ["forgejo", "gitea", "gogs"]
OF_FAMILY = pytest.mark.parametrize("forge", FAMILY)


@pytest.fixture
def about_ref(send, push_of):
    """A create or delete event of the Gitea family."""

    def make(forge, event, ref, ref_type, **changes):
        repository = push_of(forge)["repository"]
        body = {"ref": ref, "ref_type": ref_type, "repository": repository} | changes
        body |= {"pusher_type": "user"} if event == "delete" else {"sha": NEW}
        body |= {"sender": {"login": "jo"}} | changes
        return FORGES[forge].decode(send(forge, body, event=event))

    return make


@OF_FAMILY
@pytest.mark.parametrize("ref", ["feature/x", "refs/heads/feature/x"])
def test_a_deleted_branch_is_told_by_the_delete_event(forge, ref, about_ref):
    (push,) = about_ref(forge, "delete", ref, "branch").pushes

    assert (push.ref, push.deleted) == ("refs/heads/feature/x", True)
    assert (push.before, push.after, push.pusher) == (None, None, "jo")


@OF_FAMILY
def test_a_created_branch_is_told_by_its_push(forge, about_ref):
    assert "push event tells the same" in about_ref(forge, "create", "x", "branch").ignored


@OF_FAMILY
@pytest.mark.parametrize("ref", ["v1", "refs/tags/v1"])
def test_only_gogs_tells_tags_by_create_and_delete(forge, ref, about_ref):
    created = about_ref(forge, "create", ref, "tag")
    deleted = about_ref(forge, "delete", ref, "tag")

    if forge == "gogs":
        (push,) = created.pushes
        assert (push.ref, push.before, push.after) == ("refs/tags/v1", None, NEW)
        assert push.paths is None
        assert deleted.pushes[0].deleted
    else:
        assert "push event tells the same" in created.ignored
        assert "push event tells the same" in deleted.ignored


@OF_FAMILY
def test_a_create_event_under_the_name_of_another_is_refused(forge, about_ref, send, push_of):
    """Nobody signs the event's name, so a captured body could come under any."""
    created = {
        "sha": NEW,
        "ref": "refs/heads/main",
        "ref_type": "branch",
        "repository": push_of(forge)["repository"],
    }

    for event in ("push", "delete"):
        with pytest.raises(Exception, match=r"before|deletion") as raised:
            FORGES[forge].decode(send(forge, created, event=event))
        assert raised.value.http_status == 400
    with pytest.raises(Exception, match="ref_type"):
        FORGES[forge].decode(send(forge, push_of(forge), event="delete"))
    with pytest.raises(Exception, match="ref_type"):
        about_ref(forge, "delete", "x", "bookmark")
