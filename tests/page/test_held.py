"""What is held, on the first page: by whom, until when, why, and who may end it."""

import asyncio
import re
from contextlib import aclosing

import msgspec
import pytest

from hookrunner.web.caller import Caller
from hookrunner.web.events import changes

pytestmark = pytest.mark.process  # a server each: a third of a second


async def hold(world, **body):
    _, _, told = await world.ask("POST", "/api/v1/holds", json=body)
    return told["id"]


async def now(world, scope="run"):
    return (await world.page("/", scope))[2]


async def release(world, path, scope="run"):
    headers = {"Cookie": await world.cookie(scope), "Origin": world.url}
    status, _, _ = await world.ask("POST", path, scope=None, headers=headers)
    return status


async def test_what_is_held_is_told_and_let_go_one_by_one(busy):
    first = await hold(busy, project="bind", seconds=7200, reason="a move of the zone")
    second = await hold(busy, container="bind-1")

    body = await now(busy)

    section = body[body.index('id="held-title"') : body.index('data-live="wrong"')]
    text = re.sub(r"<[^>]+>|\s+", " ", section)
    assert "bind-1" in text
    assert "bind-2" in text
    assert "token admin" in text
    assert "a move of the zone" in text
    assert "in 2 h" in text
    assert "the release" in text
    assert re.findall(r"action=\"([^\"]+)\"", section) == [
        f"./holds/{first}/release",
        f"./holds/{second}/release",
    ]
    assert await release(busy, f"/holds/{first}/release") == 303
    _, _, left = await busy.ask("GET", "/api/v1/holds")
    assert [one["id"] for one in left["items"]] == [second]
    assert await release(busy, f"/holds/{first}/release") == 404
    _, _, used = await busy.ask("GET", "/api/v1/audit")
    told = next(one for one in used["items"] if first in one["what"] and one["status"] == 303)
    assert (told["who"], told["about"]) == ("token run", "bind")


async def test_who_may_only_read_has_no_button(busy):
    made = await hold(busy, project="bind")

    body = await now(busy, "read")

    assert "held-title" in body
    assert "/release" not in body
    assert await release(busy, f"/holds/{made}/release", "read") == 403


async def test_who_has_other_projects_neither_sees_nor_ends_it(busy):
    made = await hold(busy, project="bind", reason="secret plans")
    body = {"name": "mailer", "scopes": ["run"], "project": "mail"}
    _, _, token = await busy.ask("POST", "/api/v1/tokens", json=body)
    mine = {"Cookie": await busy.cookie(token["token"]), "Origin": busy.url}

    _, _, page = await busy.ask("GET", "/", scope=None, headers=mine)
    status, _, _ = await busy.ask("POST", f"/holds/{made}/release", scope=None, headers=mine)

    assert b"secret plans" not in page
    assert status == 404
    assert "held-title" in await now(busy)


async def test_open_pages_are_told_that_something_is_held_and_that_it_is_over(busy):
    caller = Caller(name="token read", scopes=frozenset({"read"}))

    known = await busy.delivery(busy.receipt(ignored="no"))
    feed = changes(busy.services, caller, "")

    async def told(kind, **fields):
        async for _, change in feed:
            if change[0] == kind:
                found = msgspec.to_builtins(change[1])
                if fields.items() <= found.items():
                    return found
        return None

    async with aclosing(feed):
        reading = asyncio.get_running_loop().create_task(told("delivery"))
        await asyncio.sleep(0)  # it has begun, and is told of what comes from here on
        busy.services.feed.tell(known)
        assert await asyncio.wait_for(reading, 30)
        await hold(busy, container="bind-2", seconds=0.5)
        assert await asyncio.wait_for(told("container", name="bind-2", held=True), 30)
        assert await asyncio.wait_for(told("container", name="bind-2", held=False), 30)
