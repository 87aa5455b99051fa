"""People with curl and the command line."""

import json

import aiohttp
import pytest

pytestmark = pytest.mark.engine


async def ask(server, method, path, *, token=None, body=None, accept="*/*"):
    """Ask as curl does; give the status, the content type and the text."""
    headers = {"Accept": accept} | ({"Authorization": f"Bearer {token}"} if token else {})
    async with (
        aiohttp.ClientSession() as session,
        session.request(
            method, f"{server.url}/api/v1{path}", json=body, headers=headers
        ) as answer,
    ):
        return answer.status, answer.content_type, await answer.text()


def token_for(server, *words):
    made = server.cli("token", "create", *words)
    assert made.returncode == 0, made.stderr
    [line] = made.stdout.decode().splitlines()
    assert line.startswith("hr_")
    return line


async def test_a_token_starts_a_run_and_sees_it_in_every_form(make_site, make_server):
    site, server = make_site("curl"), await make_server()
    site.script("echo '>> Fetching'; git -C /srv/data pull -q")
    await server.knows(site)
    token = token_for(server, "ops", "--scope", "run")
    site.push()

    status, kind, text = await ask(
        server, "POST", "/updates", token=token, body={"project": site.project}
    )

    assert (status, kind) == (200, "text/plain")
    assert text.startswith(">> Fetching\n")
    assert " succeeded: 1 updated, 0 failed in " in text.splitlines()[-1]

    site.push()
    status, _, text = await ask(
        server,
        "POST",
        "/updates",
        token=token,
        body={"container": site.container, "reason": "by hand"},
        accept="application/x-ndjson",
    )
    events = [json.loads(line) for line in text.splitlines()]
    assert {"step", "phase", "output", "result"} <= {event["type"] for event in events}
    assert events[-1]["steps"][0]["outcome"] == "updated"

    status, kind, text = await ask(
        server,
        "POST",
        "/validations",
        token=token,
        body={"repository": site.repository},
        accept="application/json",
    )
    run = json.loads(text)
    assert (status, kind, run["trigger"], run["action"]) == (
        202,
        "application/json",
        "manual",
        "validate",
    )
    assert run["requested_by"] == "token ops"
    finished = await server.finished(run["id"])
    assert finished["steps"][0]["outcome"] == "valid"


async def test_doors_stay_shut_without_the_right_token(make_site, make_server):
    site, server = make_site("doors"), await make_server()
    await server.knows(site)
    reader = token_for(server, "reader", "--scope", "read")
    other = token_for(server, "other", "--scope", "run", "--project", "nothing-*")
    body = {"project": site.project}

    assert (await ask(server, "GET", "/runs"))[0] == 401
    assert (await ask(server, "GET", "/runs", token="hr_wrong"))[0] == 401
    assert (await ask(server, "POST", "/updates", token=reader, body=body))[0] == 403
    assert (await ask(server, "POST", "/updates", token=other, body=body))[0] == 404
    status, _, text = await ask(server, "GET", "/containers", token=other)
    assert (status, json.loads(text)["items"]) == (200, [])

    assert server.cli("token", "revoke", "reader").returncode == 0
    assert (await ask(server, "GET", "/runs", token=reader))[0] == 401
    assert reader.encode() not in (server.directory / "state" / "hookrunner.db").read_bytes()


async def test_what_matches_nothing_is_404_with_the_near_misses(make_site, make_server):
    site, server = make_site("near"), await make_server()
    await server.knows(site)
    part = site.project[:-1]

    status, found = await server.api("POST", "/updates", body={"project": part})

    assert status == 404
    assert found["verdicts"][0]["container"] == site.container
    assert found["verdicts"][0]["remedy"]
    for body in ({}, {"project": "a", "image": "b"}, {"projcet": "a"}):
        status, found = await server.api("POST", "/updates", body=body)
        assert (status, bool(found["title"])) == (400, True), body


async def test_the_command_line_runs_shows_and_ends_as_the_run_did(make_site, make_server):
    site, server = make_site("cli"), await make_server()
    site.script("echo '>> Fetching'; git -C /srv/data pull -q; echo done")
    await server.knows(site)
    site.push()

    done = server.cli("update", site.project)

    assert done.returncode == 0, done.stderr
    lines = done.stdout.decode().splitlines()
    assert lines[:2] == [">> Fetching", "done"]
    run = lines[-1].split()[2]
    assert site.container in server.cli("ps").stdout.decode()
    assert run in server.cli("runs").stdout.decode()
    shown = json.loads(server.cli("show", run, "--json").stdout)
    assert (shown["status"], shown["trigger"]) == ("succeeded", "manual")
    assert server.cli("logs", run).stdout.decode().splitlines()[:2] == [">> Fetching", "done"]

    site.script("exit 65")
    assert server.cli("update", site.project).returncode == 1
    assert server.cli("update", "nothing-like-it").returncode == 3
    assert server.cli("update").returncode == 2

    server.stop()
    assert run in server.cli("runs").stdout.decode()
    assert server.cli("logs", run).stdout.decode().splitlines()[:2] == [">> Fetching", "done"]
    assert server.cli("update", site.project).returncode == 69


async def test_explain_says_what_a_payload_would_reach(make_site, make_server, tmp_path):
    site, server = make_site("explain"), await make_server()
    await server.knows(site)
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps(site.push()))

    told = server.cli("explain", "--payload", str(payload), "--forge", "github", "--json")

    assert told.returncode == 0, told.stderr
    assert site.container in told.stdout.decode()
    assert "git_repo" in told.stdout.decode()
    _, runs = await server.api("GET", "/runs")
    assert runs["items"] == []


@pytest.mark.both_engines
@pytest.mark.through_gate
async def test_a_projects_own_commands_serve_an_image_without_container(
    make_site, make_server, run_id
):
    site = make_site("stock", image="debian:bookworm-slim", project=f"{run_id}-stock")
    server = await make_server(
        projects=f'{{"{run_id}-stock": {{update: [sh, -c, "echo hello world; exit 65"],'
        f' gitref: [cat, /srv/gitref], validate: ["true"]}}}}'
    )
    (site.directory / "gitref").write_text("ab" * 20)
    await server.knows(site)

    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"])

    step = run["steps"][0]
    assert (step["exit_code"], step["outcome"]) == (65, "invalid")
    _, found = await server.api("GET", f"/containers/{site.container}")
    assert (found["current_gitref"], found["dirty"], found["behind"]) == ("ab" * 20, True, True)
    assert found["methods"] == ["update", "validate"]
