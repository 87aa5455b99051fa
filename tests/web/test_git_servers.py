"""Real pushes to real git servers, which tell the real server by the post-receive hook."""

import asyncio
import os
import shutil
import subprocess
import sys
from base64 import b64encode
from pathlib import Path

import pytest
from http_backend import BACKEND, serving

pytestmark = pytest.mark.process

GITOLITE = Path(sys.prefix) / "gitolite"
"""Where `tests/run` unpacks Debian's package."""
CONFIG = """\
sources:
  bare:
    forge: generic
    secret_env: SECRET
    repositories: ["ops/*"]
    url: "https://git.example.net/{repository}"
"""
SECRET = "a secret of the tests, long enough"
LIMIT = 60.0
"""Seconds for one command, also on a busy machine."""
FAKE_SSH = """\
#!/bin/sh
# gitolite's shell as sshd would start it: the last argument is the command.
for last; do :; done
SSH_ORIGINAL_COMMAND=$last SSH_CONNECTION='127.0.0.1 1 127.0.0.1 22' \\
  exec '{shell}' alice
"""


class GitServer:
    """A git server with the repository ops/www, and a clone that pushes to it."""

    def __init__(self, folder):
        self.folder = folder
        self.work = folder / "work"
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "USER": "anna",
            "LC_ALL": "C.UTF-8",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            **{f"GIT_{who}_NAME": "Anna" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "anna@example.net" for who in ("AUTHOR", "COMMITTER")},
        }
        self.work.mkdir()
        self.run("git", "config", "--global", "init.defaultBranch", "main")
        self.run("git", "init", "-q", at=self.work)

    def run(self, *words, at=None):
        done = subprocess.run(
            words,
            cwd=at or self.folder,
            env=self.environment,
            capture_output=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout.decode().strip(), done.stderr.decode()

    def git(self, *words):
        return self.run("git", *words, at=self.work)[0]

    def push(self, *words):
        return self.run("git", "push", "-q", "origin", *words, at=self.work)[1]

    def commit(self, text):
        (self.work / "file").write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        return self.git("rev-parse", "HEAD")

    def install(self, path, hook):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(hook)
        path.chmod(0o700)


@pytest.fixture
def http_backend(tmp_path):
    """git http-backend behind a web server, which says who pushes."""
    if not BACKEND.exists():
        pytest.skip(f"git is not installed, or has no {BACKEND}")
    server = GitServer(tmp_path)
    bare = tmp_path / "srv/ops/www.git"
    server.run("git", "init", "-q", "--bare", str(bare))
    server.run("git", "config", "http.receivepack", "true", at=bare)
    server.set_hook = lambda hook: server.install(bare / "hooks/post-receive", hook)
    with serving(tmp_path / "srv", server.environment) as url:
        server.git("remote", "add", "origin", f"{url}/ops/www.git")
        yield server


@pytest.fixture
def gitolite(tmp_path):
    """gitolite3, as Debian has it, without sshd: its shell is started as sshd would."""
    if not (GITOLITE / "usr/bin/gitolite").exists():
        pytest.skip(f"no gitolite in {GITOLITE}: tests/run unpacks it there")
    if not shutil.which("ssh-keygen"):
        pytest.skip("no ssh-keygen, by which gitolite checks keys")
    server = GitServer(tmp_path)
    share = tmp_path / "gitolite"
    shutil.copytree(GITOLITE / "usr/share/gitolite3", share)
    shutil.copy(GITOLITE / "usr/bin/gitolite", share / "gitolite")
    for name in ("gitolite", "gitolite-shell"):
        text = (share / name).read_text()
        (share / name).write_text(text.replace("/usr/share/gitolite3", str(share)))
    wire = b"".join(len(p).to_bytes(4, "big") + p for p in (b"ssh-ed25519", bytes(range(32))))
    (tmp_path / "alice.pub").write_text(f"ssh-ed25519 {b64encode(wire).decode()} alice\n")
    server.run(str(share / "gitolite"), "setup", "-pk", "alice.pub")
    config = tmp_path / ".gitolite/conf/gitolite.conf"
    config.write_text("repo ops/www\n    RW+ = alice\n")
    server.run(str(share / "gitolite"), "compile")
    server.run(str(share / "gitolite"), "trigger", "POST_COMPILE")
    ssh = tmp_path / "ssh"
    server.install(ssh, FAKE_SSH.format(shell=share / "gitolite-shell"))
    server.environment |= {"GIT_SSH": str(ssh), "GIT_SSH_VARIANT": "simple"}
    server.git("remote", "add", "origin", "git@gitolite.example.net:ops/www")

    def set_hook(hook):
        server.install(tmp_path / ".gitolite/hooks/common/post-receive", hook)
        server.run(str(share / "gitolite"), "setup", "--hooks-only")

    server.set_hook = set_hook
    return server


def hook_for(client, folder):
    """What `hookrunner hook` prints."""
    config = folder / "hookrunner.yaml"
    config.write_text(CONFIG)
    words = ["--url", f"{client.url}/hooks/bare", "--wait", "0s", "--config", str(config)]
    done = subprocess.run(
        [sys.executable, "-m", "hookrunner", "hook", "bare", *words],
        env=os.environ | {"SECRET": SECRET},
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=True,
    )
    return done.stdout


@pytest.mark.parametrize("kind", ["http_backend", "gitolite"])
async def test_every_kind_of_push_is_told(kind, request, door, tmp_path):
    """Create, update, several refs at once, force, delete."""
    server = request.getfixturevalue(kind)

    def pushes():
        first = server.commit("one")
        server.push("main")
        second = server.commit("two")
        server.push("main")
        server.git("checkout", "-q", "-b", "feature/x")
        third = server.commit("three")
        server.git("tag", "v1", second)
        server.git("tag", "-a", "-m", "two", "v2", third)
        server.push("feature/x", "v1", "v2")
        server.git("reset", "-q", "--hard", first)
        fourth = server.commit("another three")
        server.push("--force", "feature/x")
        annotated = server.git("rev-parse", "v2")
        server.push("--delete", "feature/x", "v1", "v2")
        return [
            [("refs/heads/main", None, first)],
            [("refs/heads/main", first, second)],
            [
                ("refs/heads/feature/x", None, third),
                ("refs/tags/v1", None, second),
                ("refs/tags/v2", None, third),
            ],
            [("refs/heads/feature/x", third, fourth)],
            [
                ("refs/heads/feature/x", fourth, None),
                ("refs/tags/v1", second, None),
                ("refs/tags/v2", annotated, None),
            ],
        ]

    async with door(CONFIG, SECRET=SECRET) as client:
        server.set_hook(await asyncio.to_thread(hook_for, client, tmp_path))
        wanted = await asyncio.to_thread(pushes)
        _, listed = await client.api("GET", "/api/v1/deliveries?limit=50")
        kept = [
            (await client.api("GET", f"/api/v1/deliveries/{one['id']}"))[1]
            for one in reversed(listed["items"])
        ]
        runs = await client.runs()

    told = [(p["ref"], p["before"], p["after"]) for one in kept for p in one["pushes"]]
    for group in wanted:
        seen, told = told[: len(group)], told[len(group) :]
        assert sorted(seen) == sorted(group)
    assert told == []
    assert {one["repository"] for one in kept} == {"ops/www"}
    assert {one["forge"] for one in kept} == {"generic"}
    assert len(runs) == 4  # the branches that are there
