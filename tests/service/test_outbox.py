"""What is to be sent elsewhere: the newest of each kind, until it is there."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from hookrunner.errors import OutgoingError
from hookrunner.service import outbox as module
from hookrunner.service.metrics import Metrics
from hookrunner.service.outbox import Outbox


class Receiver:
    """Takes things, or not."""

    def __init__(self, *failures):
        self.failures = list(failures)
        self.tried = []
        self.ended = []
        self.is_open = asyncio.Event()
        self.is_open.set()

    async def deliver(self, item):
        await self.is_open.wait()
        self.tried.append(item)
        if self.failures:
            raise self.failures.pop(0)

    async def end(self, item):
        self.ended.append(item)


@asynccontextmanager
async def sending(receiver):
    metrics = Metrics(sources=[], engines=[])
    outbox = Outbox(
        kind="status",
        to="gitea",
        deliver=receiver.deliver,
        metrics=metrics,
        on_end=receiver.end,
    )
    async with asyncio.TaskGroup() as group:
        task = group.create_task(outbox.run())
        yield outbox, metrics
        task.cancel()


async def until(look):
    async with asyncio.timeout(30):
        while True:
            if look():
                return
            await asyncio.sleep(0)


def counted(metrics, result):
    labels = {"kind": "status", "to": "gitea", "result": result}
    return metrics.registry.get_sample_value("hookrunner_outgoing_total", labels)


async def test_what_fails_is_tried_again_until_it_is_there(monkeypatch):
    monkeypatch.setattr(module, "_FIRST", 0.0)
    receiver = Receiver(OutgoingError("away"), OutgoingError("still away"))
    async with sending(receiver) as (outbox, metrics):
        outbox.put("a", 1)
        await until(lambda: receiver.ended)

    assert receiver.tried == [1, 1, 1]
    assert receiver.ended == [1]
    assert [counted(metrics, word) for word in ("sent", "failed")] == [1, 2]


async def test_what_is_refused_is_given_up_and_holds_nothing_up():
    receiver = Receiver(OutgoingError("no such repository", is_transient=False))
    async with sending(receiver) as (outbox, metrics):
        outbox.put("a", 1)
        outbox.put("b", 2)
        await until(lambda: len(receiver.ended) == 2)

    assert receiver.tried == [1, 2]
    assert counted(metrics, "given up") == 1


async def test_one_that_waits_to_be_tried_again_holds_nothing_up():
    receiver = Receiver(OutgoingError("away"))
    async with sending(receiver) as (outbox, _):
        outbox.put("a", 1)
        outbox.put("b", 2)
        await until(lambda: receiver.ended)

    assert receiver.ended == [2]


async def test_the_newest_takes_the_place_of_what_waits():
    receiver = Receiver()
    receiver.is_open.clear()
    async with sending(receiver) as (outbox, _):
        assert outbox.put("a", 1) is None
        assert outbox.put("a", 2) == 1
        receiver.is_open.set()
        await until(lambda: receiver.ended)

    assert receiver.ended == [2]


async def test_what_changes_while_it_is_sent_is_sent_again():
    receiver = Receiver()
    receiver.is_open.clear()
    async with sending(receiver) as (outbox, _):
        outbox.put("a", 1)
        for _ in range(3):
            await asyncio.sleep(0)
        outbox.put("a", 2)
        receiver.is_open.set()
        await until(lambda: receiver.ended[-1:] == [2])

    assert receiver.tried == [1, 2]


async def test_a_receiver_that_is_away_for_long_fills_no_memory(monkeypatch):
    monkeypatch.setattr(module, "_FULL", 3)
    receiver = Receiver()
    receiver.is_open.clear()
    async with sending(receiver) as (outbox, _):
        for number in range(10):
            outbox.put(number, number)
        receiver.is_open.set()
        await until(lambda: len(receiver.ended) == 3)

    assert receiver.tried == [7, 8, 9]


async def test_after_a_day_nobody_wants_to_know(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", -1.0)
    receiver = Receiver(OutgoingError("away"))
    async with sending(receiver) as (outbox, metrics):
        outbox.put("a", 1)
        await until(lambda: receiver.ended)

    assert counted(metrics, "given up") == 1


@pytest.mark.parametrize("told", [None, 3000.0])
async def test_it_waits_as_long_as_it_is_told_but_no_longer_than_ten_minutes(told):
    receiver = Receiver(OutgoingError("too many", retry_after=told))
    async with sending(receiver) as (outbox, _):
        outbox.put("a", 1)
        await until(lambda: receiver.tried and outbox._waiting["a"].tries)
        entry = outbox._waiting["a"]

    waits = entry.due - entry.since
    assert waits >= (600 if told else 4)
    assert waits < (601 if told else 7)
