"""What the store finds again, and by which index."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from hookrunner.adapters.store import Changes, DeliveryQuery, RunQuery, Similar, Store
from hookrunner.adapters.store.database import QUERIES
from hookrunner.model import Action, Outcome, Status, Trigger

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


MINUTE = timedelta(minutes=1)
ROUTINE = {"trigger": Trigger.schedule, "action": Action.validate}


async def test_a_delivery_is_found_by_the_senders_id_and_by_its_body(delivery, store):
    first, second = delivery(1, sender_id="a"), delivery(2, sender_id="b")
    ignored = replace(delivery(3, sender_id="a"), body_hash=second.body_hash, ignored="twice")
    await store.save(Changes(deliveries=(first, second, ignored)))

    async def found(source, sender_id, body_hash):
        asked = Similar(source=source, sender_id=sender_id, body_hash=body_hash)
        both = await store.similar_deliveries([replace(asked, source="other"), asked])
        assert both[0] == []
        return both[1]

    assert await found("gitea", "a", "") == [first]
    assert await found("gitea", "c", second.body_hash) == [second]
    assert await found("gitea", "b", second.body_hash) == [second]
    assert await found("gitea", "a", second.body_hash) == [first, second]
    assert await found("gitea", None, "") == await found("github", "a", "") == []
    assert await store.delivery(ignored.id) == ignored


async def test_open_runs_are_those_with_anything_left_to_do(run, step, store):
    queued_run, done = run(1, status=Status.queued), run(2)
    half_done, stuck = run(3, status=Status.failed), run(4, status=Status.failed)
    late = step(2, half_done, status=Status.running, outcome=None, finished_at=None)
    blocking = step(1, stuck, status=Status.stuck, outcome=None)
    steps = (step(1, done), step(1, half_done), late, blocking)
    await store.save(Changes(runs=(queued_run, done, half_done, stuck), steps=steps))

    found = await store.open_runs()

    assert found == [
        (queued_run, []),
        (half_done, [step(1, half_done), late]),
        (stuck, [blocking]),
    ]


async def test_successions_go_both_ways_and_to_their_ends(run, step, store):
    runs = [run(number) for number in range(6)]
    places = [step(1, one) for one in runs]
    steps = [
        step(1, one, status=Status.superseded, outcome=None, superseded_by=successor)
        for one, successor in zip(runs[:4], ["x", "x", places[3].id, places[4].id], strict=True)
    ]
    await store.save(Changes(runs=tuple(runs), steps=(*steps, *places[4:])))

    assert await store.successions([steps[3]]) == [*steps[2:], places[4]]
    assert await store.successions(steps[2:3]) == [*steps[2:], places[4]]
    assert await store.successions([]) == []


async def test_the_last_id_is_the_greatest_of_deliveries_and_runs(delivery, run, store):
    assert await store.last_id() == ""

    await store.save(Changes(deliveries=(delivery(1), delivery(2))))
    assert await store.last_id() == delivery(2).id

    await store.save(Changes(runs=(run(1),)))
    assert await store.last_id() == run(1).id


async def test_last_steps_are_what_finished_last_in_each_container(run, step, store):
    first, second = run(1), run(2)
    steps = (
        step(1, first, container="a"),
        step(2, first, container="b"),
        step(3, first, container="a", engine="other"),
        step(1, second, container="a"),
        step(2, second, container="a", status=Status.running, outcome=None, finished_at=None),
    )
    await store.save(Changes(runs=(first, second), steps=steps))

    assert await store.last_steps() == [steps[3], steps[1], steps[2]]


async def test_what_is_routine_is_no_containers_last_step(run, step, store):
    update, validation = run(1), run(2, **ROUTINE)
    did = step(1, update)
    told = step(1, validation, outcome=Outcome.valid, **ROUTINE)
    other = step(2, validation, container="mail", outcome=Outcome.valid, **ROUTINE)
    await store.save(Changes(runs=(update, validation), steps=(did, told, other)))

    assert await store.last_steps() == [did]
    assert await store.figures.steps_of("local", "bind", 9) == [did]


async def test_the_last_step_is_the_one_that_ended_last_whatever_the_clock_said(
    run, step, store
):
    runs = [run(1), run(2)]
    early = step(1, runs[0], finished_at=NOW + 2 * MINUTE)
    late = step(1, runs[1], finished_at=NOW)
    await store.save(Changes(runs=tuple(runs), steps=(early,)))
    await store.save(Changes(steps=(late,)))
    again = msgspec.structs.replace(early, reason="told once more")
    await store.save(Changes(steps=(again,)))

    assert await store.last_steps() == [late]


async def test_known_pushes_are_the_newest_of_each_ref_oldest_first(known_push, store):
    some = [
        known_push(number, repository=f"h/{number % 2}", ref=f"refs/heads/{number % 3}")
        for number in range(30)
    ]
    await store.save(Changes(pushes=tuple(reversed(some))))

    assert await store.known_pushes(2) == some[-12:]


PROJECTS = ["bind", "mail", "web"]


REPOSITORIES = ["ops/Bind", "ops/mail", None]


STATUSES = [Status.succeeded, Status.failed, Status.queued]


some_runs = st.lists(
    st.tuples(
        st.sampled_from(REPOSITORIES),
        st.sampled_from(STATUSES),
        st.lists(st.tuples(st.sampled_from(PROJECTS), st.sampled_from("ab")), max_size=3),
        st.integers(-240, 240),
        st.booleans(),
    ),
    max_size=25,
)


times = st.none() | st.integers(-5, 60).map(lambda minutes: NOW + minutes * MINUTE)


some_query = st.builds(
    RunQuery,
    project=st.none() | st.sampled_from(PROJECTS),
    repository=st.none() | st.sampled_from(["OPS/bind", "ops/mail", "ops/none"]),
    status=st.none() | st.sampled_from(STATUSES),
    container=st.none() | st.sampled_from("abc"),
    since=times,
    until=times,
    limit=st.integers(1, 7),
    routine=st.booleans(),
)


def fits(query, one, steps):
    return (
        (query.project is None or query.project in {its.project for its in steps})
        and (query.container is None or query.container in {its.container for its in steps})
        and query.status in {None, one.status}
        and (
            query.repository is None
            or (one.push and one.push.repository.lower() == query.repository.lower())
        )
        and (query.since is None or query.since <= one.created_at)
        and (query.until is None or one.created_at < query.until)
        and (query.routine or one.trigger is Trigger.push or one.status is Status.failed)
    )


def test_pages_of_runs_are_what_a_plain_filter_finds(push, run, step, tmp_path_factory):
    @given(some_runs, st.lists(some_query, min_size=1, max_size=10))
    def compare(described, queries):
        everything = []
        for number, (repository, status, places, jitter, is_routine) in enumerate(described):
            one = run(
                number,
                status=status,
                push=push(repository) if repository else None,
                created_at=NOW + number * 2 * MINUTE + timedelta(seconds=jitter),
                **(ROUTINE if is_routine else {}),
            )
            steps = [
                step(place, one, project=project, container=container)
                for place, (project, container) in enumerate(places, 1)
            ]
            everything.append((one, steps))

        async def check():
            async with Store.open(tmp_path_factory.mktemp("state")) as store:
                for one, steps in everything:
                    await store.save(Changes(runs=(one,), steps=tuple(reversed(steps))))
                for query in queries:
                    found, cursor = [], None
                    while page := await store.runs(
                        msgspec.structs.replace(query, cursor=cursor)
                    ):
                        assert len(page) <= query.limit
                        found += page
                        assert len(found) <= len(everything)
                        cursor = page[-1][0].id
                    assert found == [one for one in reversed(everything) if fits(query, *one)]

        asyncio.run(check())

    compare()


async def test_deliveries_are_listed_by_source_repository_and_time(delivery, store):
    some = [
        delivery(0),
        delivery(1, source="github"),
        delivery(2, repositories=("OPS/Mail", "ops/docker_bind")),
        delivery(3, source="github", repositories=("ops/mail",)),
        delivery(60, repositories=()),
    ]
    await store.save(Changes(deliveries=tuple(some)))

    async def ids(**values):
        return [some.index(one) for one in await store.deliveries(DeliveryQuery(**values))]

    assert await ids() == [4, 3, 2, 1, 0]
    assert await ids(limit=2, cursor="d000003") == [2, 1]
    assert await ids(source="github") == [3, 1]
    assert await ids(source="github", cursor="d000003") == [1]
    assert await ids(repository="ops/MAIL") == [3, 2]
    assert await ids(repository="ops/mail", source="github") == [3]
    assert await ids(since=NOW + MINUTE, until=NOW + 3 * MINUTE) == [2, 1]
    assert await ids(source="gitea", since=NOW + 30 * MINUTE) == [4]
    assert await ids(until=NOW) == []


@pytest.mark.parametrize("name", sorted(QUERIES))
async def test_every_query_is_valid_and_finds_its_rows_by_an_index(store, name):
    short_tables = {
        "tokens",
        "holds",
        "attended",
        "intervals",
        "container_states",
        "bindings",
        "reports",
        "count_write",
        "count_runs",
        "keep_uses_since",
    }

    def plan(connection):
        query = f"EXPLAIN QUERY PLAN {QUERIES[name]}"
        return [row[3] for row in connection.execute(query, defaultdict(lambda: None))]

    plan = await store._readers.read("explain", plan)

    if name not in short_tables:
        scans = [line for line in plan if line.startswith("SCAN") and "INDEX" not in line]
        assert not [line for line in scans if "known" not in line and "subquery" not in line]
    if name.startswith("list_"):
        columns = name.partition("_by_")[2].split("_and_")
        assert not [line for line in plan if "SCAN" in line or "TEMP" in line]
        assert all(f"{column}=?" in plan[0] for column in columns if column)
