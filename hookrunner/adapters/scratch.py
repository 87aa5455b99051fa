"""What is too large for memory and kept for seconds only, such as a body while it arrives.

The files have no names: nothing of them is left once they are closed, or after a crash.
"""

import asyncio
import contextlib
import errno
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, TypeVar

from hookrunner.errors import StoreError

T = TypeVar("T")

_SPARE = 64 * 2**20
"""Bytes of the disk that are left for what must not be lost, a guess: the store writes some
10 KB a delivery, so it is thousands of them, and their output."""


class Scratch:
    """Makes files in a directory.

    One thread works on all of them, in the order in which it is asked. So a file is closed
    behind what is still being written to it, and a slow disk keeps nothing else waiting.

    Args:
        directory: Where the disk has room for them.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="scratch")

    def file(self) -> "ScratchFile":
        """Begin a file; there is none on the disk before something is written."""
        return ScratchFile(self._directory, self._thread)


class ScratchFile:
    """One file. Whoever began it closes it."""

    def __init__(self, directory: Path, thread: ThreadPoolExecutor) -> None:
        self._directory = directory
        self._thread = thread
        self._file: BinaryIO | None = None
        self._is_begun = False
        self.size = 0

    async def append(self, data: bytes) -> bool:
        """Write bytes behind what is there.

        Returns:
            Whether the disk has room for more, with some to spare.

        Raises:
            StoreError: They cannot be written.
        """
        self._is_begun = True
        has_room = await self._asked("write", lambda: self._append(data))
        self.size += len(data)
        return has_room

    async def read(self) -> bytes:
        """Read all of it.

        Raises:
            StoreError: It cannot be read.
        """
        return await self._asked("read", self._read)

    def close(self) -> None:
        """Let go of it, soon."""
        if self._is_begun:
            self._thread.submit(self._close)

    async def _asked(self, verb: str, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except OSError as error:
            raise StoreError(
                f"cannot {verb} a large request: {error.strerror}",
                hint="is the disk of the state directory full?",
            ) from error

    def _append(self, data: bytes) -> bool:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._directory, buffering=0)  # noqa: SIM115
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        disk = os.fstatvfs(self._file.fileno())
        return disk.f_bavail * disk.f_frsize > _SPARE

    def _read(self) -> bytes:
        if self._file is None:
            return b""
        self._file.seek(0)
        return self._file.read()

    def _close(self) -> None:
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
