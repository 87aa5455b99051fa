"""What cannot be stopped blocks its container alone, is seen, and heals by itself."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
DEAF = "touch /srv/started; trap '' TERM; while [ ! -e /srv/go ]; do sleep 0.1; done"
"""An update that does not end when it is asked to."""


def exists(site, name):
    async def look():
        return (site.directory / name).exists()

    return look


def step_is(server, run, *statuses):
    """A look at a run's only step, once it has one of these statuses."""

    async def look():
        _, found = await server.api("GET", f"/runs/{run}")
        steps = found["steps"]
        return steps[0] if steps and steps[0]["status"] in statuses else None

    return look


def health_is(server, status):
    async def look():
        _, health = await server.api("GET", "/health")
        return health if health["status"] == status else None

    return look


@pytest.mark.through_gate
async def test_a_paused_container_past_its_timeout_is_stuck_and_heals(
    make_site, make_server, docker, until, run_id
):
    site = make_site("frozen", project=f"{run_id}-frozen")
    other = make_site("brisk", project=f"{run_id}-brisk")
    server = await make_server(projects=f'{{"{run_id}-frozen": {{timeout: 2s}}}}')
    site.script(DEAF)
    await server.knows(site, other)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))

    docker("pause", site.id)
    run = await server.finished(answer["run"])

    assert run["status"] == "failed"
    [step] = run["steps"]
    assert (step["status"], step["outcome"]) == ("stuck", None)
    assert "timeout of 2 s" in step["reason"]
    assert "is paused" in step["reason"]
    health = await until(health_is(server, "degraded"))
    assert [one["container"] for one in health["stuck"]] == [site.container]
    assert "stuck" in server.cli("ps").stdout.decode()

    _, beside = await server.deliver(other.push())
    assert (await server.finished(beside["run"]))["status"] == "succeeded"
    site.script("git -C /srv/data pull -q; touch /srv/second")
    _, next_one = await server.deliver(site.push())
    server.kill()
    await server.start()
    health = await until(health_is(server, "degraded"))
    assert [one["step"] for one in health["stuck"]] == [step["id"]]
    _, waiting = await server.api("GET", f"/runs/{next_one['run']}")
    assert waiting["status"] == "queued"
    assert not (site.directory / "second").exists()

    docker("unpause", site.id)
    healed = await until(step_is(server, answer["run"], "timed_out"))
    assert healed["reason"] == "it took longer than its timeout of 2 s"
    await server.finished(next_one["run"])
    assert (site.directory / "second").exists()
    await until(health_is(server, "ok"))
    left = docker("exec", site.id, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "update.sh" not in left
    assert "stuck" not in server.cli("ps").stdout.decode()


async def test_what_was_paused_in_the_middle_is_stopped_when_it_can_be_and_run_once_more(
    make_site, make_server, docker, until
):
    site, server = make_site("halted"), await make_server()
    site.script(
        "mkdir /srv/lock || touch /srv/overlap; trap 'rmdir /srv/lock; exit 1' TERM;"
        " touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.1; done; exit 65"
    )
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))

    docker("pause", site.id)
    step = await until(step_is(server, answer["run"], "stuck"))
    assert step["reason"].startswith("its container was paused while it ran")

    docker("unpause", site.id)
    step = await until(step_is(server, answer["run"], "interrupted"))
    assert step["reason"] == "its container was paused while it ran"
    await until(health_is(server, "ok"))
    (site.directory / "go").touch()
    run = await server.finished(answer["run"])
    assert [one["status"] for one in run["steps"]] == ["interrupted", "failed"]
    assert run["steps"][1]["outcome"] == "invalid"
    assert not (site.directory / "overlap").exists()


async def test_what_is_stuck_heals_when_its_container_is_removed(
    make_site, make_server, docker, until, run_id
):
    site = make_site("lost", project=f"{run_id}-lost")
    server = await make_server(projects=f'{{"{run_id}-lost": {{timeout: 2s}}}}')
    site.script(DEAF)
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))
    docker("pause", site.id)
    await until(step_is(server, answer["run"], "stuck"))
    site.script("git -C /srv/data pull -q; touch /srv/second")
    _, following = await server.deliver(site.push())

    docker("rm", "--force", site.id)
    site.id = site._start("lost")

    run = await server.finished(following["run"])
    assert (site.directory / "second").exists(), run["steps"]
    await until(step_is(server, answer["run"], "timed_out"))
    await until(health_is(server, "ok"))


@pytest.fixture
def without_shell(docker, run_id):
    """An image that has `sleep` and what it needs, and nothing else."""
    archive = io.BytesIO()
    listed = subprocess.run(
        ["ldd", "/bin/sleep"], capture_output=True, check=True, text=True
    ).stdout.split()
    with tarfile.open(fileobj=archive, mode="w", dereference=True) as tar:
        for name in ["/bin/sleep", *(word for word in listed if word.startswith("/"))]:
            tar.add(Path(name).resolve(), arcname=name)
        tar.add("/bin/sleep", arcname="/usr/local/bin/container")
    label = f"--change=LABEL hookrunner.test={run_id}"
    return docker("import", label, "-", f"{run_id}:shellless", stdin=archive.getvalue())


@pytest.mark.through_gate
async def test_without_a_shell_nothing_can_be_stopped_and_the_end_is_seen_all_the_same(  # noqa: PLR0917
    start_container, without_shell, make_server, docker, until, run_id
):
    project = f"{run_id}-bare"
    container = start_container(
        "bare",
        image=without_shell,
        labels={"hookrunner.project": project},
        command=("/bin/sleep", "infinity"),
    )
    server = await make_server(
        projects=f'{{"{project}": {{update: [/bin/sleep, "12"], timeout: 1s}}}}'
    )

    async def accepted():
        status, run = await server.api(
            "POST", "/updates", body={"project": project}, Accept="application/json"
        )
        return run if status == 202 else None

    run = await until(accepted)

    step = await until(step_is(server, run["id"], "stuck"))
    assert "has no shell" in step["reason"]
    await until(health_is(server, "degraded"))
    step = await until(step_is(server, run["id"], "timed_out"), seconds=60)
    assert step["reason"] == "it took longer than its timeout of 1 s"
    await until(health_is(server, "ok"))
    docker("rm", "--force", container)
