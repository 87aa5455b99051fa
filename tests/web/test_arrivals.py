"""Deliveries that come at once are taken as one, and none pays for another."""

import asyncio

import pytest
from msgspec.structs import replace

from hookrunner.errors import StoreError
from hookrunner.model import Decoded, Push
from hookrunner.service.arrivals import Proof

PUSH = Push(repository="ops/bind", ref="refs/heads/main", before="1" * 40, after="2" * 40)


def delivery(number, push=PUSH):
    """What a forge's module makes of a delivery, and how it proved itself."""
    decoded = Decoded(forge="github", event="push", sender_id=f"{number}", pushes=(push,))
    return decoded, Proof(source="github", secret=0, body_hash=f"{number:064}")


async def test_what_cannot_be_recorded_fails_alone(door):
    poison = delivery(5, replace(PUSH, pusher="\ud800"))
    async with door() as client:
        receive = client.services.intake.receive
        good = [receive(*delivery(number)) for number in range(5)]
        *taken, refused = await asyncio.gather(*good, receive(*poison), return_exceptions=True)
        recorded = [await client.services.store.delivery(one.id) for one in taken]
        writes = client.services.metrics.registry.get_sample_value

        assert recorded == taken
        assert isinstance(refused, StoreError)
        assert "not Unicode" in str(refused)
        assert writes("hookrunner_store_failures_total") == 0


async def test_many_at_once_are_written_together(door):
    async with door() as client:
        intake, metrics = client.services.intake, client.services.metrics

        def writes():
            return metrics.registry.get_sample_value("hookrunner_store_write_seconds_count")

        before = writes()
        await asyncio.gather(*(intake.receive(*delivery(number)) for number in range(32)))

        assert writes() - before < 16  # it is one, and the server's own business another
        assert len(await client.runs()) == 32


async def test_who_leaves_has_it_carried_out_all_the_same(door):
    async with door() as client:
        leaving = asyncio.ensure_future(client.services.intake.receive(*delivery(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await leaving
        again = await client.services.intake.receive(*delivery(1))
        [run] = await client.runs()

        assert "waits or runs" in again.ignored
        assert run["delivery"] == again.repeats
