"""A flood of large and of dripping bodies, from the address that good pushes come from too."""

import asyncio
import json
import time
from collections import Counter

import pytest

MIB = 2**20
MEMORY = 256 * MIB
"""Bytes that the server may have at its peak."""
LARGE, DRIPPING = 250, 200
"""Requests of 1 MiB that are good, as many that are forged, and those that never end."""


async def drip(process, headers, stop):
    """Send a byte a second, until somebody has enough."""
    reader, writer = await process.begin(b"{", headers, length=MIB)
    waiting = asyncio.ensure_future(process.status(reader))
    while not waiting.done() and not stop.is_set():
        writer.write(b" ")
        await asyncio.wait([waiting], timeout=1)
    status = await waiting
    writer.close()
    return status


@pytest.mark.process
async def test_a_flood_leaves_memory_bounded_and_good_pushes_accepted(
    process, body, signed, measured
):
    await process.address()

    async def good():
        data = body()
        began = time.monotonic()
        status = await process.post(data, signed(data))
        return status, time.monotonic() - began

    assert (await good())[0] == 202, "before the flood"
    stop, answers, pushes = asyncio.Event(), Counter(), []
    forged = body(padding="x" * MIB)

    async def flood(kind):
        data = forged if kind == "forged" else body(padding="x" * MIB)
        headers = signed(data, secret=b"guess") if kind == "forged" else signed(data)
        answers[kind, await process.post(data, headers)] += 1

    async def dripping():
        answers["dripping", await drip(process, signed(b"{"), stop)] += 1

    async def steady(flooding):
        while not all(task.done() for task in flooding):
            pushes.append(await good())

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        slow = [group.create_task(dripping()) for _ in range(DRIPPING)]
        flooding = [group.create_task(flood(kind)) for kind in ["forged", "good"] * LARGE]
        group.create_task(steady([*flooding, *slow]))
    lasted = time.monotonic() - began
    status, seconds = await good()

    measured(
        f"flood: {answers}, {len(pushes)} small pushes taken meanwhile, peak"
        f" {process.peak / MIB:.0f} MiB, then one in {seconds:.2f} s"
    )
    assert answers["good", 202] == LARGE, "from the same address as all that is bad"
    assert answers["forged", 401] <= 10 + lasted / 6 + 1, "10 at once, and 10 a minute"
    assert sum(answers["forged", status] for status in (401, 429, 503)) == LARGE
    assert sum(answers["dripping", status] for status in (503, 0)) == DRIPPING, "they are cut"
    assert {status for status, _ in pushes} == {202}
    assert process.peak < MEMORY
    assert status == 202
    assert process.sockets < 20, "their connections are gone"
    assert json.loads(process.log.read_text().splitlines()[-1])["event"] == "delivery accepted"
