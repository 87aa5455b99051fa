"""README's five minutes with one's own server, run as they stand.

Names and paths of the test are put in place of those that are shown, and pip is left out.
"""

import asyncio
import hmac
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from shown import BLOCKS, CONSOLE, ROOT

pytestmark = pytest.mark.engine

README = ROOT / "README.md"
LAST_LINE = r"hookrunner: run \w+ succeeded: {} updated, 0 failed in [\d.]+ s"


def shown(begin, place=0):
    """The command of README that begins so, the first or a later one."""
    found = [one for one in CONSOLE if one.file == README and one.text.startswith(begin)]
    return found[place]


class Newcomer:
    """Somebody who follows README."""

    def __init__(self, folder, site):
        self.folder = folder
        self.config = folder / "etc" / "hookrunner.yaml"
        self.instead = {
            "/etc/hookrunner": str(folder / "etc"),
            "/srv/www": "/srv/data",
            "www": site.project,
        }

    def put_in(self, text):
        for one, here in self.instead.items():
            text = text.replace(one, here)
        return text

    async def types(self, command):
        """Run a command; give the lines that it prints, on stdout and stderr."""
        done = await asyncio.to_thread(
            subprocess.run,
            ["bash", "-c", self.put_in(command.text)],
            env=os.environ
            | {
                "HOOKRUNNER_CONFIG": str(self.config),
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{command.place}: {command.text}: {done.stdout}"
        return done.stdout.splitlines()


async def test_the_five_minutes_are_as_they_stand(make_site, make_server, run_id, tmp_path):
    label, value = re.search(r"--label (\S+)=(\S+)", shown("docker run").text).groups()
    [block] = [one for one in BLOCKS if one.file == README and "projects:" in one.text]
    name = f"{run_id}-readme-{value}"
    stock = ("--volume", "/dev/null:/usr/local/bin/container")  # which its image has not
    site = make_site(f"readme-{value}", project=name, labels={label: name}, options=stock)
    newcomer = Newcomer(tmp_path / "newcomer", site)

    init = shown("hookrunner init")
    told = await newcomer.types(init)
    assert told[:4] == [newcomer.put_in(line) for line in init.output[:4]]
    configured = yaml.safe_load(newcomer.put_in(block.text))
    assert yaml.safe_load(newcomer.config.read_text())["sources"] == configured["sources"]

    server = await make_server(is_started=False, projects=json.dumps(configured["projects"]))
    place = yaml.safe_load(server.config.read_text())
    mine = {key: place[key] for key in ("listen", "state", "engines", "log")}
    with newcomer.config.open("a") as opened:
        opened.write(yaml.safe_dump(mine | {"projects": configured["projects"]}))
    server.config = newcomer.config
    await server.start()
    await server.knows(site)

    first = await newcomer.types(shown("hookrunner ps"))
    assert first[0].split() == shown("hookrunner ps").output[0].split()
    told = await newcomer.types(shown("hookrunner update"))
    assert told[0] == shown("hookrunner update").output[0]
    assert re.fullmatch(LAST_LINE.format(0), told[-1])

    secret = (newcomer.config.parent / "gitea.secret").read_bytes().strip()
    data = json.dumps(site.push()).encode()
    signature = hmac.new(secret, data, "sha256").hexdigest()
    status, answer = await server.deliver(
        data,
        source="gitea",
        sign=False,
        headers={"X-Gitea-Event": "push", "X-Gitea-Signature": signature},
    )
    assert (status, answer["targets"][0]["container"]) == (202, site.container)
    await server.finished(answer["run"])

    told = await newcomer.types(shown("hookrunner logs last"))
    assert "Fast-forward" in told
    assert re.fullmatch(LAST_LINE.format(1), told[-1])
    last = await newcomer.types(shown("hookrunner ps", 1))
    [row] = [line for line in last if site.container in line]
    assert re.search(r" no +succeeded \(updated\), (just now|\d+s ago)$", row)
