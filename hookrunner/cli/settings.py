"""Where the configuration comes from, and what a user gets who wrote none."""

import os
from pathlib import Path

import msgspec

from hookrunner.config import DEFAULT_ENGINE, DEFAULT_STATE, Config, loads
from hookrunner.errors import ConfigError

FILE_LIMIT = 4 * 2**20
"""Bytes of a file that are read: what `hookrunner.config` takes, in UTF-8, and then some."""


def load(path: str | None) -> Config:
    """Read the configuration, with the state directory and the engines filled in.

    Args:
        path: The file that the user named; None looks at ``$HOOKRUNNER_CONFIG`` and then
            at the default place, where it may be missing.

    Raises:
        ConfigError: It cannot be read, or says what cannot be.
    """
    file, is_named = find_file(path)
    text = read(file, must_exist=is_named)
    config = loads(text, name=str(file)) if text is not None else Config()
    return msgspec.structs.replace(
        config,
        state=config.state or str(default_state()),
        engines=config.engines or {"local": os.environ.get("DOCKER_HOST") or DEFAULT_ENGINE},
    )


def find_file(path: str | None) -> tuple[Path, bool]:
    """The configuration file, and whether anybody named it; see `load`."""
    named = path or os.environ.get("HOOKRUNNER_CONFIG")
    return (Path(named) if named else default_file()), bool(named)


def default_file() -> Path:
    """The file that is read when nobody names one."""
    if os.geteuid() == 0:
        return Path("/etc/hookrunner/hookrunner.yaml")
    return _xdg("XDG_CONFIG_HOME", ".config") / "hookrunner" / "hookrunner.yaml"


def default_state() -> Path:
    """The state directory where the configuration names none."""
    if os.geteuid() == 0:
        return Path(DEFAULT_STATE)
    return _xdg("XDG_STATE_HOME", ".local/state") / "hookrunner"


def _xdg(variable: str, default: str) -> Path:
    """A base directory; one that is relative is to be ignored.

    Source:
        https://specifications.freedesktop.org/basedir-spec/latest/
    """
    value = os.environ.get(variable, "")
    return Path(value) if value.startswith("/") else Path.home() / default


def read(file: Path, *, must_exist: bool) -> str | None:
    """Read a configuration's text; None where it is not there and need not be.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        with file.open("rb") as opened:
            data = opened.read(FILE_LIMIT + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not must_exist:
            return None
        raise ConfigError("there is no such file", file=str(file)) from error
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(file)) from error
    if len(data) > FILE_LIMIT:
        raise ConfigError("is too large to be a configuration", file=str(file))
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise ConfigError(
            "is not UTF-8",
            file=str(file),
            line=before.count(b"\n") + 1,
            column=len(before) - before.rfind(b"\n"),
        ) from error
