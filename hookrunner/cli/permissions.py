"""What the files of hookrunner let others do: for ``hookrunner check``."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from hookrunner.config import Config
from hookrunner.core.findings import Finding, Level

_OTHERS = stat.S_IROTH | stat.S_IWOTH | stat.S_IXOTH
_WRITERS = stat.S_IWGRP | stat.S_IWOTH


def check_files(config: Config, file: Path) -> Iterator[Finding]:
    """Look at the configuration, the secrets and the state directory.

    Args:
        config: As `hookrunner.cli.settings.load` gives it.
        file: The configuration file; it need not be there.
    """
    yield from _configuration(file)
    secrets = {
        reference.value: name
        for name, source in config.sources.items()
        for reference in source.secrets
        if reference.kind == "file"
    }
    for path, name in secrets.items():
        yield from _secret(Path(path), name)
    yield from _state(Path(config.state or ""))


def _configuration(file: Path) -> Iterator[Finding]:
    about = f"configuration {file}"
    mode = _mode(file)
    if mode is None:
        yield Finding(
            level=Level.note, about=about, text="there is none: all is at its default"
        )
    elif mode & _WRITERS:
        yield Finding(
            level=Level.wrong,
            about=about,
            text="others than its owner may write it, and so say what runs in containers",
            remedy=f"chmod go-w {file}",
        )
    else:
        yield Finding(level=Level.ok, about=about, text="it can be read, and says what it may")


def _secret(path: Path, source: str) -> Iterator[Finding]:
    about = f"secret {path}"
    mode = _mode(path)
    if mode is None:
        yield Finding(
            level=Level.wrong,
            about=about,
            text=f"the secret of the source {source} is not there",
            remedy=f"(umask 077; head -c 32 /dev/urandom | base64 > {path})",
        )
    elif mode & _OTHERS:
        yield Finding(
            level=Level.wrong,
            about=about,
            text="every user of this machine may read it, and so send pushes",
            remedy=f"chmod o= {path}",
        )


def _state(path: Path) -> Iterator[Finding]:
    about = f"state directory {path}"
    mode = _mode(path)
    if mode is None:
        yield Finding(level=Level.note, about=about, text="`hookrunner serve` will make it")
    elif mode & (stat.S_IROTH | stat.S_IWOTH):
        yield Finding(
            level=Level.wrong,
            about=about,
            text="every user of this machine may look into it: there is the output of updates",
            remedy=f"chmod 0710 {path}",
        )
    elif not os.access(path, os.W_OK) and os.geteuid() == path.stat().st_uid:
        yield Finding(
            level=Level.wrong,
            about=about,
            text="it cannot be written",
            remedy="mount it for writing, or name another as `state:`",
        )


def _mode(path: Path) -> int | None:
    """A file's mode; None where there is no such file, or nobody lets us look."""
    try:
        return path.stat().st_mode
    except OSError:
        return None
