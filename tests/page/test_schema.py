"""The API against its own document: schemathesis makes the requests, all checks on."""

import asyncio
import hashlib
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace
from world import TOKENS

from hookrunner.core.tokens import Token
from hookrunner.units import new_id

SHORT, LONG = 6, 300
"""Examples of each operation. The long run, with the tool's own tables of what is odd, comes
to more than 5,000 requests with a token, and more than 5,000 without."""
TIMES = ("runs", "deliveries", "audit", "report", "create")
"""Operations that take times: to the tool any text is one, so it cannot say which are valid."""
REVOKES = "hr_what-the-fuzzer-revokes-with"
CONFIG = """
[[operations]]
include-operation-id = "events"
parameters = { seconds = 0.05 }
"""
"""The stream of events ends only when it is asked to."""


async def run_schemathesis(world, *options, examples, token=TOKENS["admin"]):
    """Fuzz the API; give how many requests it made, or fail with what was said."""
    header = [f"--header=Authorization: Bearer {token}"] if token else []
    config = Path(world.services.config.state) / "schemathesis.toml"
    config.write_text(CONFIG)
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        f"--config-file={config}",
        "run",
        f"{world.url}/api/v1/openapi.json",
        f"--max-examples={examples}",
        "--generation-database=none",
        "--no-color",
        "--request-timeout=20",
        "--checks=all",
        *header,
        *options,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=config.parent,
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, said.decode()[-6000:]
    [line] = [one for one in said.decode().splitlines() if " generated, " in one]
    return int(line.split()[0].replace(",", ""))


async def fuzz(world, examples, phases):
    """Fuzz everything; give how many requests were made with a token, and without."""
    for one in world.services.inventory:  # nothing can run, so every run is over at once
        world.services.inventory.put(replace(one, methods=frozenset()))
    await world.services.store.add_token(  # it may meet itself: nothing else is asked with it
        Token(
            id=new_id(datetime.now(UTC)),
            name="revokes",
            hash=hashlib.sha256(REVOKES.encode()).hexdigest(),
            scopes=frozenset({"admin"}),
            project="*",
            created_at=datetime.now(UTC),
        )
    )
    phases = f"--phases={phases}"
    # There is no file here that could be read again.
    others = [f"--exclude-operation-id={name}" for name in (*TIMES, "revoke", "reload")]
    times = [f"--include-operation-id={name}" for name in TIMES]
    times.append("--exclude-checks=positive_data_acceptance")
    known = await run_schemathesis(world, phases, *others, examples=examples)
    known += await run_schemathesis(world, phases, *times, examples=examples)
    revoke = "--include-operation-id=revoke"
    known += await run_schemathesis(world, phases, revoke, examples=examples, token=REVOKES)
    return known, await run_schemathesis(world, phases, examples=examples, token=None)


@pytest.mark.process
async def test_the_api_keeps_to_its_document(busy):
    assert min(await fuzz(busy, SHORT, "fuzzing")) > 100


@pytest.mark.soak
async def test_the_api_keeps_to_its_document_through_thousands_of_requests(busy):
    assert min(await fuzz(busy, LONG, "coverage,fuzzing")) > 5000
