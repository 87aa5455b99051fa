"""A changed configuration, put in force while the server works, or refused as a whole."""

import asyncio
import json
import signal

import aiohttp
import pytest

pytestmark = pytest.mark.process


async def test_secret_is_rotated_under_load_with_no_refused_delivery(program):
    old, new = b"the first secret of the tests", b"the second secret of the tests"
    program.start()
    answers, is_over, signing = [], asyncio.Event(), [old]

    async def send(session):
        while not is_over.is_set():
            answers.append((await program.push(session, secret=signing[0]))[0])

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(4):
            group.create_task(send(session))
        for secrets in ((new, old), (new,)):
            program.keep_secrets(*secrets)
            program.configure()
            await asyncio.to_thread(program.run, "reload")
            signing[0] = new
            later = [await program.push(session, secret=new) for _ in range(20)]
            answers += [status for status, _ in later]  # what was signed before is through
        is_over.set()
    async with aiohttp.ClientSession() as session:
        refused, _ = await program.push(session, secret=old)

    assert {*answers} == {202}
    assert refused == 401


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("max_parallel: none", "hookrunner.yaml:4:15: `max_parallel` must be a whole number"),
        (
            "projects: {bind: {timeout: 5}}",
            "hookrunner.yaml:4:28: `timeout` must be a duration",
        ),
    ],
)
async def test_mistake_is_told_with_its_place_and_changes_nothing(program, line, told):
    program.start()
    program.configure(line)

    done = program.run("reload", check=False)
    program.process.send_signal(signal.SIGHUP)
    program.wait_for(lambda: "reload refused" in program.said())

    assert done.returncode == 78
    assert told in done.stderr
    assert told in program.said().replace("\\", "")
    async with aiohttp.ClientSession() as session:
        assert (await program.push(session))[0] == 202


async def test_missing_secret_refuses_the_reload(program):
    program.start()
    (program.place / "secret.0").unlink()

    done = program.run("reload", check=False)

    assert done.returncode == 78
    assert "hookrunner.yaml:3:" in done.stderr
    assert "secret.0 does not exist" in done.stderr
    async with aiohttp.ClientSession() as session:
        assert (await program.push(session))[0] == 202


async def test_stream_goes_on_through_a_reload_that_takes_its_address_away(program, free_port):
    program.start()
    elsewhere = free_port()
    events = f"{program.url}/api/v1/events"
    token = program.run("token", "create", "x", "--scope", "read").stdout.strip()
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}

    async with (
        aiohttp.ClientSession() as session,
        session.get(events, headers=headers) as following,
    ):
        program.configure(listen=f"127.0.0.1:{elsewhere}")
        said = await asyncio.to_thread(program.run, "reload", "--json")
        url = f"http://127.0.0.1:{elsewhere}"
        async with aiohttp.ClientSession() as other:
            status, accepted = await program.push(other, url=url)
            with pytest.raises(aiohttp.ClientConnectorError):
                await program.push(other)
        async with asyncio.timeout(60):
            while accepted["run"].encode() not in await following.content.readline():
                pass

    assert json.loads(said.stdout) == {"changed": ["listen"], "kept": []}
    assert status == 202


async def test_address_that_is_taken_refuses_the_whole_reload(program, free_port):
    program.start()
    taken = free_port()
    with_both = f"[127.0.0.1:{program.port}, 127.0.0.1:{taken}]"
    other = await asyncio.start_server(lambda *_: None, "127.0.0.1", taken)
    program.configure("max_parallel: 9", listen=with_both)

    async with other:
        done = await asyncio.to_thread(program.run, "reload", check=False)
    again = await asyncio.to_thread(program.run, "reload", "--json")

    assert done.returncode == 69
    assert f"cannot listen on 127.0.0.1:{taken}" in done.stderr
    assert json.loads(again.stdout)["changed"] == ["listen", "max_parallel"]


async def test_address_serves_something_else_without_being_closed(program):
    program.configure(listen=f"[{{address: '127.0.0.1:{program.port}', serves: [hooks]}}]")
    program.start()
    before = (await program.get("/", url=program.url, allow_redirects=False))[0]
    program.configure(listen=f"[{{address: '127.0.0.1:{program.port}', serves: [page]}}]")

    program.run("reload")

    after = (await program.get("/", url=program.url, allow_redirects=False))[0]
    hooks = (await program.get("/hooks", url=program.url, method="POST"))[0]
    assert (before, after, hooks) == (404, 303, 404)


async def test_state_is_said_to_need_a_restart(program):
    program.start()
    program.file.write_text(
        program.file.read_text().replace(f"state: {program.state}", f"state: {program.place}/x")
    )

    program.process.send_signal(signal.SIGHUP)
    program.wait_for(lambda: "not changed by the reload" in program.said())

    assert f"`state` stays {program.state}: restart hookrunner for it" in program.said()


async def test_engines_come_and_go(program):
    program.start()
    program.configure(f"engines: {{far: 'unix://{program.place}/far.sock'}}")

    program.run("reload")

    _, health = await program.get("/api/v1/health")
    assert [*health["engines"]] == ["far"]
    program.wait_for(lambda: '"engine": "far"' in program.said())
