"""Containers that are stopped, replaced, renamed or paused in the middle of a step."""

import time

import pytest

pytestmark = pytest.mark.engine
SOON = 10.0
"""Seconds in which a step ends once its container went away."""
LONG = (
    "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.1; done; git -C /srv/data pull -q"
)


def stop(docker, site, _):
    docker("stop", "--time", "1", site.id)
    return lambda: docker("start", site.id)


def kill(docker, site, _):
    docker("kill", site.id)
    return lambda: docker("start", site.id)


def restart(docker, site, _):
    docker("restart", "--time", "1", site.id)
    return lambda: None


def remove(docker, site, again):
    docker("rm", "--force", site.id)
    return again


def recreate(docker, site, again):
    docker("rm", "--force", site.id)
    again()
    return lambda: None


def pause(docker, site, _):
    docker("pause", site.id)
    return lambda: (docker("unpause", site.id), (site.directory / "go").touch())


ACTIONS = {
    stop: ("failed", "stopped while it ran"),
    kill: ("failed", "stopped while it ran"),
    restart: ("failed", "was restarted while it ran"),
    remove: ("failed", "was removed while it ran"),
    recreate: ("failed", "was removed while it ran"),
    pause: ("stuck", "was paused while it ran"),
}
HEALED = [["interrupted", "succeeded"], ["interrupted", "superseded"]]
"""What was paused is stopped and runs once more, unless a newer push comes first."""


@pytest.mark.parametrize(
    ("action", "times"),
    [pytest.param(action, 1, id=f"{action.__name__} once") for action in (stop, restart)]
    + [
        pytest.param(action, 20, id=f"{action.__name__} 20 times", marks=pytest.mark.soak)
        for action in ACTIONS
    ],
)
async def test_a_step_ends_with_the_reason_and_the_next_push_reaches_what_is_there_then(  # noqa: PLR0917
    make_site, make_server, docker, until, action, times
):
    site, server = make_site("midway"), await make_server()
    status, reason = ACTIONS[action]

    def again():
        site.id = site._start("midway")

    for _ in range(times):
        site.script(LONG)
        for name in ("started", "go"):
            (site.directory / name).unlink(missing_ok=True)
        await server.knows(site)
        _, answer = await server.deliver(site.push())

        async def started():
            return (site.directory / "started").exists()

        await until(started)
        begun = time.monotonic()
        undo = action(docker, site, again)
        run = await server.finished(answer["run"], seconds=3 * SOON)
        took = time.monotonic() - begun

        step = run["steps"][0]
        assert (step["status"], step["exit_code"]) == (status, None), step
        assert reason in step["reason"]
        assert times == 1 or took < SOON
        undo()
        site.script("git -C /srv/data pull -q")
        await server.knows(site)
        _, following = await server.deliver(site.push())
        after = await server.finished(following["run"], seconds=60)
        assert after["status"] == "succeeded", after["steps"]
        if status == "stuck":
            _, healed = await server.api("GET", f"/runs/{run['id']}")
            assert [step["status"] for step in healed["steps"]] in HEALED


@pytest.mark.parametrize(
    "times", [1, pytest.param(20, marks=pytest.mark.soak)], ids=["once", "20 times"]
)
async def test_a_container_that_is_renamed_in_the_middle_goes_on_and_runs_one_at_a_time(  # noqa: PLR0917
    make_site, make_server, docker, until, run_id, times
):
    site, server = make_site("before"), await make_server()
    site.script(f"mkdir /srv/lock || touch /srv/overlap; {LONG}; rmdir /srv/lock")

    async def started():
        return (site.directory / "started").exists()

    for number in range(times):
        for name in ("started", "go"):
            (site.directory / name).unlink(missing_ok=True)
        await server.knows(site)
        _, answer = await server.deliver(site.push())
        await until(started)
        docker("rename", site.container, f"{run_id}-after{number}")
        site.container = f"{run_id}-after{number}"
        await server.knows(site)
        _, following = await server.deliver(site.push())
        (site.directory / "go").touch()

        run = await server.finished(answer["run"])
        assert run["status"] == "succeeded", run["steps"]
        after = await server.finished(following["run"])
        assert [step["container"] for step in after["steps"]] == [site.container]
        assert not (site.directory / "overlap").exists()
