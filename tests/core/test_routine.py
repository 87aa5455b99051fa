"""A validation that nobody asked for comes last, and keeps no update waiting."""

from datetime import UTC, datetime, timedelta

import nouns
import pytest
from msgspec.structs import replace

from hookrunner.core.queue import Queue
from hookrunner.core.routine import in_the_way
from hookrunner.model import Action, Status, Trigger

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def update(run, container, **more):
    told = {"repository": f"git.example.net/ops/{run}"}
    return nouns.make_step(run, 1, container, **told | more)


def routine(run, container, **more):
    told = {"action": Action.validate, "trigger": Trigger.schedule}
    return update(run, container, **told | more)


def asked(run, container):
    return routine(run, container, trigger=Trigger.manual)


def queue_of(*waiting, running=()):
    queue = Queue(lambda step, than: step.run < than.run)
    for step in running:
        queue.add([step])
        queue.start(step)
        queue.running[step.id] = replace(step, status=Status.running)
    for step in waiting:
        queue.add([step])
    return queue


def startable(queue, limit=4):
    return [s.run for s in queue.startable(NOW, can_start=lambda *_: True, limit=limit)]


def giving_way(queue, *, can_start=lambda *_: True, limit=4):
    return [step.run for step in in_the_way(queue, NOW, can_start=can_start, limit=limit)]


def test_it_waits_behind_an_update_of_its_container_that_came_later():
    assert startable(queue_of(routine("a", "dns"), update("b", "dns"))) == ["b"]


def test_it_gets_half_of_the_slots_and_only_what_others_leave():
    many = [routine(f"r{number}", f"c{number}") for number in range(9)]

    assert startable(queue_of(*many)) == ["r0", "r1"]
    assert startable(queue_of(*many), limit=1) == ["r0"]
    assert startable(queue_of(*many[2:], running=many[:2])) == []
    assert startable(queue_of(*many, asked("m", "d"), update("u", "e")), 3) == ["m", "u", "r0"]


def test_it_takes_nothing_of_the_part_that_its_repository_has_of_the_slots():
    busy, quiet = ({"repository": f"git.example.net/ops/{name}"} for name in ("busy", "quiet"))
    running = [routine("r", "dns", **quiet), update("u", "www", **busy)]
    waiting = [update("v", "ftp", **busy), update("w", "nfs", **quiet)]

    assert startable(queue_of(*waiting, running=running)) == ["w", "v"]


def test_it_is_stopped_for_an_update_of_its_container():
    running = [routine("r", "dns"), routine("s", "www")]

    assert giving_way(queue_of(update("u", "dns"), running=running)) == ["r"]
    assert giving_way(queue_of(asked("m", "dns"), running=running)) == []
    assert giving_way(queue_of(running=running)) == []


def test_it_is_stopped_where_it_has_the_last_slot():
    running = [routine("r", "dns"), routine("s", "www")]

    assert giving_way(queue_of(update("u", "ftp"), running=running), limit=2) == ["s"]
    assert giving_way(queue_of(update("u", "ftp"), running=running), limit=3) == []
    both = queue_of(update("u", "ftp"), update("v", "nfs"), running=running)
    assert giving_way(both, limit=2) == ["s", "r"]


def test_it_is_stopped_where_it_holds_what_the_update_needs():
    def shared(step, running):
        return step.container != "ftp" or all(one.container != "www" for one in running)

    running = [routine("r", "dns"), routine("s", "www")]

    assert giving_way(queue_of(update("u", "ftp"), running=running), can_start=shared) == ["s"]


@pytest.mark.parametrize("why", ["later", "held", "busy"])
def test_it_goes_on_where_the_update_could_not_start_anyway(why):
    later = {"not_before": NOW + timedelta(minutes=1)} if why == "later" else {}
    running = [routine("r", "dns"), *([update("o", "ftp")] if why == "busy" else [])]
    queue = queue_of(update("u", "ftp", **later), running=running)

    assert giving_way(queue, can_start=lambda *_: why != "held", limit=1) == []


def test_who_asks_for_a_validation_takes_the_place_of_one_that_waits():
    queue = queue_of(routine("r", "dns"))

    superseded, _ = queue.add([replace(asked("m", "dns"), repository="")])

    assert (superseded.run, superseded.superseded_by) == ("r", "m-1")
    assert [step.run for step in queue.waiting.values()] == ["m"]
