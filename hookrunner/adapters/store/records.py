"""Structs to rows and back, and the values that the store's callers hand over."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from hookrunner.core.history import Binding, ContainerState, KnownPush
from hookrunner.core.holds import Hold
from hookrunner.core.tokens import Token, Use
from hookrunner.core.upkeep import Attended, Interval
from hookrunner.model import Delivery, Run, Status, Step

Row = dict[str, Any]
"""Values of a statement's named parameters."""


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be recorded as one: all of it is, or nothing.

    Each replaces what was recorded under its id; a container's state, under its name.
    """

    deliveries: tuple[Delivery, ...] = ()
    runs: tuple[Run, ...] = ()
    steps: tuple[Step, ...] = ()
    pushes: tuple[KnownPush, ...] = ()
    containers: tuple[ContainerState, ...] = ()
    bindings: tuple[Binding, ...] = ()
    attended: tuple[Attended, ...] = ()
    intervals: tuple[Interval, ...] = ()


class Similar(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a delivery has in common with the same one that came before.

    Attributes:
        sender_id: The sender's id of it, or None.
    """

    source: str
    sender_id: str | None
    body_hash: str


class RunQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs to list, newest first; None leaves a condition out.

    Attributes:
        project: One of the run's steps is of this project.
        repository: The full name of the push's repository, in any case.
        container: One of the run's steps is in a container of this name, on any engine.
        since: Created at that instant or later.
        until: Created before that instant.
        cursor: The id of the last run of the page before.
        routine: Also validations that nobody asked for and that did not fail.
    """

    project: str | None = None
    repository: str | None = None
    status: Status | None = None
    container: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 50
    routine: bool = True


class DeliveryQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries to list, newest first; None leaves a condition out.

    Attributes:
        repository: The full name of a push's repository, in any case.
        since: Received at that instant or later.
        until: Received before that instant.
        cursor: The id of the last delivery of the page before.
    """

    source: str | None = None
    repository: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: str | None = None
    limit: int = 50


class UseQuery(msgspec.Struct, frozen=True, kw_only=True):
    """Which uses of the API to list, newest first; None leaves a condition out.

    Attributes:
        since: At that instant or later.
        until: Before that instant.
        cursor: The number of the last use of the page before.
    """

    who: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    cursor: int | None = None
    limit: int = 50


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_encode = msgspec.json.Encoder().encode

decode_delivery = msgspec.json.Decoder(Delivery).decode
decode_run = msgspec.json.Decoder(Run).decode
decode_step = msgspec.json.Decoder(Step).decode
decode_push = msgspec.json.Decoder(KnownPush).decode
decode_container = msgspec.json.Decoder(ContainerState).decode
decode_binding = msgspec.json.Decoder(Binding).decode
decode_attended = msgspec.json.Decoder(Attended).decode
decode_interval = msgspec.json.Decoder(Interval).decode
decode_hold = msgspec.json.Decoder(Hold).decode
decode_token = msgspec.json.Decoder(Token).decode
decode_use = msgspec.json.Decoder(Use).decode
decode_image = msgspec.json.Decoder(dict[str, Any]).decode


def instant(at: datetime) -> int:
    """Microseconds since the epoch, exactly."""
    return (at - EPOCH) // _MICROSECOND


def _instant_or_none(at: datetime | None) -> int | None:
    return None if at is None else instant(at)


def statements(changes: Changes) -> Iterator[tuple[str, Row]]:
    """The names of the queries that record the changes, in order, and the parameters of each.

    Each query takes all of its rows at once: with one at a time the writer's thread waits
    after each for the interpreter's lock, which the event loop has while pushes come in. A
    commit of 20 pushes took 20 to 45 ms so, and takes 5 to 10.
    """
    if changes.deliveries:
        yield "save_delivery", _rows(map(_delivery_row, changes.deliveries))
        yield "save_delivery_repository", _rows(_delivery_repositories(changes.deliveries))
    if changes.runs:
        runs = [_run_row(run) for run in changes.runs]
        yield "save_run", _rows(runs)
        yield "save_run_of_projects", _rows(runs)
    if changes.steps:
        yield "save_step", _rows(map(_step_row, changes.steps))
        projects = {(step.run, step.project) for step in changes.steps if step.project}
        rows = ({"run": run, "project": project} for run, project in sorted(projects))
        yield "save_run_project", _rows(rows)
    if changes.pushes:
        yield "save_push", _rows(map(_push_row, changes.pushes))
    if changes.containers:
        yield "save_container", _rows(map(_container_row, changes.containers))
    if changes.attended:
        yield "save_attended", _rows(map(_container_row, changes.attended))
    if changes.intervals:
        yield "save_interval", _rows(map(_project_row, changes.intervals))
    if changes.bindings:
        yield "save_binding", _rows(map(_project_row, changes.bindings))


def _rows(rows: Iterable[Row]) -> Row:
    """The parameters of a query that takes many rows: JSON, and beside it their documents.

    SQLite copies a document out of a blob, where it would have to read it in JSON. Its JSON
    ends a text at a NUL; there is none in a name that was checked where it came in.
    """
    documents = bytearray()
    told = []
    for row in rows:
        document = row.get("document", b"")
        told.append(row | {"document": None, "at": len(documents) + 1, "size": len(document)})
        documents += document
    return {"rows": _encode(told).decode(), "documents": documents}


def _delivery_row(delivery: Delivery) -> Row:
    counts = delivery.ignored is None
    return {
        "id": delivery.id,
        "source": delivery.source,
        "sender_id": delivery.sender_id if counts else None,
        "body_hash": delivery.body_hash if counts else None,
        "received_at": instant(delivery.received_at),
        "document": _encode(delivery),
    }


def _delivery_repositories(deliveries: tuple[Delivery, ...]) -> Iterator[Row]:
    for delivery in deliveries:
        for name in sorted({receipt.push.repository.lower() for receipt in delivery.pushes}):
            yield {"delivery": delivery.id, "repository": name}


def _run_row(run: Run) -> Row:
    return {
        "id": run.id,
        "status": run.status.value,
        "repository": run.push.repository.lower() if run.push else None,
        "created_at": instant(run.created_at),
        "routine": run.is_routine and run.status is not Status.failed,
        "document": _encode(run),
    }


def _step_row(step: Step) -> Row:
    return {
        "id": step.id,
        "run": step.run,
        "number": step.number,
        "engine": step.engine,
        "container": step.container,
        "status": step.status.value,
        "counts": step.status.is_final and step.finished_at is not None and not step.is_routine,
        "superseded_by": step.superseded_by,
        "document": _encode(step),
    }


def _push_row(push: KnownPush) -> Row:
    return {
        "id": push.id,
        "repository": push.repository,
        "ref": push.ref,
        "document": _encode(push),
    }


def _container_row(state: ContainerState | Attended) -> Row:
    return {
        "engine": state.engine,
        "container": state.container,
        "document": _encode(state),
    }


def _project_row(one: Binding | Interval) -> Row:
    return {"project": one.project, "document": _encode(one)}


def image_row(engine: str, image_id: str, document: Mapping[str, Any] | None) -> Row:
    """The row of an image's metadata."""
    return {
        "engine": engine,
        "image_id": image_id,
        "document": None if document is None else _encode(document),
    }


def hold_row(hold: Hold) -> Row:
    """The row of a hold."""
    return {"id": hold.id, "document": _encode(hold)}


def token_row(token: Token) -> Row:
    """The row of a token."""
    return {
        "id": token.id,
        "name": token.name,
        "hash": token.hash,
        "expires_at": _instant_or_none(token.expires_at),
        "revoked_at": _instant_or_none(token.revoked_at),
        "document": _encode(token),
    }


def use_row(use: Use) -> Row:
    """The row of a use of the API."""
    return {"at": instant(use.at), "who": use.who, "document": _encode(use)}
