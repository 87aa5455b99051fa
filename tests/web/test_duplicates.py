"""Deliveries that come again, while the first waits for an engine that never answers."""

import asyncio


async def deliver(client, data, headers, number):
    answer = await client.send(data, headers | {"X-GitHub-Delivery": number})
    return answer[0], answer[1]


async def test_however_often_a_delivery_comes_again_it_is_a_duplicate(door, body, signed):
    data = body()
    async with door() as client:
        answers = [await deliver(client, data, signed(data), "one") for _ in range(4)]
        runs = await client.runs()

    assert [status for status, _ in answers] == [202, 200, 200, 200]
    assert all(answers[0][1]["delivery"] in said["ignored"] for _, said in answers[1:])
    assert len(runs) == 1


async def test_the_same_body_under_other_ids_is_a_duplicate_while_the_first_waits(
    door, body, signed
):
    data = body()
    async with door() as client:
        answers = [await deliver(client, data, signed(data), f"{n}") for n in range(4)]
        runs = await client.runs()

    assert [status for status, _ in answers] == [202, 200, 200, 200]
    assert len(runs) == 1


async def test_many_at_once_are_one(door, body, signed):
    data = body()
    async with door() as client:
        answers = await asyncio.gather(
            *(deliver(client, data, signed(data), "one") for _ in range(12))
        )
        runs = await client.runs()

    assert sorted(status for status, _ in answers) == [200] * 11 + [202]
    assert len(runs) == 1


async def test_what_is_no_push_is_no_duplicate_and_takes_no_ids_place(door, body, signed):
    """A ping and a push may have one id where a sender counts from the start again."""
    ping, data = b'{"zen": "once"}', body()
    async with door() as client:
        said = [
            await deliver(client, ping, signed(ping, event="ping"), "one"),
            await deliver(client, ping, signed(ping, event="ping"), "one"),
            await deliver(client, data, signed(data), "one"),
            await deliver(client, ping, signed(ping, event="ping"), "one"),
            await deliver(client, data, signed(data), "one"),
        ]

    assert [status for status, _ in said] == [200, 200, 202, 200, 200]
    assert "duplicate" in said[4][1]["ignored"]


async def test_an_id_stays_taken_when_its_body_comes_under_another(door, body, signed):
    data, other = body(), body()
    async with door() as client:
        said = [
            await deliver(client, data, signed(data), "one"),
            await deliver(client, other, signed(other), "two"),
            await deliver(client, other, signed(other), "one"),
            await deliver(client, data, signed(data), "two"),
        ]

    assert [status for status, _ in said] == [202, 202, 200, 200]
