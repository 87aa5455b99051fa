"""What each continuous integration system says of a build."""

import pytest

from hookrunner.kit.ci import Facts, ci_facts

COMMIT = "e1b0a445744fec5e584919711cafd8f4cebdee0e"
ACTIONS = {
    "CI": "true",
    "GITHUB_ACTIONS": "true",
    "GITHUB_EVENT_NAME": "schedule",
    "GITHUB_REF": "refs/heads/main",
    "GITHUB_REF_NAME": "main",
    "GITHUB_REPOSITORY": "ops/bind",
    "GITHUB_RUN_ID": "71",
    "GITHUB_SERVER_URL": "https://git.example.net",
    "GITHUB_SHA": COMMIT,
    "RUNNER_NAME": "runner-3",
}
SYSTEMS = {
    "jenkins": (
        {
            "JENKINS_URL": "https://ci.example.net/",
            "BUILD_CAUSE": "TIMERTRIGGER",
            "BUILD_TAG": "jenkins-docker rbldnsd-55",
            "NODE_NAME": "builder",
            "GIT_URL": "https://git.example.net/ops/bind.git",
            "GIT_COMMIT": COMMIT,
            "GIT_BRANCH": "origin/main",
        },
        ("TIMERTRIGGER", "jenkins-docker rbldnsd-55", "builder"),
    ),
    "github": (ACTIONS, ("TIMERTRIGGER", "github-ops/bind-71", "runner-3")),
    "gitea": (
        ACTIONS | {"GITEA_ACTIONS": "true", "GITHUB_EVENT_NAME": "push"},
        ("SCMTRIGGER", "gitea-ops/bind-71", "runner-3"),
    ),
    "forgejo": (
        ACTIONS | {"FORGEJO_ACTIONS": "true", "GITHUB_EVENT_NAME": "workflow_dispatch"},
        ("MANUALTRIGGER", "forgejo-ops/bind-71", "runner-3"),
    ),
    "gitlab": (
        {
            "GITLAB_CI": "true",
            "CI_PIPELINE_SOURCE": "schedule",
            "CI_PROJECT_PATH": "ops/bind",
            "CI_JOB_ID": "71",
            "CI_RUNNER_DESCRIPTION": "builder",
            "CI_PROJECT_URL": "https://git.example.net/ops/bind",
            "CI_REPOSITORY_URL": "https://gitlab-ci-token:secret@git.example.net/ops/bind.git",
            "CI_COMMIT_SHA": COMMIT,
            "CI_COMMIT_BRANCH": "main",
        },
        ("TIMERTRIGGER", "gitlab-ops/bind-71", "builder"),
    ),
    "woodpecker": (
        {
            "CI": "woodpecker",
            "CI_PIPELINE_EVENT": "cron",
            "CI_PIPELINE_NUMBER": "71",
            "CI_MACHINE": "builder",
            "CI_REPO": "ops/bind",
            "CI_REPO_CLONE_URL": "https://git.example.net/ops/bind.git",
            "CI_COMMIT_SHA": COMMIT,
            "CI_COMMIT_BRANCH": "main",
        },
        ("TIMERTRIGGER", "woodpecker-ops/bind-71", "builder"),
    ),
}


@pytest.mark.parametrize("name", SYSTEMS)
def test_each_systems_variables_become_the_same_facts(name):
    environment, (cause, tag, host) = SYSTEMS[name]

    assert ci_facts(environment) == Facts(
        ci=True,
        cause=cause,
        tag=tag,
        host=host,
        repository="https://git.example.net/ops/bind.git",
        commit=COMMIT,
        branch="main",
    )


def test_a_build_outside_of_any_system_is_a_manual_one():
    assert ci_facts({"CI": "true", "HOME": "/root"}) == Facts(ci=False, cause="MANUAL")


def test_variables_that_are_empty_say_nothing():
    assert ci_facts({"JENKINS_URL": "", "GITLAB_CI": ""}).ci is False


@pytest.mark.parametrize(
    ("changed", "branch"),
    [
        ({"GITHUB_REF": "refs/pull/7/merge", "GITHUB_REF_NAME": "7/merge"}, None),
        ({"GITHUB_REF": "refs/tags/v1", "GITHUB_REF_NAME": "v1"}, None),
    ],
)
def test_a_ref_that_is_no_branch_is_not_called_one(changed, branch):
    assert ci_facts(ACTIONS | changed).branch == branch


def test_a_cause_that_jenkins_has_no_word_for_is_its_own():
    assert ci_facts(ACTIONS | {"GITHUB_EVENT_NAME": "release"}).cause == "RELEASE"
