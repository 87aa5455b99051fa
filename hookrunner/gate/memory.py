"""Which execs were made here, also by the gate that ran before."""

import os
import re
from pathlib import Path

import structlog

from hookrunner.errors import ConfigError, UnavailableError

log = structlog.get_logger()

MOST = 10_000
"""Execs that are remembered, a guess: an engine forgets those that ended after minutes."""

_ID = re.compile(r"[0-9a-f]{64}")


class ExecMemory:
    """The ids of the execs that were made here, the last `MOST`.

    A file keeps them, a line each, since a step outlives the gate, and a server that starts
    a step the moment the gate is restarted must find it again.

    Args:
        path: The file; None: nothing is kept.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._ids: dict[str, None] = {}
        self._lines = 0

    def load(self) -> None:
        """Take up what was kept, and make sure that more can be.

        Raises:
            ConfigError: The file is somebody else's, who could have anything in it.
            UnavailableError: It cannot be read or written.
        """
        if self._path is None:
            return
        try:
            with self._opened(os.O_RDONLY | os.O_CREAT) as descriptor:
                if os.fstat(descriptor).st_uid != os.geteuid():
                    raise ConfigError(f"{self._path} belongs to another user")
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    text = file.read(MOST * 4 * 65).decode("ascii", "replace")
            found = [line for line in text.splitlines() if _ID.fullmatch(line)]
            self._ids = dict.fromkeys(found[-MOST:])
            self._write_all()
        except OSError as error:
            raise UnavailableError(
                f"cannot keep execs in {self._path}: {error.strerror}"
            ) from error

    def add(self, exec_id: str) -> None:
        """Remember an exec."""
        self._ids[exec_id] = None
        if len(self._ids) > MOST:
            del self._ids[next(iter(self._ids))]
        if self._path is None:
            return
        try:
            if self._lines >= 2 * MOST:
                self._write_all()
                return
            with self._opened(os.O_WRONLY | os.O_APPEND | os.O_CREAT) as descriptor:
                os.write(descriptor, f"{exec_id}\n".encode())
            self._lines += 1
        except OSError as error:
            log.warning("cannot keep an exec", file=str(self._path), error=error.strerror)

    def __contains__(self, exec_id: str) -> bool:
        """Whether it was made here."""
        return exec_id in self._ids

    def _write_all(self) -> None:
        fresh = Path(f"{self._path}.new")
        fresh.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(fresh, flags, 0o600), "w") as file:
            file.writelines(f"{one}\n" for one in self._ids)
        fresh.replace(self._path or fresh)
        self._lines = len(self._ids)

    def _opened(self, flags: int) -> "_Descriptor":
        return _Descriptor(
            os.open(str(self._path), flags | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        )


class _Descriptor:
    """A file descriptor that is closed at the end."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __enter__(self) -> int:
        return self._number

    def __exit__(self, *_: object) -> None:
        os.close(self._number)
