"""Pages of runs and deliveries, newest first, from the index that fits each question."""

import sqlite3

import msgspec

from hookrunner.adapters.store.database import QUERIES
from hookrunner.adapters.store.records import (
    DeliveryQuery,
    Row,
    RunQuery,
    UseQuery,
    decode_delivery,
    decode_run,
    decode_step,
    decode_use,
    instant,
)
from hookrunner.core.tokens import Use
from hookrunner.model import Delivery, Run, Step

SLACK = 10 * 60 * 1_000_000
"""Microseconds by which ids and times may disagree on which of two rows is older: the clock
was set, or an id was drawn before the time was taken (guess). More makes lists read more."""

_FIRST, _LAST = "", "\U0010ffff"
_BEGINNING, _END = -(2**63), 2**63 - 1


def list_runs(connection: sqlite3.Connection, query: RunQuery) -> list[tuple[Run, list[Step]]]:
    """One page of the runs that fit, each with its steps by number."""
    row = _conditions(connection, query, "run")
    rows = connection.execute(QUERIES[runs_query(query)], row).fetchall()
    return with_steps(connection, rows)


def list_deliveries(connection: sqlite3.Connection, query: DeliveryQuery) -> list[Delivery]:
    """One page of the deliveries that fit."""
    row = _conditions(connection, query, "delivery")
    rows = connection.execute(QUERIES[deliveries_query(query)], row)
    return [decode_delivery(document) for (document,) in rows]


def list_uses(connection: sqlite3.Connection, query: UseQuery) -> list[tuple[int, Use]]:
    """One page of the uses of the API that fit, each with its number."""
    row: Row = {
        "who": query.who,
        "below": _END if query.cursor is None else query.cursor,
        "since": _BEGINNING if query.since is None else instant(query.since),
        "until": _END if query.until is None else instant(query.until),
        "limit": query.limit,
    }
    name = "list_uses" if query.who is None else "list_uses_by_who"
    return [(i, decode_use(document)) for i, document in connection.execute(QUERIES[name], row)]


def runs_query(query: RunQuery) -> str:
    """The name of the SQL query that reads the fewest rows for this question."""
    if query.container is not None:
        return "list_runs_by_container"
    for key in ("project", "repository"):
        if getattr(query, key) is not None:
            return f"list_runs_by_{key}" + ("_and_status" if query.status is not None else "")
    if query.status is not None:
        return "list_runs_by_status"
    return "list_runs" if query.routine else "list_runs_not_routine"


def deliveries_query(query: DeliveryQuery) -> str:
    """The name of the SQL query that reads the fewest rows for this question."""
    if query.repository is not None:
        return "list_deliveries_by_repository"
    return "list_deliveries_by_source" if query.source is not None else "list_deliveries"


def with_steps(
    connection: sqlite3.Connection, rows: list[tuple[str, bytes]]
) -> list[tuple[Run, list[Step]]]:
    """Runs from their ids and documents, in that order, each with its steps by number."""
    steps: dict[str, list[Step]] = {run_id: [] for run_id, _ in rows}
    ids = {"runs": msgspec.json.encode(list(steps)).decode()}
    for run_id, document in connection.execute(QUERIES["steps_of_runs"], ids):
        steps[run_id].append(decode_step(document))
    return [(decode_run(document), steps[run_id]) for run_id, document in rows]


def _conditions(
    connection: sqlite3.Connection, query: RunQuery | DeliveryQuery, kind: str
) -> Row:
    """The values for a list's query.

    Ids sort by time, so that a span of time lies between two ids: the list starts at the
    one and stops at the other instead of reading what is older or newer.
    """

    def place(name: str, at: int, otherwise: str) -> str:
        row = connection.execute(QUERIES[name], {"at": at}).fetchone()
        return otherwise if row is None else str(row[0])

    values: Row = msgspec.structs.asdict(query)
    above, below, since, until = _FIRST, _LAST, _BEGINNING, _END
    if query.since is not None:
        since = instant(query.since)
        above = place(f"last_{kind}_before", since - SLACK, _FIRST)
    if query.until is not None:
        until = instant(query.until)
        below = place(f"first_{kind}_from", until + SLACK, _LAST)
    if query.repository is not None:
        values["repository"] = query.repository.lower()
    below = min(below, query.cursor or _LAST)
    return values | {"above": above, "below": below, "since": since, "until": until}
