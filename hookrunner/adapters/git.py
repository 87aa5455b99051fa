"""git as a program: what the branches of a repository elsewhere are at.

It asks nobody for a password, speaks https and ssh alone, follows no redirect, and is
stopped with all that it started when its time is over.
"""

import asyncio
import base64
import os
import shlex
import signal
from collections.abc import Iterable
from contextlib import suppress
from urllib.parse import urlsplit

import msgspec

from hookrunner.errors import OutgoingError

_LIMIT = 64 * 2**10
"""Bytes of an answer that are read: a line is some 70."""
_KEPT = (
    *("PATH", "HOME", "USER", "LOGNAME", "SSH_AUTH_SOCK", "XDG_CONFIG_HOME"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE"),
)
"""What of our environment git and ssh get: how they find their settings, and the way out."""


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """As whom a git server is asked; without anything, as git and ssh are set up.

    Attributes:
        token: For https, with `user`.
        ssh_key: A file.
    """

    user: str = "git"
    token: str | None = None
    ssh_key: str | None = None


async def ls_remote(url: str, refs: Iterable[str], *, identity: Identity, limit: float) -> str:
    """Ask a git server for refs.

    Args:
        url: Of https or ssh.
        refs: Full names.
        limit: Seconds after which it is stopped.

    Returns:
        What git printed: a commit, a tab and a ref in each line.

    Raises:
        OutgoingError: There is no answer, or no git.
    """
    try:
        process = await asyncio.create_subprocess_exec(
            *("git", "ls-remote", "--refs", "--", url, *refs),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=_environment(url, identity),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise OutgoingError(f"git cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(limit):
            told, wrong, code = await asyncio.gather(
                _read(process.stdout), _read(process.stderr), process.wait()
            )
    except TimeoutError as error:
        raise OutgoingError(f"no answer within {limit:g} s") from error
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
    if code:
        raise OutgoingError(_reason(wrong) or f"git ended with {code}")
    return told


async def _read(stream: asyncio.StreamReader | None) -> str:
    """The beginning of a stream, once all of it came."""
    kept = b""
    while stream is not None and (data := await stream.read(_LIMIT)):
        kept += data[: _LIMIT - len(kept)]
    return kept.decode(errors="replace")


def _reason(wrong: str) -> str:
    """The line in which git says what is wrong, the last one if none is marked."""
    lines = [line.strip() for line in wrong.splitlines() if line.strip()]
    marked = [line for line in lines if line.startswith(("fatal: ", "ssh: ", "ERROR: "))]
    return (marked or lines[-1:] or [""])[0].removeprefix("fatal: ")[:500]


def _environment(url: str, identity: Identity) -> dict[str, str]:
    """Git's environment: what is secret goes there, since others can read a command line."""
    ssh = ["ssh", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"]
    ssh += ["-o", "ConnectTimeout=10"]
    if identity.ssh_key is not None:
        ssh += ["-o", "IdentitiesOnly=yes", "-i", identity.ssh_key]
    settings = {"http.followRedirects": "false"}
    if identity.token is not None:
        told = base64.b64encode(f"{identity.user}:{identity.token}".encode()).decode()
        place = urlsplit(url)._replace(path="/", query="", fragment="").geturl()
        settings[f"http.{place}.extraHeader"] = f"Authorization: Basic {told}"
        settings["credential.helper"] = ""
    environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
    environment |= {
        "LC_ALL": "C",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_SSH_COMMAND": shlex.join(ssh),
        "GIT_CONFIG_COUNT": str(len(settings)),
    }
    for number, (name, value) in enumerate(settings.items()):
        environment[f"GIT_CONFIG_KEY_{number}"] = name
        environment[f"GIT_CONFIG_VALUE_{number}"] = value
    return environment
