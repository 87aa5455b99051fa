"""Requests and payloads for the tests of forges."""

import json
from pathlib import Path

import pytest
import senders
from senders import DELIVERIES, INSTANCE, SECRET


@pytest.fixture(scope="session")
def send():
    """A function: a request as a forge sends it."""
    return senders.send


LIKE_GITHUB = {
    *("forgejo", "gitea", "gogs", "gitlab", "github", "gitee", "standard-webhooks", "generic")
}
"""Those whose pushes have the fields of GitHub's."""


@pytest.fixture(scope="session")
def instance_key():
    """The public key of an instance of SourceHut."""
    return bytes(INSTANCE.verify_key)


@pytest.fixture(scope="session")
def secret():
    return SECRET


@pytest.fixture(scope="session")
def fixtures():
    """Payloads that nobody here wrote; they are read where they are and never copied."""
    folder = Path(__file__).parents[2].parent / "shared" / "fixtures"
    if not folder.is_dir():
        pytest.skip(f"not in this checkout: payloads ({folder})")
    return folder


def _github_like(**changes):
    return {
        "ref": "refs/heads/main",
        "before": "a" * 40,
        "after": "b" * 40,
        "repository": {
            "full_name": "ops/docker_bind",
            "html_url": "https://git.example.net/ops/docker_bind",
            "ssh_url": "git@git.example.net:ops/docker_bind.git",
            "clone_url": "https://git.example.net/ops/docker_bind.git",
            "default_branch": "main",
        },
        "pusher": {"name": "jo", "login": "jo"},
        "commits": [{"id": "b" * 40, "added": ["z"], "modified": ["a", "m"], "removed": ["m"]}],
    } | changes


def _gitlab_like(**changes):
    plain = _github_like()
    return {
        "object_kind": "push",
        "event_name": "push",
        "ref": plain["ref"],
        "before": plain["before"],
        "after": plain["after"],
        "checkout_sha": plain["after"],
        "user_username": "jo",
        "project": {
            "path_with_namespace": "ops/docker_bind",
            "web_url": "https://git.example.net/ops/docker_bind",
            "git_ssh_url": "git@git.example.net:ops/docker_bind.git",
            "git_http_url": "https://git.example.net/ops/docker_bind.git",
            "default_branch": "main",
        },
        "repository": {"homepage": "https://git.example.net/ops/docker_bind"},
        "commits": plain["commits"],
        "total_commits_count": 1,
    } | changes


@pytest.fixture(scope="session")
def push_of():
    """A small push, as each forge has it, with fields replaced."""

    def make(forge, **changes):
        if forge not in LIKE_GITHUB:
            return json.loads((DELIVERIES / forge / "push.json").read_text())["body"] | changes
        return _gitlab_like(**changes) if forge == "gitlab" else _github_like(**changes)

    return make
