"""A backup that is taken under load, and what comes out of it."""

import asyncio
import sqlite3
import tarfile
from contextlib import closing

import aiohttp
import pytest

pytestmark = pytest.mark.process


async def pushed(program, session, count):
    """Send pushes, some at a time; give the deliveries that were acknowledged."""
    acknowledged = []
    for _ in range(0, count, 10):
        answers = await asyncio.gather(*(program.push(session) for _ in range(10)))
        acknowledged += [said["delivery"] for status, said in answers if status == 202]
    return acknowledged


async def test_backup_under_load_restores_with_all_that_was_acknowledged(
    program, tmp_path, measured
):
    program.start()
    (program.state / "output/some-run").mkdir(parents=True)
    (program.state / "output/some-run/step.0").write_bytes(b"printed")
    file = tmp_path / "backup.tar"
    is_over = asyncio.Event()
    later = []

    async def load(session):
        while not is_over.is_set():
            later.extend(await pushed(program, session, 10))

    async with aiohttp.ClientSession() as session:
        before = await pushed(program, session, 50)
        async with asyncio.TaskGroup() as group:
            group.create_task(load(session))
            began = asyncio.get_running_loop().time()
            said = await asyncio.to_thread(program.run, "backup", file)
            took = asyncio.get_running_loop().time() - began
            is_over.set()
    program.stop()
    after = {path.name for path in program.state.iterdir()}
    (program.state / "output/some-run/step.0").write_bytes(b"something else")
    restored = program.run("restore", file)

    measured(f"backup under {len(later) / took:.0f} deliveries/s took {took:.1f} s")
    assert len(before) == 50
    assert "wrote" in said.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    assert "hint: what was there before is in" in restored.stderr
    with closing(sqlite3.connect(program.state / "hookrunner.db")) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        kept = {one for (one,) in database.execute("SELECT id FROM deliveries")}
        runs = database.execute("SELECT count(*) FROM runs").fetchone()[0]
    assert {*before} <= kept <= {*before, *later}
    assert runs == len(kept)
    assert (program.state / "output/some-run/step.0").read_bytes() == b"printed"
    assert {p.name for p in program.state.iterdir()} - after == {
        path.name for path in program.state.glob("before-restore-*")
    }
    program.start()
    async with aiohttp.ClientSession() as session:
        assert (await program.push(session))[0] == 202


def test_restore_is_refused_while_a_server_runs(program, tmp_path):
    program.start()
    program.run("backup", tmp_path / "backup.tar")

    done = program.run("restore", tmp_path / "backup.tar", check=False)

    assert done.returncode == 74
    assert f"another hookrunner (pid {program.process.pid}) uses" in done.stderr


@pytest.mark.parametrize("damage", ["cut", "changed", "no tar"])
def test_damaged_backup_changes_nothing(program, tmp_path, damage):
    program.start()
    program.run("token", "create", "x", "--scope", "read")
    program.stop()
    file = tmp_path / "backup.tar"
    program.run("backup", file)
    data = bytearray(file.read_bytes())
    match damage:
        case "cut":
            del data[len(data) // 2 :]
        case "changed":
            data[len(data) // 2] ^= 1
        case "no tar":
            data[:] = b"hello" * 1000
    file.write_bytes(data)
    before = (program.state / "hookrunner.db").read_bytes()

    done = program.run("restore", file, check=False)

    assert done.returncode == 74
    assert f"{file} is damaged, or no backup of hookrunner" in done.stderr
    assert (program.state / "hookrunner.db").read_bytes() == before
    assert not [*program.state.glob("restoring-*"), *program.state.glob("before-*")]


def test_newer_schema_is_refused_with_both_versions(program, tmp_path):
    program.start()
    program.stop()
    with closing(sqlite3.connect(program.state / "hookrunner.db")) as database:
        database.execute("PRAGMA user_version = 99")
    file = tmp_path / "backup.tar"
    program.run("backup", file)

    done = program.run("restore", file, check=False)
    served = program.run("ps", check=False)

    assert done.returncode == served.returncode == 74
    assert "its schema is 99, and this one knows no more than 1" in done.stderr
    assert "its schema is 99, and this one knows no more than 1" in served.stderr
    assert "restore a backup from before it" in served.stderr


def test_backup_that_cannot_be_written_leaves_the_old_one(program, tmp_path):
    program.start()
    file = tmp_path / "backup.tar"
    program.run("backup", file)
    whole = file.read_bytes()
    program.run("backup", file)
    with tarfile.open(file) as archive:
        names = archive.getnames()

    done = program.run("backup", tmp_path / "nowhere/backup.tar", check=False)

    assert names[0] == "hookrunner.db"
    assert names[-1] == "hookrunner-backup.json"
    assert whole
    assert done.returncode == 74
    assert not [*tmp_path.glob(".*")]
