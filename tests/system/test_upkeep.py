"""Containers that start: validated, and brought to what was pushed while they were away."""

import contextlib
import sqlite3
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from hookrunner.core.spreading import next_place

pytestmark = pytest.mark.engine

HEALTHY = ["--health-cmd=true", "--health-interval=1s"]


@pytest.fixture
async def started(make_site, make_server):
    """A container that is healthy within seconds, and a server that has it catch up."""
    site = make_site("late", options=HEALTHY)
    server = await make_server(projects=f"{{{site.project}: {{catch_up: true}}}}")
    await server.knows(site)
    return site, server


async def runs_of(server, site, trigger, *, action="update"):
    """The runs in a site's container; others' may be validated at any time."""
    _, runs = await server.api("GET", "/runs")
    return [
        run
        for run in runs["items"]
        if (run["trigger"], run["action"]) == (trigger, action)
        and site.container in {step["container"] for step in run["steps"]}
    ]


def once_it_ran(server, site, trigger, *, action="update"):
    async def look():
        runs = await runs_of(server, site, trigger, action=action)
        return runs if runs and all(run["finished_at"] for run in runs) else None

    return look


def outcomes(runs):
    return {step["outcome"] for run in runs for step in run["steps"]}


@pytest.mark.through_gate
async def test_a_container_that_missed_a_push_catches_up_and_is_validated(
    started, docker, until
):
    site, server = started
    assert await runs_of(server, site, "schedule", action="validate") == []
    docker("stop", "--time", "0", site.id)

    async def gone():
        _, found = await server.api("GET", "/containers")
        return site.container not in {one["name"] for one in found["items"]}

    await until(gone)
    _, answer = await server.deliver(site.push())
    assert "no running container" in answer["ignored"]
    docker("start", site.id)

    [run] = await until(once_it_ran(server, site, "catch-up"), seconds=60)
    [step] = run["steps"]
    assert (step["outcome"], step["gitref"], run["after"]) == ("updated", site.head, site.head)
    assert run["requested_by"] == "hookrunner"
    assert "started behind" in run["reason"]
    validations = await until(
        once_it_ran(server, site, "schedule", action="validate"), seconds=60
    )
    assert outcomes(validations) == {"valid"}
    assert any(f"{site.container} started" in run["reason"] for run in validations)


async def test_a_broken_push_is_not_repeated_by_restarts_of_container_or_server(
    started, docker, until
):
    site, server = started
    site.script("echo run >>/srv/ran; exit 1")
    _, answer = await server.deliver(site.push())
    assert (await server.finished(answer["run"]))["status"] == "failed"

    for times in (1, 2):
        docker("restart", "--time", "0", site.id)

        async def said(times=times):
            return server.log().count('"no catch-up"') == times

        await until(said, seconds=90)
        server.stop()
        await server.start()
        await server.knows(site)
    assert (site.directory / "ran").read_text() == "run\n"
    assert await runs_of(server, site, "catch-up") == []


async def test_updates_at_intervals_run_when_they_are_due_also_after_a_restart(
    make_site, make_server, until
):
    site = make_site("hourly")
    server = await make_server(projects=f"{{{site.project}: {{every: 1h}}}}")
    await server.knows(site)
    database = server.directory / "state" / "hookrunner.db"

    async def begun():
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            return db.execute("SELECT count(*) FROM intervals").fetchone() == (1,)

    await until(begun)
    assert await runs_of(server, site, "schedule") == []
    server.stop()
    with contextlib.closing(sqlite3.connect(database)) as db, db:
        db.execute(
            "UPDATE intervals SET document ="
            " json_set(CAST(document AS TEXT), '$.at', '2026-01-01T00:00:00Z')"
        )
    pushed = site.push()["after"]
    await server.start()

    [update] = await until(once_it_ran(server, site, "schedule"))
    assert (update["requested_by"], update["steps"][0]["gitref"]) == ("hookrunner", pushed)


async def test_validations_at_intervals_come_at_the_containers_own_time_also_after_a_restart(
    make_site, make_server, until, run_id
):
    soon = datetime.now(UTC) + timedelta(seconds=12)  # by then the server started twice
    names = (f"minute{number}" for number in range(1000))
    place, name = min((next_place(f"local/{run_id}-{name}", 60, soon), name) for name in names)
    site = make_site(
        name, labels={"hookrunner.project": name, "hookrunner.validate_every": "1m"}
    )
    server = await make_server()
    await server.knows(site)
    server.stop()
    await server.start()

    def at_intervals(runs):
        return [run for run in runs if run["reason"] == f"every 1m: {site.container}"]

    async def validated():
        return at_intervals(await runs_of(server, site, "schedule", action="validate"))

    first = (await until(validated, seconds=90))[-1]
    assert (await server.finished(first["id"]))["steps"][0]["outcome"] == "valid"
    assert datetime.fromisoformat(first["created_at"]) >= place


@pytest.mark.through_gate
async def test_a_throw_away_container_of_the_image_is_left_alone(started, docker, until):
    site, server = started
    _, answer = await server.deliver(site.push())
    await server.finished(answer["run"])
    image = docker("inspect", "--format", "{{.Config.Image}}", site.id)
    label = f"hookrunner.project={site.project}"
    mount = f"{site.directory}:/srv"
    run = ["run", "-d", *HEALTHY, "--network=none", "--label", label, "-v", mount]
    site.git("reset", "-q", "--hard", "HEAD~1", at="data")
    made = [docker(*run, *more, image, "sleep", "infinity") for more in (["--rm"], [])]

    try:
        name = docker("inspect", "--format", "{{.Name}}", made[1]).lstrip("/")
        other = SimpleNamespace(container=name)
        [caught] = await until(once_it_ran(server, other, "catch-up"), seconds=60)
        assert [step["container"] for step in caught["steps"]] == [name]
        _, runs = await server.api("GET", "/runs")
        reached = {step["container"] for run in runs["items"] for step in run["steps"]}
        assert reached == {site.container, name}
    finally:
        docker("rm", "--force", *made)
