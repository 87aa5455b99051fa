"""The tools that others attack servers with, while good pushes come from the same address."""

import asyncio
import re
import shutil
import time
from collections import Counter

import pytest

MIB = 2**20
MEMORY = 150 * MIB
"""Bytes that the server may have at its peak."""

SLOW = {
    "headers": ["-H", "-u", "{url}/hooks/github"],
    "body": ["-B", "-s", "1000000", "-t", "POST", "-u", "{url}/hooks/gerrit/a-guess"],
    "reading": ["-X", "-w", "10", "-y", "20", "-n", "2", "-z", "32", "-k", "3", "-u", "{url}/"],
}
FORGED = ["-m", "POST", "-H", "X-GitHub-Event: push", "-H", "X-Hub-Signature-256: sha256=00"]


async def told(*command):
    """What a tool printed, without colours."""
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await process.communicate()
    text = re.sub(r"\x1b\[[0-9;]*m", "", output.decode())
    assert process.returncode == 0, text
    return text


async def attacked(process, body, signed, *, connections, seconds):
    """Have all tools at it at once; give what each printed, and the good pushes' statuses."""
    if missing := [tool for tool in ("slowhttptest", "hey") if shutil.which(tool) is None]:
        pytest.skip(f"no {' and no '.join(missing)}: tests/run installs them")
    url = "http://{}:{}".format(*await process.address())
    rate = str(connections // 2)
    pushes = Counter()

    async def good(padding=""):
        data = body(padding=padding)
        began = time.monotonic()
        pushes[await process.post(data, signed(data))] += 1
        return time.monotonic() - began

    async def steady(tools):
        while not all(tool.done() for tool in tools):
            await good()
            await good(padding="x" * MIB)

    many = ["-c", str(connections), "-r", rate, "-i", "1", "-x", "10", "-l", str(seconds)]
    async with asyncio.TaskGroup() as group:
        tools = {
            kind: group.create_task(
                told("slowhttptest", *many, "-p", "30", *[one.format(url=url) for one in how])
            )
            for kind, how in SLOW.items()
        }
        tools["hey"] = group.create_task(
            told("hey", "-z", f"{seconds}s", "-c", "50", *FORGED, "-d", "{}", f"{url}/hooks")
        )
        group.create_task(steady(list(tools.values())))
    return {kind: tool.result() for kind, tool in tools.items()}, pushes, await good()


def holds(process, said, pushes):
    answers = dict(re.findall(r"\[(\d+)\]\s+(\d+) responses", said["hey"]))
    print(answers, pushes, process.peak / MIB)  # noqa: T201 - what was measured
    assert set(answers) <= {"401", "429"}
    for kind in SLOW:
        assert re.findall(r"service available: +(\w+)", said[kind])[-1] == "YES", said[kind]
    assert set(pushes) == {202}
    assert process.peak < MEMORY


@pytest.mark.process
async def test_slow_clients_keep_nobody_waiting(process, body, signed):
    said, pushes, _ = await attacked(process, body, signed, connections=150, seconds=8)

    holds(process, said, pushes)
    assert "Error distribution" not in said["hey"]


@pytest.mark.soak
async def test_slow_clients_on_nearly_all_connections_keep_nobody_waiting(
    process, body, signed
):
    said, pushes, seconds = await attacked(process, body, signed, connections=300, seconds=60)

    holds(process, said, pushes)
    assert seconds < 5, "normal again"
