"""A step past its end is dead with all that it started, and nothing else is."""

import pytest

pytestmark = pytest.mark.engine
STEP, SERVICE, LEFT = "31415", "27182", "16180"
"""How long the processes sleep: of the step, of the container's own service, and of what the
step left behind on purpose."""
SLEEP = f"sleep {STEP}"
AS_OTHER = "setpriv --reuid 1234 --regid 1235 --clear-groups"
KINDS = {
    "a child": f"{SLEEP} & wait",
    "a session of its own": f"setsid {SLEEP} & wait",
    "no environment": f"env -i {SLEEP} & wait",
    "neither, while its parent lives": f"env -i setsid {SLEEP} & wait",
    "an orphan": f"({SLEEP} &); sleep {STEP}",
    "an orphan in a session of its own": f"(setsid {SLEEP} &); sleep {STEP}",
    "deaf": f"trap '' TERM HUP INT; while :; do {SLEEP}; done",
    "stopped": f"sh -c 'kill -STOP $$; {SLEEP}' & wait",
    "another user": f"{AS_OTHER} {SLEEP} & wait",
    "another user's orphan, in a session of its own": (
        f"({AS_OTHER} setsid sh -c 'trap \"\" TERM; {SLEEP}; {SLEEP}' &); sleep {STEP}"
    ),
}
TOGETHER = "\n".join(f"( {script} ) &" for script in KINDS.values()) + "\nwait"
SERVES = ("sh", "-c", f"setsid sleep {SERVICE} & sleep {SERVICE}")
GRACE = 10
DAEMON = f"(env -u HOOKRUNNER_STEP setsid sleep {LEFT} >/dev/null 2>&1 &)"


def running(docker, container):
    """The command lines in a container, as its host sees them."""
    return docker("top", container, "-eo", "pid,stat,args")


@pytest.fixture
async def victim(make_site, make_server, run_id):
    """A function: a server, and a container whose updates time out, as some user."""

    async def make(script, *, user=None):
        project = f"{run_id}-victim"
        settings = "timeout: 2s" + (f", user: '{user}'" if user else "")
        site = make_site("victim", project=project, command=SERVES)
        server = await make_server(projects=f'{{"{project}": {{{settings}}}}}')
        site.script(script)
        await server.knows(site)
        return site, server

    return make


@pytest.mark.through_gate
async def test_ten_kinds_of_processes_are_dead_at_the_end_and_services_live(victim, docker):
    site, server = await victim(f"{DAEMON}\n{TOGETHER}")

    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"], seconds=60)

    [step] = run["steps"]
    assert step["status"] == "timed_out", step
    left = running(docker, site.id)
    assert STEP not in left, left
    assert left.count(SERVICE) >= 2, left
    assert LEFT in left


async def test_a_cancelled_step_is_dead_and_prints_to_its_last_word(
    make_site, make_server, docker, until
):
    site, server = make_site("ended"), await make_server()
    site.script(f"trap 'echo last word; exit 1' TERM; touch /srv/started; {SLEEP} & wait; wait")
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def started():
        return (site.directory / "started").exists()

    await until(started)
    status, _ = await server.api("POST", f"/runs/{answer['run']}/cancel")
    run = await server.finished(answer["run"])

    assert (status, run["status"]) == (202, "cancelled")
    [step] = run["steps"]
    assert "cancelled by" in step["reason"]
    _, printed = await server.api(
        "GET", f"/runs/{run['id']}/output?step={step['id']}&stream=stdout"
    )
    assert printed == b"last word\n"
    assert STEP not in running(docker, site.id)


async def test_a_cancel_survives_a_crash(make_site, make_server, docker, until):
    site, server = make_site("doomed"), await make_server()
    site.script(f"trap '' TERM; touch /srv/started; while :; do {SLEEP}; done")
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def started():
        return (site.directory / "started").exists()

    await until(started)
    await server.api("POST", f"/runs/{answer['run']}/cancel")

    async def recorded():
        _, found = await server.api("GET", f"/runs/{answer['run']}")
        return found["steps"][0]["status"] == "running"

    await until(recorded)
    server.kill()
    await server.start()

    run = await server.finished(answer["run"], seconds=60)
    assert run["status"] == "cancelled", run["steps"]
    assert STEP not in running(docker, site.id)


@pytest.mark.soak
@pytest.mark.parametrize("user", [None, "1234"])
@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_is_dead_in_time(victim, docker, kind, user):
    if user and "setpriv" in KINDS[kind]:
        pytest.skip("only root can become another user")
    site, server = await victim(f"{DAEMON}\n{KINDS[kind]}", user=user)

    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"], seconds=60)

    [step] = run["steps"]
    assert step["status"] == "timed_out", step
    left = running(docker, site.id)
    assert STEP not in left, left
    assert left.count(SERVICE) >= 2, left
    assert LEFT in left
    assert step["seconds"] < 2 + GRACE + 5
