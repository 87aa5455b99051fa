"""Visits to a container: a step that waits gets in next, and visitors leave soon."""

import asyncio

import nouns
import pytest

from hookrunner.service.visits import Visits

BIND = nouns.make_container("bind")


@pytest.mark.process  # it waits for a second
async def test_a_step_that_waits_ends_the_visit_and_nobody_goes_in_before_it():
    freed = []
    visits = Visits(on_free=lambda: freed.append(True))

    async def visit():
        deadline = asyncio.timeout(600)
        with visits.visit(BIND, deadline):
            async with deadline:
                assert not visits.make_way(BIND)
                await asyncio.get_running_loop().create_future()

    with pytest.raises(TimeoutError):
        await visit()

    assert freed == [True]
    assert visits.make_way(BIND)
    assert not visits.may_go_in(BIND)


async def test_a_visit_that_nobody_waits_for_leaves_nothing_behind():
    visits = Visits(on_free=lambda: None)
    assert visits.make_way(BIND)

    with visits.visit(BIND, asyncio.timeout(600)):
        assert not visits.may_go_in(BIND)

    assert visits.may_go_in(BIND)


async def test_a_visit_that_is_at_its_end_already_is_waited_for():
    visits = Visits(on_free=lambda: None)
    deadline = asyncio.timeout(0)

    with visits.visit(BIND, deadline):
        with pytest.raises(TimeoutError):
            async with deadline:
                await asyncio.get_running_loop().create_future()
        assert not visits.make_way(BIND)
