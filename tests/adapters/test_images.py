"""What an engine is asked about images and their containers, and how often."""

import asyncio
import base64
import json

import pytest
from nouns import make_container

from hookrunner.adapters.store import Store
from hookrunner.config import Config
from hookrunner.model import Stream
from hookrunner.service.images import Images
from hookrunner.service.settings import Settings

METADATA = {"project": "dns", "update_method": "true"}
PROGRAM = base64.b64encode(json.dumps({"mode": 0o755, "linkTarget": ""}).encode()).decode()


@pytest.fixture
async def images(tmp_path, hostile, http, frame):
    """The images of an engine with five containers of one; the containers; what it is asked."""
    ids = [f"c{number}" for number in range(5)]
    begun = json.dumps({"State": {"StartedAt": "2026-11-23T09:00:00Z"}}).encode()
    there = http(headers=[f"X-Docker-Container-Path-Stat: {PROGRAM}"])
    printed = frame(Stream.stdout, json.dumps(METADATA).encode())
    answers = {
        "/images/sha256:1/json": http(json.dumps({"Id": "sha256:1"}).encode()),
        "/exec/e/start": http(printed, length=False),
        "/exec/e/json": http(b'{"Running": false, "ExitCode": 0}'),
    }
    for one in ids:
        answers[f"/containers/{one}/json"] = http(begun)
        answers[f"/containers/{one}/archive"] = there
        answers[f"/containers/{one}/exec"] = http(b'{"Id": "e"}')
    settings = Settings(Config(), {})
    async with Store.open(tmp_path / "state") as store, hostile(answers) as (engine, asked, _):
        containers = [make_container(one, id=one, metadata=None) for one in ids]
        yield Images(engine, store, settings), containers, asked


def count(asked, what):
    return sum(what in line for line in asked)


async def test_containers_found_together_have_their_image_asked_once(images):
    known, containers, asked = images

    described = await asyncio.gather(*(known.describe(c, may_ask=True) for c in containers))

    assert {one.project for one in described} == {"dns"}
    assert count(asked, "GET /v1.44/images/") == 1
    assert count(asked, "/start") == 1


async def test_what_was_seen_of_a_container_is_not_asked_again_unless_it_started_since(images):
    known, containers, asked = images
    for one in containers:
        await known.describe(one, may_ask=True)
    first, second, third = containers[:3]
    asked.clear()

    seen = await known.surroundings(first, is_new_start=False)
    assert seen.started_at is not None
    assert not asked

    await known.surroundings(second, is_new_start=True)
    known.forget(third.id)
    await known.surroundings(third, is_new_start=False)
    await known.surroundings(first, is_new_start=False)
    assert [line.split("/")[3] for line in asked] == ["c1", "c2", "c0"]
