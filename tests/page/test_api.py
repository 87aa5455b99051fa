"""What the API takes, whom it lets in, and what it answers."""

import re

import msgspec
import pytest

from hookrunner.core.tokens import SCOPES
from hookrunner.web import shapes
from hookrunner.web.openapi import OPERATIONS, describe

LISTS = ["/api/v1/runs", "/api/v1/deliveries", "/api/v1/containers", "/api/v1/tokens"]


def path_of(one):
    return re.sub(r"\{[^}]+\}", "0123456789abcdefghjkmnpqrs", one.path)


async def test_every_operation_refuses_strangers_and_too_small_scopes(world):
    for one in OPERATIONS:
        status, headers, told = await world.ask(one.method, path_of(one), scope=None)
        assert (status, headers["WWW-Authenticate"]) == (401, "Bearer"), one.path
        assert told["title"]
        for scope in SCOPES[: SCOPES.index(one.scope)]:
            status, _, told = await world.ask(one.method, path_of(one), scope=scope)
            assert status == 403, (one.path, scope)
            assert one.scope in told["hint"]


@pytest.mark.parametrize("path", LISTS)
async def test_lists_have_items_and_a_cursor(busy, path):
    status, _, told = await busy.ask("GET", path)

    assert status == 200
    assert told["items"]
    assert told["next"] is None


async def test_answers_are_of_the_shape_that_the_document_tells(busy):
    for path, kind in [
        ("/api/v1/runs", shapes.Page[shapes.Run]),
        ("/api/v1/deliveries", shapes.Page[shapes.Delivery]),
        ("/api/v1/containers?metadata=true", shapes.Page[shapes.Container]),
        ("/api/v1/health", shapes.Health),
    ]:
        _, _, told = await busy.ask("GET", path)

        assert msgspec.to_builtins(msgspec.convert(told, kind)) == told


async def test_pages_lead_to_all_runs_once(world):
    bind = world.container()
    made = [(await world.run(bind))[0].id for _ in range(7)]
    found, cursor = [], None

    while True:
        query = {"limit": "3"} | ({"cursor": cursor} if cursor else {})
        _, _, told = await world.ask("GET", "/api/v1/runs", params=query)
        found += [one["id"] for one in told["items"]]
        cursor = told["next"]
        if cursor is None:
            break

    assert found == sorted(made, reverse=True)


async def test_a_token_for_one_project_finds_its_runs_among_many_others(world):
    mail = world.container("mail-1", "mail")
    bind = world.container("bind-1")
    wanted, _ = await world.run(mail)
    for _ in range(5):
        await world.run(bind)

    _, _, told = await world.ask("GET", "/api/v1/runs?limit=2", scope="mail")

    assert [one["id"] for one in told["items"]] == [wanted.id]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "twice"),
        ("status=fine", "status"),
        ("since=yesterday", "RFC 3339"),
        ("statu=failed", "known: since"),
    ],
)
async def test_a_query_that_makes_no_sense_is_told(world, query, said):
    status, _, told = await world.ask("GET", f"/api/v1/runs?{query}")

    assert status == 400
    assert said in told["title"] + told.get("hint", "")


async def test_what_did_not_change_is_told_without_a_body(busy):
    _, _, told = await busy.ask("GET", "/api/v1/runs?limit=1")
    path = f"/api/v1/runs/{told['items'][0]['id']}"
    status, headers, _ = await busy.ask("GET", path)
    assert status == 200

    again = {"headers": {"If-None-Match": headers["ETag"]}}
    status, _, body = await busy.ask("GET", path, **again)
    assert (status, body) == (304, b"")
    other = {"headers": {"If-None-Match": '"another"'}}
    assert (await busy.ask("GET", path, **other))[0] == 200


async def test_the_document_is_for_anyone_and_names_every_operation(world):
    status, headers, told = await world.ask("GET", "/api/v1/openapi.json", scope=None)

    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert told == msgspec.json.decode(msgspec.json.encode(describe("/")))
    named = {(m.upper(), path) for path, one in told["paths"].items() for m in one}
    assert named == {(one.method, re.sub(r":[^}]+", "", one.path)) for one in OPERATIONS}
    assert told["openapi"].startswith("3.1")


def test_the_fields_of_the_contract_are_in_the_document():
    """SPEC, "Fields that every answer of these kinds has"."""
    contract = {
        "Run": "id status trigger action repository ref before after requested_by reason"
        " created_at finished_at seconds steps",
        "Step": "id run container host project image action status outcome exit_code reason"
        " gitref started_at finished_at seconds phases output_bytes truncated superseded_by",
        "Phase": "title started_at seconds",
        "Container": "id name host project image image_id gitref current_gitref pushed_gitref"
        " behind image_behind dirty held git_repo git_branch methods metadata last_step",
        "Delivery": "id source forge received_at repository ref after run ignored pushes"
        " verdicts",
        "Verdict": "container project target reason remedy",
    }
    schemas = describe("/")["components"]["schemas"]

    for name, fields in contract.items():
        assert set(fields.split()) <= set(schemas[name]["required"]), name


async def test_a_body_that_makes_no_sense_is_told(world):
    for body in (b"{", b"[]", b'{"project": 1}', b'{"projekt": "x"}', b"{}", b"\xff"):
        status, _, told = await world.ask("POST", "/api/v1/updates", data=body)
        assert status == 400, body
        assert told["title"], body


async def test_nothing_matched_is_told_with_the_near_misses(busy):
    status, _, told = await busy.ask("POST", "/api/v1/updates", json={"project": "bin"})

    assert status in {404, 503}, told
