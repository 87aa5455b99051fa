"""What the store keeps: it reads back the same, and what cannot be right is refused."""

import asyncio
from datetime import UTC

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hookrunner.adapters.store import Changes, DeliveryQuery, RunQuery, Similar, Store
from hookrunner.core.history import ContainerState
from hookrunner.errors import StoreError
from hookrunner.model import (
    Delivery,
    Outcome,
    Phase,
    Push,
    PushReceipt,
    Rollout,
    Run,
    Status,
    Step,
    Trigger,
    Verdict,
)

moments = st.datetimes(timezones=st.just(UTC))


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


maybe = st.none() | texts


ids = st.text("0123456789abcdef-", min_size=1)  # hookrunner's own, unlike everything else


seconds = st.floats(0, 1e9)


pushes = st.builds(
    Push,
    repository=texts,
    urls=st.tuples(texts),
    before=maybe,
    paths=st.none() | st.tuples(texts),
)


verdicts = st.builds(
    Verdict,
    container=texts,
    container_id=texts,
    engine=texts,
    project=texts,
    target=st.booleans(),
    reason=texts,
    remedy=maybe,
)


receipts = st.builds(PushReceipt, push=pushes, run=maybe, verdicts=st.tuples(verdicts))


any_delivery = st.builds(
    Delivery,
    id=ids,
    received_at=moments,
    source=texts,
    body_hash=texts,
    sender_id=maybe,
    pushes=st.tuples(receipts, receipts) | st.just(()),
)


any_run = st.builds(
    Run,
    id=ids,
    created_at=moments,
    trigger=st.sampled_from(Trigger),
    status=st.sampled_from(Status),
    push=st.none() | pushes,
    finished_at=st.none() | moments,
    requested_by=maybe,
)


any_step = st.builds(
    Step,
    id=ids,
    created_at=moments,
    run=st.just("set below"),
    engine=texts,
    container=texts,
    project=texts,
    status=st.sampled_from(Status),
    outcome=st.none() | st.sampled_from(Outcome),
    rollout=st.sampled_from(Rollout),
    finished_at=st.none() | moments,
    exit_code=st.none() | st.integers(0, 255),
    timeout=seconds,
    number=st.integers(1, 2**31),
    output_limit=st.integers(0, 2**53),
    phases=st.tuples(st.builds(Phase, title=texts, started_at=moments, seconds=seconds)),
)


def test_whatever_is_recorded_reads_back_the_same(tmp_path_factory):
    @settings(max_examples=settings().max_examples // 2)
    @given(any_delivery, any_run, any_step)
    def round_trip(some_delivery, some_run, some_step):
        async def check():
            async with Store.open(tmp_path_factory.mktemp("state")) as store:
                its = msgspec.structs.replace(some_step, run=some_run.id)

                await store.save(
                    Changes(deliveries=(some_delivery,), runs=(some_run,), steps=(its,))
                )

                assert await store.delivery(some_delivery.id) == some_delivery
                assert await store.run(some_run.id) == (some_run, [its])
                assert await store.step(its.id) == its

        asyncio.run(check())

    round_trip()


async def test_what_is_not_there_is_none(store):
    assert await store.delivery("no") is None
    assert await store.run("no") is None
    assert await store.step("no") is None
    assert await store.token_by_hash("no") is None
    asked = Similar(source="gitea", sender_id=None, body_hash="no")
    assert await store.similar_deliveries([asked]) == [[]]
    assert await store.runs(RunQuery()) == await store.open_runs() == []


async def test_saving_again_replaces(run, step, store):
    first = run(1, status=Status.queued)
    waiting = step(1, first, status=Status.queued, outcome=None, finished_at=None)
    await store.save(Changes(runs=(first,), steps=(waiting,)))

    await store.save(Changes(runs=(run(1),), steps=(step(1, first),)))

    assert await store.runs(RunQuery()) == [(run(1), [step(1, first)])]
    assert await store.runs(RunQuery(status=Status.queued)) == []
    assert await store.runs(RunQuery(project="bind", status=Status.queued)) == []
    assert len(await store.runs(RunQuery(project="bind", status=Status.succeeded))) == 1


async def test_everything_survives_reopening(
    *, delivery, run, step, known_push, token, tmp_path
):
    state = ContainerState(engine="local", container="bind", image_id="i", container_id="c")
    changes = Changes(
        deliveries=(delivery(1),),
        runs=(run(1),),
        steps=(step(1, run(1)),),
        pushes=(known_push(1),),
        containers=(state,),
    )
    async with Store.open(tmp_path) as store:
        await store.save(changes)
        await store.save_image_metadata(
            "local", "sha256:1", {"project": "bind", "ancestors": []}
        )
        await store.save_image_metadata("local", "sha256:2", None)
        await store.add_token(token())

    async with Store.open(tmp_path) as store:
        assert await store.deliveries(DeliveryQuery()) == [delivery(1)]
        assert await store.runs(RunQuery()) == [(run(1), [step(1, run(1))])]
        assert await store.known_pushes(1) == [known_push(1)]
        assert await store.container_states() == [state]
        assert await store.image_metadata("other") == {}
        assert await store.image_metadata("local") == {
            "sha256:1": {"project": "bind", "ancestors": []},
            "sha256:2": None,
        }
        assert await store.tokens() == [token()]


async def test_a_step_of_no_recorded_run_is_refused(run, step, store):
    with pytest.raises(StoreError, match="cannot record step sr000001-1: FOREIGN KEY"):
        await store.save(Changes(steps=(step(1, run(1)),)))


async def test_two_steps_of_a_run_cannot_have_one_number(run, step, store):
    twin = step(1, run(1), id="twin")

    with pytest.raises(StoreError, match="UNIQUE"):
        await store.save(Changes(runs=(run(1),), steps=(step(1, run(1)), twin)))


async def test_text_that_is_not_unicode_is_refused_alone(delivery, store):
    with pytest.raises(StoreError, match="not Unicode"):
        await store.save(Changes(deliveries=(delivery(1, sender_id="\udc80"),)))
    with pytest.raises(StoreError, match="not Unicode"):
        await store.delivery("\udc80")

    await store.healthy()


async def test_a_record_of_another_shape_is_said(run, store):
    await store.save(Changes(runs=(run(1),)))
    await store._writer.write(
        "spoil", lambda one: one.execute("UPDATE runs SET document = '{\"id\": 1}'")
    )

    with pytest.raises(StoreError, match="cannot list runs: a record is not as"):
        await store.runs(RunQuery())
