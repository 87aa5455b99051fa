"""Who is next."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.web.turns import Turns

MIB = 2**20


async def test_who_is_small_goes_before_who_is_large():
    turns, order = Turns(), []

    async def take(name, size):
        async with turns.taken(size):
            order.append(name)

    async with asyncio.TaskGroup() as group, turns.taken(0):
        for number in range(3):
            group.create_task(take(f"large {number}", 25 * MIB))
            group.create_task(take(f"small {number}", 100_000))
        await asyncio.sleep(0)

    assert order == [f"{kind} {number}" for kind in ("small", "large") for number in range(3)]
    async with turns.taken(1):
        pass


@given(st.lists(st.tuples(st.integers(0, 30 * MIB), st.booleans()), max_size=8))
def test_one_at_a_time_whoever_gives_up(asked):
    async def run():
        turns, inside, most, finished = Turns(), 0, 0, 0

        async def take(size):
            nonlocal inside, most, finished
            async with turns.taken(size):
                inside += 1
                most = max(most, inside)
                await asyncio.sleep(0)
                inside -= 1
            finished += 1

        tasks = []
        async with turns.taken(0):
            for size, _ in asked:
                tasks.append(asyncio.ensure_future(take(size)))
            await asyncio.sleep(0)
        for task, (_, gives_up) in zip(tasks, asked, strict=True):
            if gives_up:
                task.cancel()  # one of them has just been given its turn
        await asyncio.gather(*tasks, return_exceptions=True)

        assert most <= 1
        assert finished >= sum(not gives_up for _, gives_up in asked)
        async with asyncio.timeout(30), turns.taken(0):
            pass

    asyncio.run(run())
