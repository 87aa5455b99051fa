"""git asks another server, and neither for a password nor for more than it may."""

import asyncio
import os
import socket
import subprocess
from base64 import b64encode

import pytest
from author import GIT
from http_backend import BACKEND, serving

from hookrunner.adapters.git import Identity, ls_remote
from hookrunner.errors import OutgoingError

pytestmark = pytest.mark.process

MAIN = "refs/heads/main"
NOBODY = Identity()
LIMIT = 60.0
SSH = """\
#!/bin/sh
# What a server would do that has no other repository.
printf '%s\\n' "$@" >"$HOME/asked"
exec git-upload-pack "$HOME/ops/bind.git"
"""


def git(*words, at):
    done = subprocess.run(
        ["git", *words],
        cwd=at,
        env=os.environ | GIT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip()


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A user's home, with the repository ops/bind.git and its commit."""
    git("init", "-q", "-b", "main", "work", at=tmp_path)
    git("commit", "-q", "--allow-empty", "-m", "first", at=tmp_path / "work")
    git("clone", "-q", "--bare", "work", "ops/bind.git", at=tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def head(home):
    return git("rev-parse", "HEAD", at=home / "work")


@pytest.fixture
def certified(home, certify):
    """The home of a user who trusts a certificate that is there."""
    if not BACKEND.exists():
        pytest.skip(f"no {BACKEND}")
    certify(home)
    git("config", "--file", ".gitconfig", "http.sslCAInfo", str(home / "pem"), at=home)
    return home


@pytest.fixture
def served(certified):
    """The URL of a server of the home's repositories, for who has the token."""
    home = certified
    told = b64encode(b"git:a token of the tests").decode()
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    with serving(
        home, environment, certificate=home / "both", authorization=f"Basic {told}"
    ) as url:
        yield url


def commands():
    done = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True)
    return done.stdout


async def refused(url, *refs, identity=NOBODY, limit=LIMIT):
    with pytest.raises(OutgoingError) as error:
        await ls_remote(url, refs or [MAIN], identity=identity, limit=limit)
    return str(error.value)


async def test_https_is_asked_with_the_operators_token_and_certificates(served, head):
    identity = Identity(token="a token of the tests")

    told = await ls_remote(
        f"{served}/ops/bind.git", [MAIN, "refs/heads/none"], identity=identity, limit=LIMIT
    )

    assert told == f"{head}\t{MAIN}\n"


async def test_without_the_right_token_nobody_is_asked_for_one(served):
    wrong = Identity(token="another token of the tests")

    for identity in (NOBODY, wrong):
        why = await refused(f"{served}/ops/bind.git", identity=identity)
        assert "Authentication failed" in why or "could not read Username" in why
        assert "token" not in why


async def test_the_users_own_credential_helper_counts(served, home, head):
    helper = "!f() { echo username=git; echo 'password=a token of the tests'; }; f"
    git("config", "--file", ".gitconfig", "credential.helper", helper, at=home)

    told = await ls_remote(f"{served}/ops/bind.git", [MAIN], identity=NOBODY, limit=LIMIT)

    assert told.startswith(head)


async def test_ssh_is_asked_with_the_operators_key_and_asks_nothing_itself(home, head):
    program = home / "bin/ssh"
    program.parent.mkdir()
    program.write_text(SSH)
    program.chmod(0o755)

    told = await ls_remote(
        "ssh://git@git.example.net:2222/ops/bind.git",
        [MAIN],
        identity=Identity(ssh_key="/etc/hook runner/it's key"),
        limit=LIMIT,
    )

    asked = (home / "asked").read_text().splitlines()
    assert told == f"{head}\t{MAIN}\n"
    assert "BatchMode=yes" in asked
    assert asked[asked.index("-i") + 1] == "/etc/hook runner/it's key"
    assert asked[-2:] == ["git@git.example.net", "git-upload-pack '/ops/bind.git'"]


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("ext::touch {home}/made", "not allowed"),
        ("file://{home}/ops/bind.git", "not allowed"),
        ("{home}/ops/bind.git", "not allowed"),
        ("--upload-pack=touch {home}/made", "strange pathname"),
        ("http://127.0.0.1:9/ops/bind.git", "not allowed"),
        ("git://127.0.0.1:9/ops/bind.git", "not allowed"),
    ],
)
async def test_nothing_but_https_and_ssh_is_spoken_and_no_address_is_an_option(home, url, word):
    why = await refused(url.format(home=home))

    assert word in why
    assert not (home / "made").exists()


async def test_a_server_that_says_nothing_is_left_and_nothing_stays():
    silent = socket.create_server(("127.0.0.1", 0))
    address = f"https://127.0.0.1:{silent.getsockname()[1]}/ops/bind.git"

    async with asyncio.timeout(LIMIT):
        why = await refused(address, limit=0.3)

    assert why == "no answer within 0.3 s"
    assert address not in commands()
    silent.close()


async def test_a_redirect_leads_nowhere(certified):
    home = certified
    with serving(home, {"PATH": os.environ["PATH"]}, certificate=home / "both") as open_to_all:
        there = f"{open_to_all}/ops/bind.git"
        assert await ls_remote(there, [MAIN], identity=NOBODY, limit=LIMIT)
        with serving(home, {}, certificate=home / "both", moved_to=open_to_all) as old:
            why = await refused(f"{old}/ops/bind.git")

    assert "302" in why
