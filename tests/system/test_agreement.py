"""Page, API and command line of one busy server say the same."""

import json
import os
import subprocess
import sys
from html.parser import HTMLParser

import aiohttp
import pytest

pytestmark = pytest.mark.engine
DEADLINE = 60


class Rows(HTMLParser):
    """The rows of a page's tables: where each leads, and what it says."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append(([], []))
        if tag == "a" and self.rows:
            self.rows[-1][0].append(dict(attrs)["href"])

    def handle_data(self, data):
        self.text += data
        if self.rows:
            self.rows[-1][1].append(data)

    def row(self, end):
        """What the row says that leads to an address with that end."""
        [found] = [said for links, said in self.rows if links and links[0].endswith(end)]
        return " ".join(" ".join(found).split())


def command(*words, **environment):
    """Run a command as a program of its own, against a server elsewhere."""
    clean = {name: told for name, told in os.environ.items() if "HOOKRUNNER" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "hookrunner", *words],
        env=clean | environment,
        capture_output=True,
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def make_busy(make_site, make_server, until):
    """One site of each kind, its pushes delivered; give the server, and how to let go."""
    names = ("good", "bad", "slow", "held")
    sites = {name: make_site(name) for name in names}
    sites["bad"].script("echo '>> Checking'; echo broken; exit 65")
    sites["slow"].script("echo '>> Waiting'; until [ -e /srv/go ]; do sleep 0.1; done")
    server = await make_server()
    await server.knows(*sites.values())
    await server.api("POST", "/holds", body={"project": sites["held"].project, "reason": "why"})
    for site in sites.values():
        await server.deliver(site.push())
    stray = sites["good"].body("1" * 40, "2" * 40)
    stray["repository"] |= {"full_name": "other/stray", "clone_url": None}
    await server.deliver(stray)

    async def settled():
        _, told = await server.api("GET", "/runs")
        found = sorted(one["status"] for one in told["items"] if one["trigger"] == "push")
        validated = [one["status"] for one in told["items"] if one["trigger"] == "schedule"]
        is_pushed = found == ["failed", "queued", "running", "succeeded"]
        return is_pushed and validated == ["succeeded"]

    await until(settled)
    return server, sites


def compare_commands(server, token, told):
    """The command line, by the control socket and from elsewhere."""
    asked = [((name,), told[name]) for name in ("ps", "runs", "deliveries", "hold")]
    asked += [(("show", one["id"]), one) for one in told["runs"]]
    asked += [(("deliveries", one["id"]), one) for one in told["deliveries"]]
    for words, expected in asked:
        here = server.cli(*words, "--json")
        there = command(*words, "--json", "--url", server.url, HOOKRUNNER_TOKEN=token)
        assert here.returncode == 0, here.stderr
        for said in (json.loads(here.stdout), json.loads(there)):
            assert (said["items"] if len(words) == 1 else said) == expected, words


async def compare_containers(page, told):
    shown = await page("/containers")
    for one in told["ps"]:
        said = shown.row(f"/{one['host']}/{one['name']}")
        assert (one["current_gitref"] or "not known")[:12] in said
        assert ("held" in said.split()) is one["held"]
        assert ("dirty" in said.split()) is one["dirty"]
        assert ("behind" in said.split()) is (bool(one["behind"]) and not one["dirty"])
        last = one["last_step"]
        assert (f"{last['status']} {last['outcome']}" if last else "nothing ran") in said


async def compare_runs(page, told):
    shown = await page("/runs?routine=on")
    for run in told["runs"]:
        said = shown.row(f"/runs/{run['id']}")
        assert said.startswith(run["status"])
        assert (run["repository"] or run["action"]) in said
        own = await page(f"/runs/{run['id']}")
        for number, step in enumerate(run["steps"], 1):
            assert step["container"] in said
            row = own.row(f"#s{number}")
            assert f"{step['status']} {step['outcome'] or ''}".strip() in row
            assert all(phase["title"] in row for phase in step["phases"])
            assert (step["reason"] or "") in row


async def compare_deliveries(page, told):
    shown = await page("/deliveries")
    for one in told["deliveries"]:
        said = shown.row(f"/deliveries/{one['id']}")
        assert said.startswith("ran" if one["run"] else f"ignored {one['ignored']}")
        own = await page(f"/deliveries/{one['id']}")
        assert all(verdict["reason"] in own.text for verdict in one["verdicts"])


async def compare_now(page, told):
    now = await page("/")
    for status, word in (("running", "running"), ("queued", "waiting")):
        assert f"{sum(one['status'] == status for one in told['runs'])} {word}" in now.text
    [held] = told["hold"]
    assert held["reason"] == "why"
    assert f"held by {held['requested_by']}: why" in now.text


async def test_page_api_and_command_line_tell_the_same(make_site, make_server, until):
    server, sites = await make_busy(make_site, make_server, until)
    token = server.cli("token", "create", "reader", "--scope", "read").stdout.decode().strip()
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(server.url, cookie_jar=jar) as browser:

        async def page(path):
            async with browser.get(path, headers={"Accept": "text/html"}) as answer:
                assert answer.status == 200, path
                return Rows(await answer.text())

        told = {}
        lists = {
            "ps": "containers",
            "runs": "runs",
            "deliveries": "deliveries",
            "hold": "holds",
        }
        for name, path in lists.items():
            headers = {"Authorization": f"Bearer {token}"}
            async with browser.get(f"/api/v1/{path}", headers=headers) as answer:
                told[name] = (await answer.json())["items"]
        origin = {"Origin": server.url}
        await browser.post("/sign-in", data={"token": token}, headers=origin)

        assert {one["name"] for one in told["ps"]} >= {o.container for o in sites.values()}
        compare_commands(server, token, told)
        for compare in (compare_containers, compare_runs, compare_deliveries, compare_now):
            await compare(page, told)
    (sites["slow"].directory / "go").touch()
