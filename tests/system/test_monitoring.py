"""Containers say how they are and what they measure, and nobody is kept waiting for it."""

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families
from receivers import Receiver

pytestmark = pytest.mark.engine

PROMTOOL = Path(sys.prefix) / "prometheus/usr/bin/promtool"
CONTAINER = """\
#!/bin/sh
case ${1-} in
--metadata)
  cat <<'END'
{"project": "x", "update_method": "y", "monitor_method": "m", "metrics_method": "n"}
END
  ;;
--update) exec /srv/update.sh ;;
--monitor) . /srv/monitor ;;
--metrics) . /srv/metrics ;;
--gitref) git -C /srv/data rev-parse HEAD ;;
*) exit 64 ;;
esac
"""
BARE = """\
#!/bin/sh
echo "$1" >>/srv/calls
case ${1-} in
--update) exit 0 ;;
*) echo "usage: container --update" >&2; exit 1 ;;
esac
"""
NUMBERS = """\
cat <<'END'
# HELP queries_total Questions that were answered.
# TYPE queries_total counter
queries_total{zone="example.net",container="forged",project="forged"} %d
# HELP up_to How much there may be.
# TYPE up_to gauge
up_to 3
END
"""
HEALTHY = ("--health-cmd", "true", "--health-interval", "200ms")


@pytest.fixture(scope="session")
def speaking_image(docker, base_image, run_id, tmp_path_factory):
    """A function: an image with this program `container`."""

    def build(name, program):
        context = tmp_path_factory.mktemp("image")
        (context / "container").write_text(program)
        (context / "container").chmod(0o755)
        (context / "Dockerfile").write_text(
            f"FROM {base_image}\nLABEL hookrunner.test={run_id}\n"
            "COPY container /usr/local/bin/container\n"
        )
        docker("build", "--quiet", "--tag", f"{run_id}-{name}", str(context))
        return f"{run_id}-{name}"

    return build


@pytest.fixture
def make_speaker(make_site, speaking_image):
    """A function: a container that says what two scripts on the host let it say."""

    def make(name, *, monitor="echo fine", metrics="exit 78"):
        image = speaking_image("speaking", CONTAINER)
        site = make_site(name, image=image, options=HEALTHY)
        say(site, "monitor", monitor)
        say(site, "metrics", metrics)
        return site

    return make


def say(site, what, script):
    fresh = site.directory / f"{what}.new"
    fresh.write_text(script + "\n")
    fresh.replace(site.directory / what)


@pytest.fixture
async def hook():
    async with Receiver().running() as one:
        yield one


@pytest.fixture
async def make_asking_server(make_server, hook):
    """A function: a server that asks all the time, and tells of what it is told."""

    async def make(limit="10s", **more):
        server = await make_server(is_started=False, **more)
        config = yaml.safe_load(server.config.read_text())
        (server.directory / "signing").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        secret = str(server.directory / "signing")
        config["monitoring"] = {"every": "1s", "metrics_every": "1s", "timeout": limit}
        config["notify"] = {"ours": {"url": f"{hook.url}/in", "secret_file": secret}}
        server.config.write_text(yaml.safe_dump(config))
        return await server.start()

    return make


def promtool_says(text):
    if not PROMTOOL.exists():
        return 0, ""
    done = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout + done.stderr


async def shown(server, site):
    return (await server.api("GET", f"/containers/{site.id}"))[1]


async def scraped(server):
    """What Prometheus would get, and the samples of it by container and name."""
    async with server.control() as session, session.get("/metrics/containers") as answer:
        text = await answer.text()
    samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            samples[one.labels["container"], one.name] = one
    return text, samples


def is_in(state):
    def look(told):
        return told["monitor"] is not None and told["monitor"]["state"] == state

    return look


def said_after(at):
    def look(told):
        return told["monitor"] is not None and told["monitor"]["at"] > at

    return look


async def wait_for(server, site, fits, until):
    async def look():
        told = await shown(server, site)
        return told if "monitor" in told and fits(told) else None

    return await until(look)


def has_told(hook, *events):
    async def look():
        told = [one.body["type"].removeprefix("hookrunner.") for one in hook.received]
        return told == [*events]

    return look


async def test_a_state_is_kept_since_it_came_and_told_when_it_changes(
    make_asking_server, make_speaker, hook, until
):
    site = make_speaker("states", monitor="echo OK: 3 zones")
    server = await make_asking_server()
    fine = await wait_for(server, site, is_in("ok"), until)
    say(site, "monitor", "printf 'CRITICAL: no \\033[31mzones\\nmore\\n'; exit 2")
    critical = await wait_for(server, site, is_in("critical"), until)
    await until(has_told(hook, "critical"))
    await wait_for(server, site, said_after(critical["monitor"]["at"]), until)
    server.kill()
    await server.start()
    kept = await wait_for(server, site, said_after(critical["monitor"]["at"]), until)
    say(site, "monitor", "exit 0")
    again = await wait_for(server, site, is_in("ok"), until)
    await until(has_told(hook, "critical", "recovery"))
    say(site, "monitor", "exit 78")
    silent = await wait_for(server, site, is_in("unknown"), until)

    assert fine["monitor"]["text"] == "OK: 3 zones"
    assert critical["monitor"]["text"] == "CRITICAL: no [31mzones"
    assert kept["monitor"]["since"] == critical["monitor"]["since"]
    assert [one["state"] for one in again["monitor"]["changes"]] == ["ok", "critical", "ok"]
    assert silent["monitor"]["text"] == "it does not say any more"
    first = hook.received[0].body["data"]
    assert (first["container"], first["action"]) == (site.container, "monitor")
    assert first["reason"] == critical["monitor"]["text"]
    assert (await server.api("GET", f"/runs?container={site.container}"))[1]["items"] == []
    assert b"SAYS" in server.cli("ps").stdout


async def test_what_hangs_is_stopped_and_no_update_waits_for_it(
    make_asking_server, make_speaker, until
):
    hang = "echo >>/srv/asked; sleep 600 & sleep 600"
    site = make_speaker("hangs", monitor=hang, metrics="yes")
    server = await make_asking_server(limit="2s")

    def is_unwell(one):
        return is_in("unknown")(one) and any("its metrics" in said for said in one["problems"])

    unwell = await wait_for(server, site, is_unwell, until)
    await server.knows(site)
    site.script("git -C /srv/data pull -q; cat /proc/[0-9]*/cmdline | tr '\\0' ' '")
    body, asked = site.push(), (site.directory / "asked").stat().st_size

    async def is_asked_again():
        return (site.directory / "asked").stat().st_size > asked

    await until(is_asked_again)
    _, answer = await server.deliver(body)
    run = await server.finished(answer["run"])
    _, printed = await server.api("GET", f"/runs/{run['id']}/output", Accept="text/plain")

    assert "did not end within 2 s, and was stopped" in unwell["monitor"]["text"]
    assert "printed more than 512 KiB" in " ".join(unwell["problems"])
    assert b"sleep 600" not in printed
    assert run["steps"][0]["exit_code"] == 0


async def test_metrics_of_all_are_offered_once_and_none_speaks_for_another(
    make_asking_server, make_speaker, make_site, speaking_image, until
):
    bare = make_site("bare", image=speaking_image("bare", BARE), options=HEALTHY)
    good = make_speaker("good", metrics=NUMBERS % 7)
    other = make_speaker("other", metrics=NUMBERS % 8)
    bad = make_speaker("bad", metrics="printf 'queries_total 1\\nqueries_total \\000 1\\n'")
    server = await make_asking_server()

    async def look():
        text, samples = await scraped(server)
        up = {name: one.value for (name, what), one in samples.items() if what.endswith("_up")}
        wanted = {good.container: 1, other.container: 1, bad.container: 0}
        return (text, samples) if up == up | wanted else None

    text, samples = await until(look)
    for _ in range(2):  # who has an answer is asked again and again
        at = ((await shown(server, good)).get("monitor") or {}).get("at", "")
        await wait_for(server, good, said_after(at), until)
    problems = (await shown(server, bad))["problems"]

    assert samples[good.container, "queries_total"].value == 7
    assert samples[other.container, "queries_total"].value == 8
    assert samples[good.container, "queries_total"].labels == {
        "project": good.project,
        "container": good.container,
        "image": (await shown(server, good))["image"],
        "zone": "example.net",
        "exported_container": "forged",
        "exported_project": "forged",
    }
    assert (bad.container, "queries_total") not in samples
    assert "line 2: a control character" in problems[0]
    assert text.count("# TYPE queries_total counter") == 1
    assert promtool_says(text) == (0, "")
    calls = (bare.directory / "calls").read_text().split()
    assert (calls.count("--monitor"), calls.count("--metrics")) == (1, 1)
    assert (await shown(server, bare))["monitor"] is None
