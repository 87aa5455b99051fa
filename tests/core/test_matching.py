"""Which containers a push reaches, rule by rule, with the reasons."""

from datetime import UTC, datetime

import nouns
import pytest
from msgspec.structs import replace

from hookrunner.config import Config, Project, Source
from hookrunner.core.history import Binding, History, known_push
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known, match, short_name
from hookrunner.core.repository import host_aliases
from hookrunner.model import Metadata, Push

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
A, B, C, D = ("abcd"[n] * 40 for n in range(4))
URL = "https://git.example.net/ops/docker_bind.git"
OPS = Source(secrets=(), repositories=("ops/*",))
ANYONE = Source(secrets=(), repositories=("*/*",))


def make_container(name="dns", **keys):
    facts = {k: keys.pop(k) for k in ("dirty", "methods", "current_gitref") if k in keys}
    return nouns.make_container(name, keys, **{"current_gitref": keys.get("gitref")} | facts)


def make_push(**more):
    return Push(
        **{
            "repository": "ops/docker_bind",
            "ref": "refs/heads/main",
            "urls": (URL,),
            "before": A,
            "after": B,
            "commits": (B,),
            "default_branch": "main",
        }
        | more
    )


def known(*containers, bindings=(), pushes=(), **config):
    inventory = Inventory(host_aliases(config.get("hosts", {})))
    for container in containers:
        inventory.put(container)
    history = History(
        known_push(
            push, key="git.example.net/ops/docker_bind", push_id=f"{n:03}", delivery="d", at=NOW
        )
        for n, push in enumerate(pushes)
    )
    return Known(
        config=Config(**config),
        inventory=inventory,
        history=history,
        bindings={binding.project: binding for binding in bindings},
    )


def judge(push, where, source=OPS, **options):
    found = match(push, source, where, **options)
    assert found.ignored is None, found.ignored
    return found.verdicts[0] if found.verdicts else None


@pytest.mark.parametrize(
    ("push", "reason"),
    [
        (make_push(repository="evil/x", urls=("https://git.example.net/evil/x",)), "may not"),
        (make_push(deleted=True, after=None), "was deleted"),
        (make_push(before=B), "a test delivery"),
        (make_push(ref="refs/tags/v1"), "is a tag"),
        (make_push(ref="refs/notes/x"), "neither a branch nor a tag"),
    ],
)
def test_what_counts_for_nothing_says_why(push, reason):
    found = match(push, OPS, known(make_container(git_repo=URL)))

    assert reason in found.ignored
    assert found.targets == []


def test_a_url_that_the_source_may_not_speak_for_is_not_used():
    push = make_push(urls=("https://git.example.net/evil/bind", URL))
    theirs = make_container("theirs", git_repo="https://git.example.net/evil/bind")
    ours = make_container("ours", git_repo=URL)

    found = match(push, OPS, known(theirs, ours))

    assert [verdict.container for verdict in found.targets] == ["ours"]


@pytest.mark.parametrize(
    "git_repo",
    [
        "git@git.example.net:ops/docker_bind.git",
        "ssh://git@git.example.net:2222/ops/docker_bind",
        "https://user@GIT.example.net/Ops/docker_bind.git/",
        "git@ssh.git.example.net:ops/docker_bind",
    ],
)
def test_every_form_of_its_url_is_the_same_repository(git_repo):
    verdict = judge(make_push(), known(make_container(git_repo=git_repo)))

    assert (verdict.target, verdict.rule) == (True, "git_repo")


def test_file_urls_and_absolute_paths_are_one_and_a_source_gives_the_url():
    source = Source(secrets=(), repositories=("ops/*",), url="file:///srv/git/{repository}.git")
    container = make_container(git_repo="/srv/git/ops/docker_bind.git")

    assert judge(make_push(urls=()), known(container), source).target


def test_a_path_alone_never_matches_across_hosts_unless_they_are_one():
    container = make_container(git_repo="https://mirror.example.org/ops/docker_bind")

    verdict = judge(make_push(), known(container))
    assert not verdict.target
    assert "mirror.example.org" in verdict.reason
    assert "hosts:" in verdict.remedy

    hosts = {"git.example.net": ("mirror.example.org",)}
    assert judge(make_push(), known(container, hosts=hosts)).target


def test_the_configuration_alone_counts_where_it_binds_a_project():
    container = make_container(project="bind", git_repo=URL)
    bound = {"bind": Project(repositories=("ops/other",))}

    verdict = judge(make_push(), known(container, projects=bound))
    assert not verdict.target
    assert "projects.bind.repositories" in verdict.remedy

    bound = {"bind": Project(repositories=("ops/docker_*",))}
    elsewhere = replace(container, metadata=Metadata(keys={"project": "bind"}))
    assert judge(make_push(), known(elsewhere, projects=bound)).rule == "configured"


@pytest.mark.parametrize("gitref", [A, B])
def test_a_container_of_this_history_belongs(gitref):
    push = make_push(repository="ops/x", urls=("https://git.example.net/ops/x",), commits=(B,))
    container = make_container(project="dns", gitref=gitref, current_gitref=A)

    verdict = judge(push, known(container))

    assert (verdict.target, verdict.rule) == (True, "gitref")
    assert verdict.reason.startswith("gitref")


def test_forks_share_commits_and_names_so_a_source_for_any_owner_reaches_nothing_by_them():
    container = make_container(project="bind", gitref=A)

    verdict = judge(make_push(), known(container), ANYONE)

    assert not verdict.target
    assert "any owner" in verdict.reason
    assert "hookrunner.repository" in verdict.remedy


def test_a_project_that_belongs_to_another_repository_is_not_taken_by_a_commit():
    binding = Binding(project="dns", repository="git.example.net/ops/dns", rule="git_repo")
    container = make_container(project="dns", gitref=A)

    assert not judge(make_push(), known(container, bindings=[binding])).target


def test_a_match_by_commit_is_remembered_for_the_project():
    binding = Binding(
        project="dns", repository="git.example.net/ops/docker_bind", rule="gitref"
    )
    container = make_container(project="dns", gitref=D)

    verdict = judge(make_push(), known(container, bindings=[binding]))

    assert (verdict.target, verdict.rule) == (True, "gitref")


@pytest.mark.parametrize(
    "keys", [{"project": "bind"}, {"project": "docker_bind"}, {"image_name": "ops/docker_bind"}]
)
def test_a_project_of_the_repositorys_name_belongs(keys):
    verdict = judge(make_push(), known(make_container(**keys)))

    assert (verdict.target, verdict.rule) == (True, "project")


def test_names_and_commits_do_not_count_where_the_container_names_its_repository():
    container = make_container(
        project="bind", gitref=A, git_repo="https://git.example.net/ops/other"
    )

    verdict = judge(make_push(), known(container))

    assert not verdict.target


def test_prefixes_fall_away_from_the_repositorys_name():
    assert short_name("ops/docker_bind", ["docker_", "docker-"]) == "bind"
    assert short_name("ops/docker_", ["docker_"]) == "docker_"


@pytest.mark.parametrize(
    ("keys", "config", "ref", "default", "target"),
    [
        ({"git_branch": "main"}, None, "main", "main", True),
        ({"git_branch": "main"}, None, "topic", "main", False),
        ({"git_branch": "main"}, "topic", "topic", "main", True),
        ({}, None, "trunk", "trunk", True),
        ({}, None, "master", None, True),
        ({}, None, "main", None, True),
        ({}, None, "topic", None, False),
    ],
)
def test_the_branch_is_the_first_that_is_named(keys, config, ref, default, target):
    container = make_container(project="bind", git_repo=URL, **keys)
    push = make_push(ref=f"refs/heads/{ref}", default_branch=default)
    projects = {"bind": Project(branch=config)} if config else {}

    verdict = judge(push, known(container, projects=projects))

    assert verdict.target is target
    if not target:
        assert "follows the branch" in verdict.reason
        assert "hookrunner.branch" in verdict.remedy


def test_tags_count_where_the_project_says_so():
    push = make_push(ref="refs/tags/v1", before=None)
    yes = make_container("yes", project="bind", git_repo=URL)
    no = make_container("no", project="other", git_repo=URL)

    found = match(push, OPS, known(yes, no, projects={"bind": Project(tags=True)}))

    assert [(v.container, v.target) for v in found.verdicts] == [("yes", True), ("no", False)]
    assert "tags: true" in found.verdicts[1].remedy


@pytest.mark.parametrize(
    ("paths", "target"),
    [(("zones/a",), True), (("README",), False), (None, True), ((), False)],
)
def test_paths_narrow_and_fail_open(paths, target):
    container = make_container(project="bind", git_repo=URL, paths=["zones/**"])

    verdict = judge(make_push(paths=paths), known(container))

    assert verdict.target is target


def test_what_serves_the_push_is_skipped_unless_forced_or_dirty():
    container = make_container(git_repo=URL, current_gitref=B)

    verdict = judge(make_push(), known(container))
    assert (verdict.target, verdict.skipped) == (True, True)
    assert "already serves" in verdict.reason
    assert not judge(make_push(), known(container), force=True).skipped
    assert not judge(make_push(), known(replace(container, dirty=True))).skipped


def test_what_serves_a_newer_push_is_skipped():
    container = make_container(git_repo=URL, current_gitref=C)
    newer = make_push(before=B, after=C, commits=(C,))

    verdict = judge(make_push(), known(container, pushes=[make_push(), newer]))

    assert verdict.skipped


def test_without_an_update_method_it_is_skipped():
    container = make_container(git_repo=URL, methods=frozenset())

    verdict = judge(make_push(), known(container))

    assert verdict.skipped
    assert "no update method" in verdict.reason


def test_containers_with_nothing_in_common_are_only_counted():
    found = match(
        make_push(),
        OPS,
        known(make_container(git_repo=URL), make_container("web", project="w")),
    )

    assert (len(found.verdicts), found.others) == (1, 1)


def test_a_name_without_a_url_has_to_fit_the_whole_pattern():
    theirs = make_push(repository="evil/ops/docker_bind", urls=())
    ours = make_push(urls=())
    where = known(make_container(project="bind"))

    assert "may not speak" in match(theirs, OPS, where).ignored
    assert judge(ours, where).rule == "project"


def test_a_git_repo_that_cannot_be_read_is_one_still_so_names_and_commits_do_not_count():
    container = make_container(project="bind", gitref=A, git_repo="../docker_bind")

    verdict = judge(make_push(), known(container))

    assert not verdict.target
    assert "names no repository" in verdict.reason
    assert "hookrunner.repository" in verdict.remedy


def test_what_only_others_of_its_project_showed_is_a_near_miss_that_says_so():
    binding = Binding(
        project="dns", repository="git.example.net/ops/docker_bind", rule="git_repo"
    )

    verdict = judge(make_push(), known(make_container(project="dns"), bindings=[binding]))

    assert not verdict.target
    assert "shares no commit" in verdict.reason
    assert verdict.remedy


def test_a_project_is_found_by_a_directorys_name():
    source = Source(secrets=(), repositories=("/srv/git/ops/*",))
    push = make_push(urls=("/srv/git/ops/docker_bind.git",))

    assert judge(push, known(make_container(project="bind")), source).rule == "project"


def test_a_commit_comes_before_a_name():
    verdict = judge(make_push(), known(make_container(project="bind", gitref=A)))

    assert verdict.rule == "gitref"


@pytest.mark.parametrize("repository", [None, "git@mirror.example.org:ops/docker_bind"])
def test_a_checkout_follows_its_own_branch_also_under_another_name_of_its_host(repository):
    checkout = {"path": "/srv", "repository": repository, "branch": "live"}
    container = make_container(git_repo=URL, checkouts=[checkout])
    hosts = {"git.example.net": ("mirror.example.org",)}

    verdicts = [
        judge(make_push(ref=f"refs/heads/{branch}"), known(container, hosts=hosts))
        for branch in ("live", "main")
    ]

    assert [verdict.target for verdict in verdicts] == [True, False]


def test_every_no_says_what_to_do_about_it():
    idle = make_container("idle", git_repo=URL, project="idle", methods=frozenset())
    current = make_container("current", git_repo=URL, gitref=B)
    other = make_container("other", git_repo=URL, git_branch="dev", project="other")
    fork = make_container("fork", git_repo="https://else.example.net/ops/docker_bind")
    alike = make_container("alike", git_repo="https://git.example.net/me/x", project="bind")

    found = match(make_push(), OPS, known(idle, current, other, fork, alike))

    told = {v.container: (v.reason, v.remedy or "") for v in found.verdicts}
    assert set(told) == {"idle", "current", "other", "fork", "alike"}
    assert all(remedy for _, remedy in told.values()), told
    assert "projects.idle.update" in told["idle"][1]
    assert "update --force container:current" in told["current"][1]
    assert told["other"][0] == "it follows the branch dev, the push is to main"
    assert "projects.other.branch" in told["other"][1]
