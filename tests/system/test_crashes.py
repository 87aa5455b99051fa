"""kill -9, again and again: nothing accepted is lost, nothing overlaps, nothing stays open."""

import asyncio
import random
import re
import time

import aiohttp
import pytest

AT_ONCE = 10
"""Senders at the same time."""
AT_ONCE_MADE = 4
"""Execs that a server makes at the same time: `max_parallel` at its default."""
RESOLVED = 30.0
"""Seconds after a start in which every step that ran before is over."""

UPDATE = """\
mkdir /srv/lock 2>/dev/null || echo "$HOOKRUNNER_STEP" >>/srv/overlaps
echo "$HOOKRUNNER_STEP" >>/srv/began
echo '>> Working'
sleep 0.$(od -An -N1 -tu1 /dev/urandom | tr -d ' ')
code=$(( $(od -An -N1 -tu1 /dev/urandom) % 9 + 60 ))
echo "$HOOKRUNNER_STEP $code" >>/srv/ended
rmdir /srv/lock
exit $code"""
"""An update that keeps its own record: began, ended with which code, ran beside another."""


async def gather(functions):
    """Call them, some at a time; give what they return."""
    slots = asyncio.Semaphore(AT_ONCE)

    async def one(function):
        async with slots:
            return await function()

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(function)) for function in functions]
    return [task.result() for task in tasks]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("kills", "deliveries"), [(3, 20), pytest.param(20, 150, marks=pytest.mark.soak)]
)
async def test_kill_9_between_the_answer_and_the_start_loses_no_delivery(
    make_site, make_server, measured, kills, deliveries
):
    chance = random.Random(3)  # noqa: S311 - no secret
    sites = [make_site(f"lost{n}") for n in range(3)]
    server = await make_server()
    for site in sites:
        site.script("exit 65")
    await server.knows(*sites)
    pushes = [
        site.body(f"{n:040x}", f"{n + 1:040x}")
        for n in range(kills * deliveries)
        for site in [sites[n % len(sites)]]
    ]
    accepted, unanswered = [], 0

    async def deliver(body, last):
        try:
            status, answer = await server.deliver(body)
        except aiohttp.ClientError:
            return False
        assert status == 202
        accepted.append(answer["run"])
        if len(accepted) == last:
            server.process.kill()
        return True

    for number in range(kills):
        some = pushes[number * deliveries : (number + 1) * deliveries]
        last = len(accepted) + chance.randint(deliveries // 3, deliveries // 2)
        told = await gather([lambda body=body, last=last: deliver(body, last) for body in some])
        unanswered += told.count(False)
        server.kill()
        await server.start()

    runs = await gather([lambda run=run: server.finished(run) for run in accepted])
    measured(
        f"{kills} kills between 202 and start: {len(accepted)} deliveries accepted,"
        f" {unanswered} unanswered, {len(accepted) - len(runs)} lost"
    )
    assert len(accepted) >= kills * (deliveries // 3)
    assert [run["id"] for run in runs] == accepted
    assert {run["status"] for run in runs} <= {"failed", "superseded"}
    assert len(accepted) + unanswered == kills * deliveries


@pytest.mark.engine
@pytest.mark.parametrize("kills", [5, pytest.param(200, marks=pytest.mark.soak)])
async def test_kill_9_while_updates_run_lets_none_overlap_and_tells_how_each_ended(  # noqa: PLR0917
    make_site, make_server, docker, execs_of, until, pause, measured, kills
):
    chance = random.Random(5)  # noqa: S311 - no secret
    sites = [make_site(f"mid{n}") for n in range(3)]
    server = await make_server()
    for site in sites:
        site.script(UPDATE)
    await server.knows(*sites)
    runs = []

    longest = 0.0
    for number in range(kills):
        for site in sites:
            body = site.body(f"{number:040x}", f"{number + 1:040x}")
            _, answer = await server.deliver(body)
            runs.append(answer["run"])
        await pause(chance.uniform(0, 0.5))
        _, running = await server.api("GET", "/runs?status=running")
        server.kill()
        started = time.monotonic()
        await server.start()
        for run in running["items"]:
            await until(lambda run=run: no_step_runs_of(server, run), seconds=RESOLVED)
        longest = max(longest, time.monotonic() - started)
        assert longest < RESOLVED

    found = await gather([lambda run=run: server.finished(run) for run in runs])
    steps = {step["id"]: step for run in found for step in run["steps"]}
    interrupted = sum(step["status"] == "interrupted" for step in steps.values())
    server.kill()

    async def nothing_runs():
        return all(len(docker("top", site.id, "-o", "pid").splitlines()) == 3 for site in sites)

    await until(nothing_runs)  # but docker-init and the container's own
    left = len(execs_of(*sites))
    measured(
        f"{kills} kills in mid-run: {len(steps)} steps, {interrupted} interrupted before their"
        f" start, all others with their true code, no step open for more than {longest:.1f} s;"
        f" {left} execs made and never started"
    )
    assert left <= AT_ONCE_MADE * kills
    for site in sites:
        docker("restart", "--time", "0", site.id)
    assert execs_of(*sites) == []  # they go with the container's next start
    told = {
        step_id: step["exit_code"]
        for step_id, step in steps.items()
        if step["status"] not in {"superseded", "interrupted"}
    }
    for site in sites:
        began = (site.directory / "began").read_text().split()
        ended = re.findall(r"(\S+) (\d+)", (site.directory / "ended").read_text())
        assert not (site.directory / "overlaps").exists()
        assert len(began) == len(set(began))
        assert {step: told.pop(step, None) for step in began} == {
            step: int(code) for step, code in ended
        }
    assert told == {}


async def no_step_runs_of(server, run):
    """Whether those steps of a run that ran then have ended."""
    _, now = await server.api("GET", f"/runs/{run['id']}")
    status = {step["id"]: step["status"] for step in now["steps"]}
    return all(
        status[step["id"]] != "running" for step in run["steps"] if step["status"] == "running"
    )
