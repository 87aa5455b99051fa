"""What a push streams back: as it comes, from any place on, and across a superseded run."""

import asyncio
import json

import pytest

pytestmark = pytest.mark.engine


async def test_a_streamed_push_shows_the_update_and_how_it_ended(make_site, make_server):
    site, server = make_site("streamed"), await make_server()
    site.script("echo '>> Fetching'; git -C /srv/data pull -q; echo err >&2")
    await server.knows(site)

    status, text = await server.deliver(site.push(), query="?stream=1")

    assert status == 200
    lines = text.splitlines()
    assert lines[0] == ">> Fetching"
    assert "err" in lines
    assert lines[-1].startswith("hookrunner: run ")
    assert " succeeded: 1 updated, 0 failed in " in lines[-1]


async def test_a_stream_goes_on_from_any_offset(make_site, make_server):
    site, server = make_site("offset"), await make_server()
    site.script("git -C /srv/data pull -q; seq 1 1000")
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await server.finished(answer["run"])
    whole = "".join(f"{n}\n" for n in range(1, 1001))

    for offset in (0, 7, 1234):
        _, text = await server.api(
            "GET",
            f"/runs/{answer['run']}/output",
            **{"Accept": "text/event-stream", "Last-Event-ID": str(offset)},
        )
        events = [part.split("\n") for part in text.decode().split("\n\n") if part]
        told = [
            json.loads(lines[-1].removeprefix("data: "))["data"]
            for lines in events
            if "event: output" in lines
        ]

        assert "".join(told) == whole[offset:]
        assert "event: result" in events[-1]


async def test_followers_of_a_superseded_push_see_the_one_that_ran(
    make_site, make_server, until
):
    site, server = make_site("covered"), await make_server()
    site.script(
        "echo '>> Fetching'; git -C /srv/data pull -q; touch /srv/started;"
        " while [ ! -e /srv/go ]; do sleep 0.05; done"
    )
    await server.knows(site)
    _, first = await server.deliver(site.push())

    async def started():
        return (site.directory / "started").exists()

    await until(started)
    covered = asyncio.ensure_future(server.deliver(site.push(), query="?stream=1"))

    async def two_runs():
        _, runs = await server.api("GET", "/runs")
        return len(runs["items"]) == 2

    await until(two_runs)
    _, last = await server.deliver(site.push())
    (site.directory / "go").touch()
    status, text = await covered

    lines = text.splitlines()
    assert (status, lines[0]) == (200, ">> Fetching")
    assert f"hookrunner: run {last['run']} took its place: succeeded (updated)" in text
    assert " superseded: " in lines[-1]
    assert (await server.finished(first["run"]))["status"] == "succeeded"
