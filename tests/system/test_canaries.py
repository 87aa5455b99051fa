"""Secrets that are put in wherever they can be, and looked for wherever something comes out."""

import asyncio
import json
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.engine

SECRET = "a secret of the tests, long enough of generic"
"""The source's own secret, as the fixtures make it."""
URL_SECRET, PATH_SECRET, WRONG_TOKEN = "canary-in-a-url", "canary-in-the-path", "hr_canary"


@pytest.fixture
async def server(make_server):
    made = await make_server()
    made.stop()
    made.config.write_text(
        made.config.read_text().replace("{format: json}", "{format: json, level: debug}")
    )
    return await made.start()


async def ask(server, path, token, accept):
    headers = {"Authorization": f"Bearer {token}", "Accept": accept}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/api/v1{path}", headers=headers) as answer,
    ):
        return f"{path} as {accept}", await answer.text()


async def raw(server, text):
    """Send what is no HTTP; give what is answered."""
    host, port = server.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.encode())
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    return answer.decode()


def processes():
    """The argument lists of all processes, those in containers too."""
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            yield one.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue


async def test_no_secret_comes_out_anywhere(make_site, server, run_id, until):
    project = f"{run_id}-canary"
    url = f"https://ada:{URL_SECRET}@git.example.net/ops/{project}.git"
    site = make_site(
        "canary",
        project=project,
        labels={"hookrunner.project": project, "hookrunner.repository": url},
    )
    site.script(
        f"echo '>> Fetching {url} with {SECRET}'; echo '{SECRET}'; echo 'from {url}' >&2\n"
        "while [ ! -e /srv/go ]; do sleep 0.1; done; git -C /srv/data pull -q; exit 3"
    )
    await server.knows(site)
    token = server.cli("token", "create", "canary", "--scope", "admin").stdout.decode().strip()
    body = site.push()
    body["repository"]["clone_url"] = url

    _, accepted = await server.deliver(body)
    run = accepted["run"]

    async def output():
        return (await ask(server, f"/runs/{run}/output?follow=false", token, "text/plain"))[1]

    await until(output)
    seen = {f"process {number}": line for number, line in enumerate(processes())}
    (site.directory / "go").touch()
    await server.finished(run)
    refused = [
        await server.deliver(body, path=f"/hooks/generic/{PATH_SECRET}", sign=False),
        await server.deliver(body, path=f"/hooks/{PATH_SECRET}", sign=False),
        await server.deliver(
            b"{", path="/hooks/generic", headers={"X-Hub-Signature-256": SECRET}
        ),
        await server.deliver({"ref": url}),
    ]
    seen |= {f"refusal {number}": json.dumps(one) for number, one in enumerate(refused)}
    seen["no HTTP"] = await raw(server, f"POST /hooks/{PATH_SECRET} \x01 HTTQ/1.1\r\n\r\n")
    seen["no header"] = await raw(server, f"POST / HTTP/1.1\r\n{SECRET}\x01: x\r\n\r\n")
    [step] = (await server.api("GET", f"/runs/{run}"))[1]["steps"]
    paths = [
        "/runs",
        f"/runs/{run}",
        f"/runs/{run}/output",
        f"/runs/{run}/output?step={step['id']}&stream=stdout",
        f"/runs/{run}/output?step={step['id']}&stream=stderr",
        "/deliveries",
        f"/deliveries/{accepted['delivery']}",
        "/containers?metadata=true",
        f"/containers/{site.container}?metadata=true",
        "/tokens",
        "/audit",
        "/health",
    ]
    await ask(server, f"/runs/{SECRET}", token, "application/json")
    paths += [f"/runs/{SECRET}", "/audit?limit=2"]
    seen |= dict([await ask(server, path, token, "application/json") for path in paths])
    for accept in ("text/plain", "text/event-stream", "application/x-ndjson"):
        name, text = await ask(server, f"/runs/{run}/output", token, accept)
        seen[name] = text
    _, refusal = await ask(server, "/runs", WRONG_TOKEN, "application/json")
    seen["a wrong token"] = refusal
    asked = [
        {"delivery": accepted["delivery"]},
        {"project": project},
        {"push": {"repository": f"ops/{project}", "ref": "refs/heads/x", "urls": [url]}},
    ]
    for one in asked:
        _, answer = await server.api("POST", "/explain", body=one)
        seen[f"explain {[*one]}"] = json.dumps(answer)
    commands = [
        ("ps",),
        ("deliveries", "last"),
        ("show", run),
        ("logs", run),
        ("token", "list"),
        ("audit-log",),
        ("explain", "--delivery", "last"),
        ("examine", site.container),
    ]
    for words in commands:
        done = server.cli(*words)
        seen[" ".join(words)] = (done.stdout + done.stderr).decode()
    server.stop()
    seen["the log"] = server.log()
    store = (server.directory / "state/hookrunner.db").read_text("latin-1")

    assert "*****" in seen[f"/runs/{run}/output as text/plain"], "nothing was there to hide"
    secrets = {
        "the source's": SECRET,
        "the URL's": URL_SECRET,
        "the path's": PATH_SECRET,
        "the token": token,
        "a wrong token": WRONG_TOKEN,
    }
    found = [
        (where, name)
        for where, text in seen.items()
        for name, one in secrets.items()
        if one in text
    ]
    assert found == []
    # Output is kept as it came, so of what a container printed its phases' titles are here.
    assert [one for one in (PATH_SECRET, token, WRONG_TOKEN) if one in store] == []
