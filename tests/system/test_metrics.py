"""A real Prometheus reads the real server, and answers all that the dashboard asks."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import aiohttp
import pytest
import yaml

pytestmark = pytest.mark.engine

ROOT = Path(__file__).parents[2]
TOOLS = Path(sys.prefix) / "prometheus/usr/bin"


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Prometheus:
    """The server from Debian's package, which asks one other."""

    def __init__(self, directory, url, token):
        self.url = f"http://127.0.0.1:{free_port()}"
        (directory / "data").mkdir(parents=True)
        (directory / "token").write_text(token)
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
            "scrape_configs": [
                {
                    "job_name": "hookrunner",
                    "authorization": {"credentials_file": str(directory / "token")},
                    "static_configs": [{"targets": [url.removeprefix("http://")]}],
                }
            ],
        }
        (directory / "prometheus.yml").write_text(yaml.safe_dump(config))
        with (directory / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [
                    TOOLS / "prometheus",
                    f"--config.file={directory / 'prometheus.yml'}",
                    f"--storage.tsdb.path={directory / 'data'}",
                    f"--web.listen-address={self.url.removeprefix('http://')}",
                ],
                stdout=log,
                stderr=log,
            )

    async def ask(self, query):
        """What a query gives now; nothing while the server starts."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self.url}/api/v1/query", params={"query": query}) as answer,
            ):
                if answer.status == 503:
                    return []
                said = await answer.json()
        except aiohttp.ClientConnectionError:
            return []
        assert said.get("status") == "success", (query, said)
        return said["data"]["result"]

    def close(self):
        self.process.kill()
        self.process.wait(30)


@pytest.fixture
def prometheus(tmp_path):
    if not (TOOLS / "prometheus").exists():
        pytest.skip(f"no prometheus in {TOOLS}: tests/run unpacks it there")
    made = []

    def make(url, token):
        made.append(Prometheus(tmp_path / "prometheus", url, token))
        return made[-1]

    yield make
    for one in made:
        one.close()


def questions():
    dashboard = json.loads((ROOT / "config/grafana/hookrunner.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            yield target["expr"].replace("$__rate_interval", "1m")


async def test_every_panel_of_the_dashboard_shows_something(
    make_server, make_site, prometheus, until
):
    site = make_site("measured")
    server = await make_server()
    await server.knows(site)
    token = server.cli("token", "create", "prometheus", "--scope", "read").stdout.decode()
    reader = prometheus(server.url, token.strip())
    before = f'hookrunner_containers{{project="{site.project}"}} == 1'
    await until(lambda: reader.ask(before))
    steps = f'hookrunner_steps_total{{project="{site.project}"'
    await until(lambda: reader.ask(f'{steps},outcome="error"}} == 0'))

    _, told = await server.deliver(site.push())
    await server.finished(told["run"])
    site.script("exit 1")
    _, told = await server.deliver(site.push())
    await server.finished(told["run"])

    ended = f'hookrunner_steps_total{{project="{site.project}",status="%s"}} == 1'
    await until(lambda: reader.ask(ended % "succeeded"))
    await until(lambda: reader.ask(f"increase({(ended % 'failed').split(' ==')[0]}[1m]) > 0"))
    assert await reader.ask(f'hookrunner_containers_behind{{project="{site.project}"}} == 1')
    assert await reader.ask(f'hookrunner_containers_dirty{{project="{site.project}"}} == 1')
    for word in ("behind", "valid"):
        name = f"hookrunner_container_{word}_since_timestamp_seconds"
        await until(
            lambda name=name: reader.ask(f'{name}{{container="{site.container}"}} > 1e9')
        )
    for question in questions():
        await until(lambda question=question: reader.ask(question))
