"""``hookrunner backup`` and ``restore``: the state directory as one file."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from hookrunner import __version__
from hookrunner.adapters import archive
from hookrunner.adapters.store.copying import (
    check_copy,
    copy_database,
    exclusive,
    replace_database,
)
from hookrunner.adapters.store.database import DATABASE
from hookrunner.cli.options import with_config
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import note
from hookrunner.errors import StoreError
from hookrunner.units import format_size

OUTPUT = "output"
"""The directory of all output, in the state directory and in a backup."""


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@with_config
def backup(file: Path, config_file: str | None) -> None:
    """Write all that the server remembers into FILE, also while it runs.

    All that was acknowledged before is in it. Secrets and the configuration are not.
    """
    state = Path(load(config_file).state or "")
    with (
        _explained(f"write {file}"),
        tempfile.TemporaryDirectory(
            prefix=".hookrunner-backup-", dir=file.absolute().parent
        ) as place,
    ):
        database = Path(place) / DATABASE
        created_at = datetime.now(UTC)
        schema = copy_database(state, database)
        manifest = archive.Manifest(
            format=archive.FORMAT,
            version=__version__,
            schema=schema,
            created_at=created_at,
            files={},
        )
        files, size = archive.write(file, _members(state, database), manifest)
    note(f"wrote {file}: {files} files, {format_size(size)}, schema {schema}")


def _members(state: Path, database: Path) -> Iterator[tuple[str, Path]]:
    """The database first: output that comes later is more than it tells of, never less."""
    yield DATABASE, database
    for folder, _, names in os.walk(state / OUTPUT):
        for name in sorted(names):
            path = Path(folder) / name
            yield str(path.relative_to(state)), path


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@with_config
def restore(file: Path, config_file: str | None) -> None:
    """Put what `hookrunner backup` wrote in the place of what there is; no server may run.

    FILE is checked whole before anything changes, and the old state is put aside.
    """
    state = Path(load(config_file).state or "")
    with exclusive(state), _explained(f"restore into {state}"):
        place = Path(tempfile.mkdtemp(prefix="restoring-", dir=state))
        try:
            manifest = archive.read(file, place)
            check_copy(place / DATABASE)
            aside = _swap(state, place)
        finally:
            shutil.rmtree(place, ignore_errors=True)
    made = manifest.created_at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    note(f"restored {len(manifest.files)} files of {made}, by hookrunner {manifest.version}")
    note(f"hint: what was there before is in {aside}; delete it once all is well")


def _swap(state: Path, new: Path) -> Path:
    """Put the new state in place of the old one; return where that is now."""
    (new / OUTPUT).mkdir(mode=0o700, exist_ok=True)
    owner = state.stat()
    if os.geteuid() == 0:
        for path in [new, *new.rglob("*")]:
            os.chown(path, owner.st_uid, owner.st_gid)
    aside = state / f"before-restore-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}"
    aside.mkdir(mode=0o700)
    if (state / OUTPUT).exists():
        (state / OUTPUT).rename(aside / OUTPUT)
    (new / OUTPUT).rename(state / OUTPUT)
    replace_database(state, new / DATABASE, aside)
    return aside


@contextlib.contextmanager
def _explained(doing: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"cannot {doing}: {error.strerror or error}") from error
