"""The disk is full, fails, is read-only or damaged: no promise is made that cannot be kept."""

import errno
import os
import signal
import subprocess
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.process
NO_ENGINE = "unix:///nonexistent/engine.sock"
"""Deliveries are taken all the same."""


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "hookrunner-test", place],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip(f"only root can mount: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def remount(place, how):
    subprocess.run(["mount", "-o", f"remount,{how}", place], check=True)


def fill(place):
    """Leave no byte of a file system."""
    ballast = place / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 16, 1 << 9, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
    return ballast


async def words(server):
    """What the server says of itself: /healthz and /readyz."""
    return [await server.ask(path) for path in ("/healthz", "/readyz")]


async def accepted_until_refused(server, pushes, until):
    """Deliver until a delivery is refused; give the ids of those that were accepted."""
    accepted = []

    async def refused():
        status, answer = await server.deliver(next(pushes))
        if status == 202:
            accepted.append(answer["delivery"])
            return None
        return status

    assert await until(refused) == 503
    return accepted


def failing(server, fault, tmp_path):
    """Let calls of a server fail, soon, for as long as the process that this gives runs."""
    return subprocess.Popen(
        [
            *("strace", "-f", "-p", str(server.process.pid), "-o", str(tmp_path / "trace")),
            *("-e", f"trace={fault.partition(':')[0]}", "-e", f"inject={fault}"),
        ],
        stderr=subprocess.DEVNULL,
    )


async def is_traced(server):
    """Whether all of a server's threads are."""
    threads = Path(f"/proc/{server.process.pid}/task").iterdir()  # noqa: ASYNC240 - no disk
    return all("\nTracerPid:\t0\n" not in (one / "status").read_text() for one in threads)


async def stored(server, deliveries):
    return [(await server.api("GET", f"/deliveries/{one}"))[0] for one in deliveries]


async def test_a_full_disk_refuses_deliveries_until_there_is_space_again(
    make_server, small_disk, invented_pushes, until
):
    server = await make_server(engine=NO_ENGINE, state=small_disk / "state")
    pushes = invented_pushes()
    status, before = await server.deliver(next(pushes))
    assert status == 202

    ballast = fill(small_disk)
    accepted = await accepted_until_refused(server, pushes, until)
    for _ in range(20):
        status, answer = await server.deliver(next(pushes))
        assert status == 503
        assert "free space" in answer["hint"]
    large = next(pushes) | {"padding": "x" * 100_000}
    assert (await server.deliver(large))[0] == 503
    data, headers = server.signed(next(pushes))
    headers["Content-Type"] = "application/json"
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{server.url}/hooks/generic", data=data, headers=headers) as refusal,
    ):
        assert (refusal.status, int(refusal.headers["Retry-After"]) > 0) == (503, True)

    async def says_so():
        return await words(server) == [(503, "failing\n"), (503, "unready\n")]

    await until(says_so)

    ballast.unlink()

    async def is_well():
        return await words(server) == [(200, "degraded\n"), (200, "ok\n")]

    await until(is_well)
    status, after = await server.deliver(next(pushes))
    assert status == 202
    promised = [before["delivery"], *accepted, after["delivery"]]
    server.kill()
    await server.start()
    assert await stored(server, promised) == [200] * len(promised)


@pytest.mark.engine
async def test_an_update_that_runs_while_the_disk_is_full_ends_as_it_did(
    make_site, make_server, small_disk, until
):
    site, server = make_site("full"), await make_server(state=small_disk / "state")
    site.script(
        "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.05; done;"
        " head -c 8000000 /dev/zero; touch /srv/printed; exit 65"
    )
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def exists(name):
        return (site.directory / name).exists()

    await until(lambda: exists("started"))
    ballast = fill(small_disk)
    (site.directory / "go").touch()
    await until(lambda: exists("printed"))
    ballast.unlink()

    [step] = (await server.finished(answer["run"]))["steps"]
    assert (step["outcome"], step["exit_code"]) == ("invalid", 65)
    assert (step["output_bytes"], step["truncated"]) == (8_000_000, True)


@pytest.mark.engine
async def test_output_that_is_damaged_keeps_nothing_from_going_on(
    make_site, make_server, until
):
    site, server = make_site("damaged"), await make_server()
    site.script("echo begun; while [ ! -e /srv/go ]; do sleep 0.05; done; exit 65")
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def is_recorded():
        return list((server.state / "output").rglob("*.0"))

    [file] = await until(is_recorded)
    server.kill()
    file.write_bytes(b"\xff" * 1000)
    await server.start()
    (site.directory / "go").touch()

    [step] = (await server.finished(answer["run"]))["steps"]
    assert (step["exit_code"], step["truncated"]) == (65, True)


async def test_a_state_directory_that_cannot_be_written_is_said_at_the_start(
    make_server, small_disk, invented_pushes
):
    server = await make_server(engine=NO_ENGINE, state=small_disk / "state")
    server.kill()
    remount(small_disk, "ro")

    refused = server.cli("serve")
    said = refused.stderr.decode()

    assert refused.returncode == 74
    assert f"cannot use {server.state}" in said
    assert "must be writable" in said
    remount(small_disk, "rw")
    await server.start()
    assert (await server.deliver(next(invented_pushes())))[0] == 202


@pytest.mark.parametrize(
    "fault", ["fdatasync,fsync:error=EIO", "pwrite64:error=EIO", "pwrite64:error=EROFS"]
)
async def test_a_disk_that_fails_is_never_answered_with_202(
    make_server, tmp_path, invented_pushes, fault, until
):
    server = await make_server(engine=NO_ENGINE)
    pushes = invented_pushes()
    assert (await server.deliver(next(pushes)))[0] == 202
    tracer = failing(server, fault, tmp_path)
    try:
        await accepted_until_refused(server, pushes, until)
        answers = [await server.deliver(next(pushes)) for _ in range(10)]
        said = await words(server)
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)

    assert {status for status, _ in answers} == {503}
    assert "the disk or its file system failed" in answers[0][1]["hint"]
    assert said[0] == (503, "failing\n")

    async def accepted():
        return (await server.deliver(next(pushes)))[0] == 202

    await until(accepted)


async def test_what_a_failed_fsync_lost_is_written_again_before_the_next_202(
    make_server, tmp_path, invented_pushes, until
):
    server = await make_server(engine=NO_ENGINE)
    pushes = invented_pushes()
    log = server.state / "hookrunner.db-wal"
    accepted = []

    async def deliver():
        status, answer = await server.deliver(next(pushes))
        if status == 202:
            accepted.append(answer["delivery"])
        return status == 202

    for _ in range(5):
        assert await deliver()
    tracer = failing(server, "fdatasync,fsync:error=EIO", tmp_path)
    try:
        await until(lambda: is_traced(server))
        durable = log.stat().st_size
        for _ in range(5):
            assert not await deliver()
        assert server.process.poll() is None
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)
    assert log.stat().st_size > durable
    os.truncate(log, durable)  # as if none of it had reached the disk

    await until(deliver)
    for _ in range(5):
        assert await deliver()
    server.kill()
    await server.start()
    assert await stored(server, accepted) == [200] * 11


async def test_a_damaged_database_is_said_with_the_way_out(make_server, invented_pushes):
    server = await make_server(engine=NO_ENGINE)
    pushes = invented_pushes()
    for _ in range(30):
        await server.deliver(next(pushes))
    server.stop()
    database = server.state / "hookrunner.db"
    half = database.stat().st_size // 2
    with database.open("r+b") as file:
        file.seek(half)
        file.write(os.urandom(half))

    refused = server.cli("serve")
    said = refused.stderr.decode()

    assert refused.returncode == 74
    assert f"cannot open {database}: the database is damaged" in said
    assert "move hookrunner.db" in said
    for name in ("hookrunner.db", "hookrunner.db-wal", "hookrunner.db-shm"):
        (server.state / name).unlink(missing_ok=True)
    await server.start()
    assert (await server.deliver(next(pushes)))[0] == 202


async def test_a_second_server_on_the_same_state_is_refused(make_server, invented_pushes):
    server = await make_server(engine=NO_ENGINE)

    refused = server.cli("serve")
    said = refused.stderr.decode()

    assert refused.returncode == 74
    assert f"another hookrunner (pid {server.process.pid}) uses {server.state}" in said
    assert (await server.deliver(next(invented_pushes())))[0] == 202
    assert (await server.api("GET", "/runs"))[0] == 200
