"""Crashes, engines that are away, containers that go: nothing accepted is lost."""

import pytest

pytestmark = pytest.mark.engine
LONG = (
    "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.05; done; git -C /srv/data pull -q"
)
"""An update that says when it runs, and ends when it is told to."""


@pytest.mark.both_engines
@pytest.mark.parametrize("ends", ["while hookrunner is down", "after hookrunner is back"])
@pytest.mark.through_gate
async def test_after_kill_9_a_running_update_is_found_again_and_never_overlaps(
    make_site, make_server, until, ends
):
    site, server = make_site("killed"), await make_server()
    site.script(
        "mkdir /srv/lock || touch /srv/overlap; echo '>> Waiting';"
        " while [ ! -e /srv/go ]; do sleep 0.05; done;"
        " git -C /srv/data pull -q; rmdir /srv/lock; touch /srv/done; exit 65"
    )
    await server.knows(site)
    _, first = await server.deliver(site.push())

    async def tells_what_it_does():
        _, run = await server.api("GET", f"/runs/{first['run']}")
        return run["steps"] and run["steps"][0]["phases"]

    await until(tells_what_it_does)
    _, second = await server.deliver(site.push())

    server.kill()
    if ends == "while hookrunner is down":
        (site.directory / "go").touch()
        await until(exists(site, "done"))
        await server.start()
    else:
        await server.start()
        (site.directory / "go").touch()

    run = await server.finished(first["run"])
    step = run["steps"][0]
    assert (step["status"], step["outcome"], step["exit_code"]) == ("failed", "invalid", 65)
    assert step["truncated"] is True
    assert [phase["title"] for phase in step["phases"]] == ["Waiting"]
    assert step["output_bytes"] >= len(">> Waiting\n")
    assert (await server.finished(second["run"]))["steps"][0]["exit_code"] == 65
    assert not (site.directory / "overlap").exists()


@pytest.mark.both_engines
async def test_a_restart_leaves_a_long_update_alive_and_finds_it_again(
    make_site, make_server, until
):
    site, server = make_site("restarted"), await make_server()
    site.script(LONG)
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))

    server.stop()
    await server.start()
    (site.directory / "go").touch()

    run = await server.finished(answer["run"])
    [step] = run["steps"]
    assert (step["outcome"], step["gitref"]) == ("updated", site.head)


async def test_an_update_whose_container_went_meanwhile_is_interrupted_and_runs_again(
    make_site, make_server, docker, until
):
    site, server = make_site("vanished"), await make_server()
    site.script(LONG)
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))

    server.kill()
    docker("rm", "--force", site.id)
    (site.directory / "go").touch()
    site.id = site._start("vanished")
    await server.start()

    run = await server.finished(answer["run"])
    assert [step["status"] for step in run["steps"]] == ["interrupted", "succeeded"]
    assert run["status"] == "succeeded"


def exists(site, name):
    async def look():
        return (site.directory / name).exists()

    return look


async def test_a_push_is_accepted_while_the_engine_is_away(
    make_site, make_server, tmp_path, engine_url
):
    site = make_site("away")
    link = tmp_path / "engine.sock"
    server = await make_server(engine=f"unix://{link}")
    body = site.push()

    status, answer = await server.deliver(body)
    assert (status, answer["targets"]) == (202, [])
    _, waiting = await server.api("GET", f"/runs/{answer['run']}")
    assert (waiting["status"], waiting["steps"]) == ("queued", [])
    assert (await server.api("GET", "/health"))[1]["status"] == "degraded"

    server.kill()
    await server.start()
    link.symlink_to(engine_url.removeprefix("unix://"))

    run = await server.finished(answer["run"])
    assert run["steps"][0]["gitref"] == body["after"]
    _, delivery = await server.api("GET", f"/deliveries/{answer['delivery']}")
    assert delivery["verdicts"][0]["target"] is True


@pytest.mark.both_engines
async def test_a_waiting_step_follows_the_name_to_the_new_container(
    make_site, make_server, docker, until
):
    site, server = make_site("replaced"), await make_server()
    site.script(LONG)
    await server.knows(site)
    await server.deliver(site.push())
    await until(exists(site, "started"))
    _, answer = await server.deliver(site.push())
    await server.matched(answer["run"])

    docker("rm", "--force", site.id)
    (site.directory / "go").touch()
    site.id = site._start("replaced")

    run = await server.finished(answer["run"])
    assert run["status"] == "succeeded", (run["steps"], server.log())
    assert run["steps"][-1]["gitref"] == site.head


@pytest.mark.both_engines
async def test_a_container_that_goes_in_the_middle_of_a_step_ends_it_with_the_reason(
    make_site, make_server, docker, until
):
    site, server = make_site("midway"), await make_server()
    site.script("touch /srv/started; sleep 1000")
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))

    docker("rm", "--force", site.id)

    run = await server.finished(answer["run"])
    [step] = run["steps"]
    assert (step["status"], step["outcome"]) == ("failed", "error")
    assert step["reason"] == "its container was removed while it ran"
    site.id = site._start("midway")


@pytest.mark.both_engines
async def test_a_step_past_its_timeout_is_stopped_with_all_of_its_processes(
    make_site, make_server, docker, run_id
):
    site = make_site("slow", project=f"{run_id}-slow")
    server = await make_server(projects=f'{{"{run_id}-slow": {{timeout: 1s}}}}')
    site.script("sleep 1234 & setsid sleep 1235 & sleep 1236")
    await server.knows(site)

    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"])

    assert run["steps"][0]["status"] == "timed_out"
    left = docker("exec", site.id, "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    assert "sleep 123" not in left
    _, found = await server.api("GET", f"/containers/{site.container}")
    assert found["dirty"] is True


@pytest.mark.both_engines
async def test_containers_come_go_and_hide_within_a_second(  # noqa: PLR0917 - fixtures
    make_site, make_server, docker, start_container, run_id, until
):
    server = await make_server()
    hidden = start_container("hidden", labels={"hookrunner.enable": "false"})
    oci = start_container(
        "oci",
        image="debian:bookworm-slim",
        labels={
            "org.opencontainers.image.source": "https://git.example.net/ops/oci",
            "org.opencontainers.image.revision": "12" * 20,
        },
    )
    site = make_site("late")
    await server.knows(site)

    async def look():
        _, found = await server.api("GET", "/containers")
        return {one["id"]: one for one in found["items"]}

    async def knows_oci():
        known = await look()
        return known if oci in known else None

    known = await until(knows_oci)
    assert hidden not in known
    assert (known[oci]["git_repo"], known[oci]["gitref"]) == (
        "https://git.example.net/ops/oci",
        "12" * 20,
    )
    assert known[oci]["methods"] == []

    docker("rename", site.container, f"{run_id}-renamed")

    async def renamed():
        return (await look())[site.id]["name"] == f"{run_id}-renamed"

    await until(renamed, seconds=2)
    docker("rm", "--force", site.id)

    async def gone():
        return site.id not in await look()

    await until(gone, seconds=2)


async def test_one_container_goes_first_and_a_failure_there_stops_the_others(
    make_site, make_server, run_id
):
    project = f"{run_id}-rolled"
    sites = [make_site(f"roll{n}", project=project) for n in range(3)]
    server = await make_server()
    sites[0].script("exit 65")
    await server.knows(*sites)

    _, answer = await server.deliver(sites[0].push())
    run = await server.finished(answer["run"])

    assert [step["status"] for step in run["steps"]] == ["failed", "cancelled", "cancelled"]
    assert run["status"] == "failed"
    assert sites[0].container in run["steps"][1]["reason"]

    for site in sites:
        site.script("true")
    _, answer = await server.api(
        "POST", "/updates", body={"project": project}, Accept="application/json"
    )
    run = await server.finished(answer["id"])
    times = [(step["started_at"], step["finished_at"]) for step in run["steps"]]
    assert [step["outcome"] for step in run["steps"]] == ["current"] * 3
    assert times[0][1] <= min(times[1][0], times[2][0])
