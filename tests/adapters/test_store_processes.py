"""Programs that use the store and are killed, locked out, or out of disk."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

import hookrunner
from hookrunner.adapters.store import DeliveryQuery, Store
from hookrunner.adapters.store.database import DATABASE

pytestmark = pytest.mark.process


async def test_a_second_process_is_refused_and_told_the_first(tmp_path):
    async with Store.open(tmp_path):
        second = await asyncio.to_thread(
            subprocess.run,
            command(SAVE_FOR_EVER, tmp_path),
            capture_output=True,
            text=True,
            timeout=30,
        )

        assert f"another hookrunner (pid {os.getpid()}) uses {tmp_path}" in second.stderr


SAVE_FOR_EVER = """
import asyncio, itertools, sys
from datetime import UTC, datetime
from pathlib import Path
from hookrunner.adapters.store import Changes, Store
from hookrunner.errors import StoreError
from hookrunner.model import Delivery

def delivery(number, event="push"):
    return Delivery(
        id=f"{number:06}", source="s", forge="f", event=event, body_hash="",
        received_at=datetime.now(UTC),
    )

async def save_for_ever(store, numbers):
    for number in numbers:
        await store.save(Changes(deliveries=(delivery(number),)))
        print(f"{number:06}", flush=True)

async def main():
    async with Store.open(Path(sys.argv[1])) as store, asyncio.TaskGroup() as group:
        numbers = itertools.count()
        for _ in range(8):
            group.create_task(save_for_ever(store, numbers))

if __name__ == "__main__":
    asyncio.run(main())
"""


def command(script, *arguments):
    """A program that imports this checkout."""
    root = Path(hookrunner.__file__).parents[1]
    start = f"import sys\nsys.path.insert(0, {str(root)!r})\n"
    return [sys.executable, "-c", start + script, *map(str, arguments)]


@pytest.mark.parametrize("acknowledged", [1, 40, 700])
def test_kill_9_loses_nothing_that_was_acknowledged(tmp_path, acknowledged):
    with subprocess.Popen(command(SAVE_FOR_EVER, tmp_path), stdout=subprocess.PIPE) as process:
        lines = [process.stdout.readline() for _ in range(acknowledged)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read().splitlines(keepends=True)
    ids = {line.decode().strip() for line in lines + rest if line.endswith(b"\n")}

    async def read():
        async with Store.open(tmp_path) as store:
            problems = await store._readers.read(
                "check", lambda one: one.execute("PRAGMA integrity_check").fetchall()
            )
            return await store.deliveries(DeliveryQuery(limit=10**6)), problems

    kept, problems = asyncio.run(read())
    assert len(ids) >= acknowledged
    assert ids <= {one.id for one in kept}
    assert problems == [("ok",)]


FILL_THE_DISK = (
    SAVE_FOR_EVER.replace("asyncio.run(main())", "pass")
    + """
async def fill():
    directory = Path(sys.argv[1])
    ballast = directory / "ballast"
    async with Store.open(directory / "state") as store:
        await store.save(Changes(deliveries=(delivery(1),)))
        ballast.write_bytes(bytes(1500 * 1024))
        try:
            for number in range(2, 100):
                await store.save(Changes(deliveries=(delivery(number, "x" * 100_000),)))
        except StoreError as error:
            print(error, error.hint, sep="\\n")
        try:
            await store.save(Changes(deliveries=(delivery(number, "x" * 100_000),)))
        except StoreError:
            print("still full")
        print(len((await store.delivery("000001")).id))
        ballast.unlink()
        await store.save(Changes(deliveries=(delivery(number, "x" * 100_000),)))
        print("healed")
asyncio.run(fill())
"""
)


def test_a_full_disk_is_said_and_heals_without_a_restart(tmp_path):
    mount = [
        "unshare",
        "--mount",
        "sh",
        "-c",
        'mount -t tmpfs -o size=3m none "$0" && exec "$@"',
    ]
    if shutil.which("unshare") is None:
        pytest.skip("no unshare to mount a small file system by")
    if subprocess.run([*mount, tmp_path, "true"], check=False, capture_output=True).returncode:
        pytest.skip("only root can mount a small file system")

    result = subprocess.run(
        [*mount, tmp_path, *command(FILL_THE_DISK, tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert result.stderr == ""
    said, hint, *later = result.stdout.splitlines()
    assert said.startswith("cannot record delivery ")
    assert said.endswith("database or disk is full")
    assert hint.startswith("free space")
    assert later == ["still full", "6", "healed"]


def test_a_sync_that_fails_is_not_acknowledged(tmp_path):
    strace = ["strace", "-f", "-o", "/dev/null", "-e", "trace=fdatasync"]
    if shutil.which("strace") is None:
        pytest.skip("no strace to let a sync fail")
    if subprocess.run([*strace, "true"], check=False, capture_output=True).returncode:
        pytest.skip("the kernel lets nobody trace")

    result = subprocess.run(
        [
            *strace,
            "-e",
            "inject=fdatasync:error=EIO:when=20+",
            *command(SAVE_FOR_EVER, tmp_path),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert "disk I/O error" in result.stderr
    with sqlite3.connect(tmp_path / DATABASE) as connection:
        kept = {row[0] for row in connection.execute("SELECT id FROM deliveries")}
    connection.close()
    assert set(result.stdout.split()) <= kept
