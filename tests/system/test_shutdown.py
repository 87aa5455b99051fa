"""SIGTERM: nothing more is accepted, what runs gets its time, what takes longer lives on."""

import asyncio
import contextlib
import random
import signal

import aiohttp
import pytest

pytestmark = pytest.mark.engine
WAITING = "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.05; done; exit 65"


async def begin(site, server, until):
    site.script(WAITING)
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def has_started():
        return (site.directory / "started").exists()

    await until(has_started)
    return answer["run"]


async def refuses(server, site):
    """Whether a new connection is refused."""
    try:
        await server.deliver(site.push())
    except aiohttp.ClientConnectorError:
        return True
    return False


async def test_a_server_that_stops_accepts_nothing_and_waits_for_what_runs(
    make_site, make_server, until
):
    site, server = make_site("drained"), await make_server(drain="30s")
    run = await begin(site, server, until)

    server.process.send_signal(signal.SIGTERM)
    await until(lambda: refuses(server, site))
    assert server.process.poll() is None
    (site.directory / "go").touch()

    assert await asyncio.to_thread(server.process.wait, 30) == 0
    assert "steps go on in their containers" not in server.log()
    await server.start()
    _, found = await server.api("GET", f"/runs/{run}")
    [step] = found["steps"]
    assert (step["status"], step["exit_code"], step["truncated"]) == ("failed", 65, False)


async def test_a_second_signal_ends_the_waiting_and_the_step_lives_on(
    make_site, make_server, until
):
    site, server = make_site("second"), await make_server(drain="1h")
    run = await begin(site, server, until)

    server.process.send_signal(signal.SIGTERM)
    await until(lambda: refuses(server, site))
    server.process.send_signal(signal.SIGTERM)

    assert await asyncio.to_thread(server.process.wait, 30) == 0
    assert "steps go on in their containers" in server.log()
    await server.start()
    (site.directory / "go").touch()
    [step] = (await server.finished(run))["steps"]
    assert (step["status"], step["exit_code"]) == ("failed", 65)


@pytest.mark.parametrize("ends", [4, pytest.param(40, marks=pytest.mark.soak)])
async def test_an_end_at_once_starts_what_was_made_and_leaves_no_exec_in_the_engine(  # noqa: PLR0917
    make_site, make_server, execs_of, until, pause, ends
):
    chance = random.Random(13)  # noqa: S311 - no secret
    sites = [make_site(f"made{n}") for n in range(3)]
    server = await make_server(drain="1h")
    for site in sites:
        site.script('echo "$HOOKRUNNER_STEP" >>/srv/began; exit 65')
    await server.knows(*sites)
    runs = []

    for number in range(ends):
        bodies = [site.body(f"{number:040x}", f"{number + 1:040x}") for site in sites]
        answers = await asyncio.gather(*map(server.deliver, bodies))
        runs += [answer["run"] for _, answer in answers]
        await pause(chance.uniform(0, 0.1))
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGINT)
        assert await asyncio.to_thread(server.process.wait, 30) == 0
        await server.start()

    found = [await server.finished(run) for run in runs]
    steps = [step for run in found for step in run["steps"]]
    assert {step["status"] for step in steps} <= {"failed", "superseded"}
    for site in sites:
        began = (site.directory / "began").read_text().split()
        assert len(began) == len(set(began))

    async def no_exec_is_left():
        return not execs_of(*sites)

    await until(no_exec_is_left)


@pytest.mark.parametrize("restarts", [2, pytest.param(20, marks=pytest.mark.soak)])
async def test_restarts_under_load_lose_nothing_and_end_each_update_once(
    make_site, make_server, pause, measured, restarts
):
    chance = random.Random(7)  # noqa: S311 - no secret
    sites = [make_site(f"restart{n}") for n in range(3)]
    server = await make_server(drain="1s")
    for site in sites:
        site.script(
            'mkdir /srv/lock || echo "$HOOKRUNNER_STEP" >>/srv/overlaps;'
            ' echo "$HOOKRUNNER_STEP" >>/srv/began;'
            f" sleep {chance.uniform(0.1, 3):.1f}; rmdir /srv/lock; exit 65"
        )
    await server.knows(*sites)
    numbers = iter(range(10**6))
    accepted = []

    async def push_for_ever(site):
        while True:
            number = next(numbers)
            with contextlib.suppress(aiohttp.ClientError):
                body = site.body(f"{number:040x}", f"{number + 1:040x}")
                status, answer = await server.deliver(body)
                if status == 202:
                    accepted.append(answer["run"])
            await pause(0.1)

    async with asyncio.TaskGroup() as group:
        pushing = [group.create_task(push_for_ever(site)) for site in sites]
        for _ in range(restarts):
            await pause(chance.uniform(0.5, 2))
            await asyncio.to_thread(server.stop)
            await server.start()
        for task in pushing:
            task.cancel()

    runs = [await server.finished(run) for run in accepted]
    steps = {step["id"]: step for run in runs for step in run["steps"]}
    measured(f"{restarts} restarts under load: {len(runs)} accepted, all of them ended")
    assert {step["status"] for step in steps.values()} <= {"failed", "superseded"}
    for site in sites:
        began = (site.directory / "began").read_text().split()
        assert not (site.directory / "overlaps").exists()
        assert len(began) == len(set(began))
        assert {steps[step]["exit_code"] for step in began} == {65}
