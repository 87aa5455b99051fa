"""A backup as one file: a tar archive whose last member says what is in it.

The members are files by their path, and then `MANIFEST`: a file that was cut off, or changed
anywhere, is told from a whole one by it.
"""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from hookrunner.errors import StoreError

MANIFEST = "hookrunner-backup.json"
FORMAT = 1
"""The form of the archive; a reader refuses a later one."""
_PIECE = 1 << 20
"""Bytes that are copied at once."""
_MANIFEST_LIMIT = 1 << 30


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What is in a backup.

    Attributes:
        format: The archive's form.
        version: The hookrunner that made it.
        schema: The database's.
        files: The SHA-256 of each file by its path, hexadecimal.
    """

    format: int
    version: str
    schema: int
    created_at: datetime
    files: dict[str, str]


def write(
    file: Path, members: Iterable[tuple[str, Path]], manifest: Manifest
) -> tuple[int, int]:
    """Write an archive: whole and on the disk, or not at all; mode 0600.

    Args:
        file: Replaced where it exists.
        members: Paths in the archive, each with the file; one that is gone is left out, and
            of one that grows there is what it had.
        manifest: Without the files.

    Returns:
        How many files it has, and its size in bytes.

    Raises:
        StoreError: It cannot be written.
    """
    part = file.with_name(f".{file.name}.{os.getpid()}.part")
    sums: dict[str, str] = {}
    try:
        descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            os.fdopen(descriptor, "wb") as opened,
            tarfile.open(fileobj=opened, mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            for name, path in members:
                try:
                    member = path.open("rb")
                except FileNotFoundError:
                    continue
                with member:
                    sums[name] = _add(archive, name, member)
            whole = msgspec.structs.replace(manifest, files=sums)
            _add_bytes(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(whole)))
            archive.close()
            opened.flush()
            os.fsync(opened.fileno())
        size = part.stat().st_size
        part.replace(file)
        _sync(file.absolute().parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return len(sums), size


def read(file: Path, directory: Path) -> Manifest:
    """Take an archive apart into an empty directory, and check every byte of it.

    Raises:
        StoreError: It cannot be read, is damaged or no backup, or a later form.
    """
    sums: dict[str, str] = {}
    manifest = None
    try:
        with file.open("rb") as opened, tarfile.open(fileobj=opened, mode="r|") as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                content = archive.extractfile(member) if member.isreg() else None
                if content is None or path.is_absolute() or ".." in path.parts:
                    raise _damaged(file, f"{member.name} does not belong in there")
                if member.name == MANIFEST:
                    manifest = _manifest(file, content.read(_MANIFEST_LIMIT))
                else:
                    sums[member.name] = _extract(content, directory / path)
    except tarfile.TarError as error:
        raise _damaged(file, str(error)) from error
    except OSError as error:
        raise StoreError(f"cannot read {file}: {error.strerror or error}") from error
    if manifest is None:
        raise _damaged(file, "its end is missing")
    if sums != manifest.files:
        wrong = [name for name, one in manifest.files.items() if sums.get(name) != one]
        raise _damaged(file, f"{(wrong or [*sums])[0]} is not as it was written")
    return manifest


def _manifest(file: Path, raw: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.MsgspecError as error:
        raise _damaged(file, f"{MANIFEST} is not understood: {error}") from error
    if manifest.format > FORMAT:
        raise StoreError(
            f"{file} is a backup of a later form ({manifest.format}), made by hookrunner"
            f" {manifest.version}",
            hint="restore it with that version",
        )
    return manifest


def _add(archive: tarfile.TarFile, name: str, member: IO[bytes]) -> str:
    """Add what a file has now, however it grows meanwhile."""
    info = tarfile.TarInfo(name)
    status = os.fstat(member.fileno())
    info.size, info.mtime, info.mode = status.st_size, int(status.st_mtime), 0o600
    summed = _Summed(member)
    archive.addfile(info, summed)
    return summed.digest.hexdigest()


def _add_bytes(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o600
    archive.addfile(info, io.BytesIO(data))


class _Summed(io.RawIOBase):
    """Reads a file, and sums up what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def _extract(content: IO[bytes], path: Path) -> str:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    digest = hashlib.sha256()
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        while data := content.read(_PIECE):
            digest.update(data)
            opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())
    return digest.hexdigest()


def _damaged(file: Path, why: str) -> StoreError:
    return StoreError(
        f"{file} is damaged, or no backup of hookrunner: {why}",
        hint="nothing was changed; take another backup",
    )


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
