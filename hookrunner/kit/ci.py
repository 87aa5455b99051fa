"""What a continuous integration system says of the build that runs in it.

Every system has its own variables; a build's cause is told in one vocabulary, that of the
article (Jenkins' ``TIMERTRIGGER``), so that one question fits the images of all.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

MANUAL = "MANUAL"
"""The cause of a build that somebody started by hand, outside of any system."""

_CAUSES = {
    "push": "SCMTRIGGER",
    "tag": "SCMTRIGGER",
    "pull_request": "SCMTRIGGER",
    "pull_request_target": "SCMTRIGGER",
    "merge_request_event": "SCMTRIGGER",
    "external_pull_request_event": "SCMTRIGGER",
    "schedule": "TIMERTRIGGER",
    "cron": "TIMERTRIGGER",
    "web": "MANUALTRIGGER",
    "manual": "MANUALTRIGGER",
    "workflow_dispatch": "MANUALTRIGGER",
    "api": "REMOTECAUSE",
    "trigger": "REMOTECAUSE",
    "repository_dispatch": "REMOTECAUSE",
    "pipeline": "UPSTREAMTRIGGER",
    "parent_pipeline": "UPSTREAMTRIGGER",
    "workflow_run": "UPSTREAMTRIGGER",
    "workflow_call": "UPSTREAMTRIGGER",
}
"""Events of GitHub, Forgejo and Gitea, GitLab and Woodpecker, as Jenkins' causes. Any other
is its own name in capitals."""


class Facts(NamedTuple):
    """What a system says; None where it does not.

    Attributes:
        tag: The system's own name of the build: ``jenkins-docker rbldnsd-55``.
        host: Where it is built.
    """

    ci: bool
    cause: str
    tag: str | None = None
    host: str | None = None
    repository: str | None = None
    commit: str | None = None
    branch: str | None = None


def ci_facts(environment: Mapping[str, str]) -> Facts:
    """Find out which system runs the build, and what it says.

    Args:
        environment: The build's own.
    """
    said = {name: value for name, value in environment.items() if value}
    for is_it, facts in _SYSTEMS:
        if is_it(said):
            return facts(said)
    return Facts(ci=False, cause=MANUAL)


def _cause(event: str | None) -> str:
    return _CAUSES.get(event, event.upper()) if event else "UNKNOWN"


def _build_tag(name: str, *parts: str | None) -> str:
    return "-".join((name, *(part for part in parts if part)))


def _jenkins(said: Mapping[str, str]) -> Facts:
    """Jenkins: the cause comes from its EnvInject plugin, where that is installed.

    Source:
        https://www.jenkins.io/doc/book/pipeline/jenkinsfile/#using-environment-variables
        https://plugins.jenkins.io/envinject/
    """
    branch = said.get("GIT_BRANCH", said.get("BRANCH_NAME"))
    return Facts(
        ci=True,
        cause=said.get("ROOT_BUILD_CAUSE") or said.get("BUILD_CAUSE") or "UNKNOWN",
        tag=said.get("BUILD_TAG"),
        host=said.get("NODE_NAME"),
        repository=said.get("GIT_URL"),
        commit=said.get("GIT_COMMIT"),
        branch=branch.removeprefix("origin/") if branch else None,
    )


def _actions(name: str) -> Callable[[Mapping[str, str]], Facts]:
    """GitHub Actions, and those that speak its language.

    Source:
        https://docs.github.com/en/actions/reference/workflows-and-actions/variables
        https://forgejo.org/docs/latest/user/actions/reference/
    """

    def facts(said: Mapping[str, str]) -> Facts:
        server, repository = said.get("GITHUB_SERVER_URL"), said.get("GITHUB_REPOSITORY")
        on_branch = said.get("GITHUB_REF", "").startswith("refs/heads/")
        return Facts(
            ci=True,
            cause=_cause(said.get("GITHUB_EVENT_NAME")),
            tag=_build_tag(
                name, repository, said.get("GITHUB_RUN_ID") or said.get("GITHUB_RUN_NUMBER")
            ),
            host=said.get("RUNNER_NAME"),
            repository=f"{server}/{repository}.git" if server and repository else None,
            commit=said.get("GITHUB_SHA"),
            branch=said.get("GITHUB_REF_NAME") if on_branch else None,
        )

    return facts


def _gitlab(said: Mapping[str, str]) -> Facts:
    """GitLab CI: ``CI_REPOSITORY_URL`` holds a token, so the project's own address is taken.

    Source:
        https://docs.gitlab.com/ci/variables/predefined_variables/
    """
    url = said.get("CI_PROJECT_URL")
    return Facts(
        ci=True,
        cause=_cause(said.get("CI_PIPELINE_SOURCE")),
        tag=_build_tag("gitlab", said.get("CI_PROJECT_PATH"), said.get("CI_JOB_ID")),
        host=said.get("CI_RUNNER_DESCRIPTION"),
        repository=f"{url}.git" if url else None,
        commit=said.get("CI_COMMIT_SHA"),
        branch=said.get("CI_COMMIT_BRANCH"),
    )


def _woodpecker(said: Mapping[str, str]) -> Facts:
    """Woodpecker; its branch is a pull request's target where there is one.

    Source:
        https://woodpecker-ci.org/docs/usage/environment
    """
    event = said.get("CI_PIPELINE_EVENT")
    return Facts(
        ci=True,
        cause=_cause(event),
        tag=_build_tag("woodpecker", said.get("CI_REPO"), said.get("CI_PIPELINE_NUMBER")),
        host=said.get("CI_MACHINE"),
        repository=said.get("CI_REPO_CLONE_URL"),
        commit=said.get("CI_COMMIT_SHA"),
        branch=said.get("CI_COMMIT_BRANCH") if event in {"push", "cron", "manual"} else None,
    )


_SYSTEMS: tuple[
    tuple[Callable[[Mapping[str, str]], bool], Callable[[Mapping[str, str]], Facts]], ...
] = (
    (lambda said: "JENKINS_URL" in said or "JENKINS_HOME" in said, _jenkins),
    (lambda said: "FORGEJO_ACTIONS" in said, _actions("forgejo")),
    (lambda said: "GITEA_ACTIONS" in said, _actions("gitea")),
    (lambda said: said.get("GITHUB_ACTIONS") == "true", _actions("github")),
    (lambda said: said.get("GITLAB_CI") == "true", _gitlab),
    (lambda said: said.get("CI") == "woodpecker", _woodpecker),
)
"""The first that says yes counts: Forgejo and Gitea set GitHub's variables as well."""
