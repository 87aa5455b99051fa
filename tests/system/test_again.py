"""Once more, by a person's word: runs that failed, and deliveries; and all of it is told."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
import pytest

pytestmark = pytest.mark.engine

PATIENCE = 120.0
"""Seconds for a run to end: a push waits for 30 s for each other container that is asked what
it is, and other tests may start and pause some meanwhile."""

UNLIMITED = aiohttp.ClientTimeout(total=None)


@asynccontextmanager
async def events(server, seen, **headers):
    """Collect the events of the API in `seen`, from the first that comes."""

    async def read(answer):
        name, number = None, None
        async for line in answer.content:
            key, _, value = line.decode().rstrip("\n").partition(": ")
            if key == "event":
                name = value
            elif key == "id":
                number = value
            elif key == "data":
                seen.append((name, json.loads(value), number))

    async with (
        server.control() as session,
        session.get("/api/v1/events", headers=headers, timeout=UNLIMITED) as answer,
    ):
        assert answer.content_type == "text/event-stream"
        reading = asyncio.get_running_loop().create_task(read(answer))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def test_a_run_that_failed_is_tried_again_and_events_tell_all(
    make_site, make_server, until
):
    site, server = make_site("again"), await make_server()
    await server.knows(site)
    site.script("exit 3")
    seen = []

    async with events(server, seen):
        _, answer = await server.deliver(site.push())
        failed = await server.finished(answer["run"], seconds=PATIENCE)
        site.script("git -C /srv/data pull -q")
        status, reopened = await server.api("POST", f"/runs/{failed['id']}/retry")
        ended = await server.finished(failed["id"], seconds=PATIENCE)

        async def all_told():
            last = [told for name, told, _ in seen if name == "run"][-1]
            moved = [told for name, told, _ in seen if name == "container"]
            return (
                last["status"] == "succeeded" and not (moved or [{"behind": 1}])[-1]["behind"]
            )

        await until(all_told)

    assert failed["status"] == "failed"
    assert status == 202
    assert (reopened["id"], reopened["finished_at"]) == (failed["id"], None)
    assert [(s["status"], s["outcome"]) for s in ended["steps"]] == [
        ("failed", "error"),
        ("succeeded", "updated"),
    ]
    assert "asked by user" in [told for name, told, _ in seen if name == "step"][-1]["reason"]
    steps = [told["status"] for name, told, _ in seen if name == "step"]
    assert [s for s in steps if s != "queued"] == ["running", "failed", "running", "succeeded"]
    # Told twice where another container of this engine had to be asked first what it is.
    assert {told["id"] for name, told, _ in seen if name == "delivery"} == {answer["delivery"]}
    status, _ = await server.api("POST", f"/runs/{failed['id']}/retry")
    assert status == 409

    again = []
    async with events(server, again, **{"Last-Event-ID": seen[0][2]}):
        await until(lambda: asyncio.sleep(0, [n for n, _, _ in again if n == "container"]))
    missed = [(n, t) for n, t, _ in seen[1:] if n in {"run", "step", "delivery"}]
    assert [(n, t) for n, t, _ in again if n in {"run", "step", "delivery"}] == missed


async def test_a_delivery_is_replayed_and_reaches_what_it_did_not_reach_before(
    make_site, make_server
):
    site, server = make_site("replay"), await make_server()
    await server.knows(site)
    body = site.push()
    _, answer = await server.deliver(body)
    await server.finished(answer["run"], seconds=PATIENCE)

    status, made = await server.api("POST", f"/deliveries/{answer['delivery']}/replay")

    assert status == 202
    assert made["repeats"] == answer["delivery"]
    run = await server.finished(made["run"], seconds=PATIENCE)
    assert [(s["status"], s["outcome"]) for s in run["steps"]] == [("skipped", "current")]
