"""The chat bot of the examples, on a real IRC server, with a token for two projects."""

import asyncio
import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine

BOT = Path(__file__).parents[2] / "config/examples/chatbot/bot"
DEADLINE = 60.0
CHANNEL = "#ops"


@pytest.fixture
def irc_port(tmp_path):
    """An IRC server on this machine alone."""
    program = shutil.which("ngircd", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("no ngircd: Debian has it, and tests/run installs it as root")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "ngircd.conf"
    config.write_text(
        f"[Global]\nName = irc.example.net\nInfo = test\nListen = 127.0.0.1\nPorts = {port}\n"
        "MotdPhrase = hello\n[Limits]\nMaxConnectionsIP = 0\nMaxPenaltyTime = 0\n"
        "[Options]\nIdent = no\nPAM = no\nDNS = no\n"
    )
    with (tmp_path / "ngircd.log").open("wb") as log:
        server = subprocess.Popen(
            [program, "--nodaemon", "--passive", "--config", str(config)],
            stdout=log,
            stderr=log,
        )
    yield port
    server.kill()
    server.wait(DEADLINE)


class Person:
    """Somebody in the channel."""

    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self.seen = []

    def write(self, line):
        self._writer.write(f"{line}\r\n".encode())

    def say(self, text):
        self.write(f"PRIVMSG {CHANNEL} :{text}")

    async def hears(self, *words):
        """The next line that has all of these words."""
        try:
            async with asyncio.timeout(DEADLINE):
                line = await self._line()
                while not all(word in line for word in words):
                    line = await self._line()
        except (TimeoutError, asyncio.IncompleteReadError):
            pytest.fail(f"nobody said {words}: {self.seen}")
        return line

    async def _line(self):
        line = (await self._reader.readuntil(b"\n")).decode().strip()
        self.seen.append(line)
        if line.startswith("PING"):
            self.write(line.replace("PING", "PONG", 1))
        return line

    def close(self):
        self._writer.close()


async def join(port, nick, until):
    async def connect():
        try:
            return await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            return None

    person = Person(*await until(connect))
    person.write(f"NICK {nick}")
    person.write(f"USER {nick} 0 * :{nick}")
    await person.hears(" 001 ")
    person.write(f"JOIN {CHANNEL}")
    await person.hears(" 366 ")
    return person


async def test_the_bot_updates_two_projects_and_no_third(
    make_site, make_server, irc_port, until, tmp_path
):
    one, two, other = [make_site(name) for name in ("chat1", "chat2", "chat3")]
    server = await make_server()
    await server.knows(one, two, other)
    made = server.cli(
        *("token", "create", "chatbot", "--scope", "run"),
        *("--project", one.project, "--project", two.project),
    )
    token = tmp_path / "token"
    token.write_bytes(made.stdout)
    ada = await join(irc_port, "ada", until)
    bot = subprocess.Popen(  # noqa: ASYNC220 - starts at once
        [
            *(sys.executable, str(BOT), "--server", f"127.0.0.1:{irc_port}", "--plain"),
            *("--channel", CHANNEL, "--url", server.url, "--token-file", str(token)),
        ]
    )
    try:
        await ada.hears("hooky!", "JOIN")
        for site in (one, two):
            site.script("echo '>> Fetching'; git -C /srv/data pull -q")
            site.push()
            ada.say(f"!update {site.project} it is wrong")
            await ada.hears("PRIVMSG", site.container, "Fetching")
            await ada.hears("ada: run", "succeeded: 1 updated, 0 failed")

        other.push()
        ada.say(f"!update {other.project}")
        await ada.hears("ada: no: nothing that runs matches", other.project)
        ada.say(f"!update container:{other.container}")
        await ada.hears("ada: no: nothing that runs matches")
        ada.say(f"!why {one.project}")
        await ada.hears(one.container, "yes")
        ada.say("!runs")
        runs = await ada.hears("manual", two.container, "succeeded")
        one.script("echo some\x01thing; exit 7")
        ada.say(f"!update {one.project}")
        failed = await ada.hears(one.container, "failed")
        ada.say("!help")
        await ada.hears("!update SELECTOR")

        assert other.container not in runs
        assert "7" in failed
    finally:
        bot.kill()
        bot.wait(DEADLINE)
        ada.close()
    _, found = await server.api("GET", "/runs")
    _, log = await server.api("GET", "/audit?who=token+chatbot")
    _, containers = await server.api("GET", "/containers")
    said = [run for run in found["items"] if run["requested_by"] == "token chatbot"]
    assert {run["trigger"] for run in found["items"] if run not in said} <= {"schedule"}
    assert said[-1]["reason"] == f"ada in {CHANNEL}: it is wrong"
    used = [use for use in log["items"] if use["about"] == other.project]
    assert [use["status"] for use in used] == [404], json.dumps(log["items"])
    served = {item["name"]: item["current_gitref"] for item in containers["items"]}
    assert served[two.container] == two.head
    assert served[other.container] != other.head
