"""Holds: nothing starts, nothing is lost, and the newest push runs on release."""

import aiohttp
import pytest

pytestmark = pytest.mark.engine


async def test_a_hold_survives_a_restart_and_the_newest_push_runs_on_release(
    make_site, make_server
):
    site, server = make_site("held"), await make_server()
    await server.knows(site)

    held = server.cli("hold", site.project, "--for", "2h", "--reason", "moving house")
    assert held.returncode == 0, held.stderr
    assert f"held: {site.container} until " in held.stderr.decode()
    answers = [(await server.deliver(site.push()))[1] for _ in range(3)]
    server.stop()
    await server.start()
    await server.knows(site)
    last = (await server.deliver(site.push()))[1]

    _, container = await server.api("GET", f"/containers/{site.container}")
    run = await server.matched(last["run"])
    listed = server.cli("hold")
    assert container["held"] is True
    assert run["status"] == "queued"
    assert "held by user " in run["steps"][0]["reason"]
    assert "moving house" in run["steps"][0]["reason"]
    assert site.project in listed.stdout.decode()

    released = server.cli("release", site.project)
    assert released.returncode == 0, released.stderr
    run = await server.finished(last["run"])
    [step] = run["steps"]
    assert (step["outcome"], step["gitref"]) == ("updated", site.head)
    for answer in answers:
        [earlier] = (await server.finished(answer["run"]))["steps"]
        assert (earlier["status"], earlier["superseded_by"]) == ("superseded", step["id"])
    _, container = await server.api("GET", f"/containers/{site.container}")
    assert container["held"] is False


async def test_of_a_project_the_containers_that_are_not_held_go_on(
    make_site, make_server, until, run_id
):
    pair = f"{run_id}-pair"
    sites = [make_site(name, project=pair, repository=pair) for name in ("one", "two")]
    server = await make_server()
    await server.knows(*sites)
    await server.api("POST", "/holds", body={"container": sites[0].container})

    _, answer = await server.deliver(sites[1].push())

    async def steps_once_it_ended(site):
        async def look():
            _, run = await server.api("GET", f"/runs/{answer['run']}")
            steps = {step["container"]: step for step in reversed(run["steps"])}
            return steps if steps.get(site.container, {}).get("finished_at") else None

        return await until(look)

    steps = await steps_once_it_ended(sites[1])
    assert steps[sites[1].container]["status"] == "succeeded"
    assert steps[sites[0].container]["status"] == "queued"

    server.cli("hold", pair)
    wrong = server.cli("release", f"container:{sites[1].container}")
    assert wrong.returncode == 3
    assert f"hookrunner release {pair}" in wrong.stderr.decode()
    assert server.cli("release", pair).returncode == 0
    steps = await steps_once_it_ended(sites[0])
    assert steps[sites[0].container]["exit_code"] == 0


async def test_a_token_holds_and_releases_its_own_projects_only(make_site, make_server):
    site, other = make_site("mine"), make_site("yours")
    server = await make_server()
    await server.knows(site, other)
    token = server.cli("token", "create", "me", "--scope", "run", "--project", site.project)
    headers = {"Authorization": f"Bearer {token.stdout.decode().strip()}"}
    server.cli("hold", other.project)

    async def ask(path, body):
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{server.url}/api/v1{path}", json=body) as answer,
        ):
            return answer.status, await answer.text()

    image = (await server.api("GET", f"/containers/{site.container}"))[1]["image"]
    assert (await ask("/holds", {"project": other.project}))[0] == 404
    assert (await ask("/releases", {"project": other.project}))[0] == 404
    status, told = await ask("/holds", {"image": image})
    assert (status, site.container in told, other.container in told) == (201, True, False)
    status, told = await ask("/releases", {"project": site.project})
    assert (status, other.container in told) == (200, False)
