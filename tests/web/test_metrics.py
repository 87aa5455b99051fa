"""What ``/metrics`` answers, to whom, and that others' words are not in it."""

import json
import re
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from hookrunner.service.metrics import Metrics

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.prefix) / "prometheus/usr/bin"
DASHBOARD = json.loads((ROOT / "config/grafana/hookrunner.json").read_text())
RULES = ROOT / "config/prometheus/hookrunner.rules.yml"
OWN = """\
sources:
  github: {secret_env: SECRET, repositories: ["ops/*"]}
listen:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    serves: [metrics]
"""


async def scrape(url, path="/metrics", **headers):
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{url}{path}", headers=headers) as answer,
    ):
        return answer.status, await answer.text()


def series(text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names(text):
    return {name for name, _ in series(text)}


def queries():
    """All that the dashboard and the alerts ask."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"]
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            yield rule["expr"]


async def token(client, *projects):
    body = {"name": f"t{len(projects)}", "scopes": ["read"]}
    body |= {"project": projects[0]} if projects else {}
    return (await client.api("POST", "/api/v1/tokens", body=body))[1]["token"]


async def test_an_address_of_its_own_needs_no_token_and_serves_nothing_else(door):
    async with door(OWN) as client:
        url = client.addresses[1]

        status, text = await scrape(url)

        assert status == 200
        assert "hookrunner_engine_up" in text
        async with aiohttp.ClientSession() as session:
            for path in ("/api/v1/runs", "/", "/hooks/github"):
                async with session.get(url + path) as answer:
                    assert answer.status in {404, 405}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/metrics", "hookrunner_deliveries_total"),
        ("/metrics/containers", "hookrunner_container_metrics_up"),
    ],
)
async def test_elsewhere_it_needs_a_token_that_is_for_everything(door, path, shown):
    async with door() as client:
        some, all_ = await token(client, "www"), await token(client)
        nobody = await scrape(client.url, path)
        some = await scrape(client.url, path, Authorization=f"Bearer {some}")
        reader = await scrape(client.url, path, Authorization=f"Bearer {all_}")

    assert [nobody[0], some[0], reader[0]] == [401, 403, 200]
    assert shown in reader[1]


async def test_reading_it_does_not_grow_the_audit_log(door):
    async with door() as client:
        key = await token(client)
        for _ in range(3):
            await scrape(client.url, Authorization=f"Bearer {key}")
        _, told = await client.api("GET", "/api/v1/audit")

    assert not [one for one in told["items"] if "/metrics" in one["what"]]


async def test_deliveries_are_counted_by_source_and_answer(door, body, signed):
    async with door(OWN) as client:
        data = body()
        await client.send(data, signed(data))
        await client.send(data, signed(data))
        await client.send(data, signed(data, secret=b"another, and just as long as it"))
        await client.send(b"{", signed(b"{"))
        _, text = await scrape(client.addresses[1])

    found = {
        (dict(labels)["source"], dict(labels)["answer"]): value
        for (name, labels), value in series(text).items()
        if name == "hookrunner_deliveries_total" and value
    }
    assert found == {
        ("github", "202"): 1,
        ("github", "200"): 1,
        ("", "401"): 1,
        ("github", "400"): 1,
    }


async def test_nothing_of_a_payload_is_in_it(door, body, signed):
    hostile = 'x"} 1\nevil{a="'
    async with door(OWN) as client:
        for number in range(20):
            data = body(
                ref=f"refs/heads/{number}{hostile}",
                pusher={"name": f"marker{number}"},
                repository={"full_name": f"ops/marker{number}"},
            )
            await client.send(data, signed(data), path="/hooks/github")
            await client.send(data, signed(data), path=f"/hooks/marker{number}")
        _, text = await scrape(client.addresses[1])

    assert "marker" not in text
    assert "evil" not in text


async def test_open_metrics_is_given_to_who_asks_for_it(door):
    async with door(OWN) as client:
        _, text = await scrape(client.addresses[1], Accept="application/openmetrics-text")

    assert text.endswith("# EOF\n")


@pytest.mark.process
async def test_promtool_finds_nothing_to_say(door, body, signed):
    async with door(OWN) as client:
        data = body()
        await client.send(data, signed(data))
        _, text = await scrape(client.addresses[1])

    found = promtool("check", "metrics", stdin=text)

    assert found == ""


@pytest.mark.process
def test_promtool_finds_the_alerts_in_order_and_they_fire_when_they_should():
    promtool("check", "rules", str(RULES))
    said = promtool("test", "rules", str(RULES.with_suffix("").with_suffix(".rules.test.yml")))

    assert "SUCCESS" in said
    tested = RULES.with_suffix("").with_suffix(".rules.test.yml").read_text()
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert tested.count(f"alertname: {rule['alert']}") >= 2


@pytest.mark.process
def test_the_example_of_a_prometheus_configuration_is_one():
    said = promtool("check", "config", str(RULES.parent / "prometheus.yml"))

    assert "SUCCESS" in said


async def test_dashboard_and_alerts_ask_for_metrics_that_are_there(door):
    async with door(OWN) as client:
        _, text = await scrape(client.addresses[1])
    there = names(text) | {"up"}
    there |= {f"{name}_bucket" for name in declared("histogram", text)}
    there |= declared("counter", text) | declared("gauge", text)

    asked = set()
    for query in queries():
        asked |= set(re.findall(r"\b(?:hookrunner|process)_\w+|\bup\b", query))

    assert asked <= there, asked - there
    assert len(asked) > 15


async def test_every_metric_is_in_its_document(door):
    async with door(OWN) as client:
        _, text = await scrape(client.addresses[1])
        text += (await scrape(client.addresses[1], "/metrics/containers"))[1]
    document = (ROOT / "hookrunner/docs/metrics.md").read_text()

    shown = set(re.findall(r"`(hookrunner_\w+)`", document))

    assert shown == {name for name in all_declared(text) if name.startswith("hookrunner_")}


def all_declared(text):
    found = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
    return {name for name in found if not name.endswith("_created")}


def declared(kind, text):
    return set(re.findall(rf"^# TYPE (\S+) {kind}$", text, re.MULTILINE))


def test_the_dashboard_shows_every_mark_of_a_container():
    text = " ".join(queries())

    for word in ("behind", "invalid", "dirty", "stuck", "held", "image_behind"):
        assert f"hookrunner_containers_{word}" in text


def test_series_exist_at_zero_before_anything_fails():
    metrics = Metrics(sources=["gitea"], engines=["local"])
    metrics.expect("bind")

    labels = {"project": "bind", "action": "update", "status": "failed", "outcome": "error"}
    assert metrics.registry.get_sample_value("hookrunner_steps_total", labels) == 0


def promtool(*words, stdin=None):
    """What promtool says on both streams; it must be content."""
    if not (TOOLS / "promtool").exists():
        pytest.skip(f"no promtool in {TOOLS}: tests/run unpacks it there")
    done = subprocess.run(
        [TOOLS / "promtool", *words],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
