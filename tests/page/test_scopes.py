"""Every route, walked with tokens that are for another project, or for less than it takes."""

import asyncio
import hashlib
import re
from datetime import UTC, datetime

import pytest

from hookrunner.adapters.store import RunQuery
from hookrunner.core.selection import parse_selector
from hookrunner.core.tokens import Token
from hookrunner.units import new_id
from hookrunner.web.openapi import OPERATIONS
from hookrunner.web.pages.routes import ROUTES

pytestmark = pytest.mark.process  # a server each: a third of a second

CANARY = "kanarie"
"""It is in all there is of the project ``bind``, and in nothing that is asked."""
SCOPES = ["read", "run", "admin"]
OPEN = {"/sign-in", "/sign-out", "/static/{name}"}
"""What of the page is for anybody."""


@pytest.fixture
async def full(make_world):
    """A server that knows, of every kind, something of ``bind`` and nothing of others."""
    world = await make_world("projects: {bind: {tags: true}}\n")
    services = world.services
    keys = {"git_repo": f"https://git.example.net/ops/{CANARY}.git", "owner": CANARY}
    bind = world.container("bind-1", keys=keys, image=f"ops/{CANARY}:latest")
    world.run_id = (await world.run(bind, output=CANARY.encode(), reason=CANARY))[0].id
    verdict = world.verdict(bind, remedy=CANARY)
    receipt = world.receipt(run=world.run_id, verdicts=[verdict], repository=f"ops/{CANARY}")
    world.delivery_id = (await world.delivery(receipt)).id
    hold = parse_selector({"project": "bind"})
    placed = await services.holding.place(
        hold, requested_by=CANARY, scope="*", reason=CANARY, seconds=None
    )
    world.hold_id = placed.id
    world.ids = {
        "id": [world.run_id, world.delivery_id, bind.id, "bind-1", "local/bind-1", placed.id],
        "name": ["admin", "x"],
        "action": ["update", "validate"],
        "topic": ["security"],
    }
    for scope in SCOPES:
        for name, project in ((f"{scope}-mail", "mail"), (f"{scope}-all", "*")):
            await services.store.add_token(
                Token(
                    id=new_id(datetime.now(UTC)),
                    name=name,
                    hash=hashlib.sha256(f"hr_{name}".encode()).hexdigest(),
                    scopes=frozenset({scope}),
                    project=project,
                    created_at=datetime.now(UTC),
                )
            )
    return world


def paths(world, template):
    """A route's paths, with each thing that exists in its variable part."""
    found = re.search(r"\{(\w+)[^}]*\}", template)
    if found is None:
        return [template]
    fits = re.compile(".+" if found[0].endswith(":.+}") else "[^/]+")
    filled = [
        template.replace(found[0], one, 1) for one in world.ids[found[1]] if fits.fullmatch(one)
    ]
    return [path for one in filled for path in paths(world, one)]


BODIES = [
    {"project": "bind"},
    {"container": "bind-1"},
    {"repository": "ops/bind"},
    {"image": "ops/bind"},
    {"push": {"repository": "ops/bind", "ref": "refs/heads/main"}},
]


def bodies(world, operation):
    if operation.method == "GET":
        return [None]
    return [*BODIES, {"delivery": world.delivery_id}, {"name": "x", "scopes": ["read"]}, {}]


async def said(world, method, path, headers, **more):
    """Status and bytes; of a stream that does not end what comes within half a second."""
    async with (
        world.session(None) as session,
        session.request(method, path, headers=headers, allow_redirects=False, **more) as answer,
    ):
        data = b""
        try:
            async with asyncio.timeout(0.5):
                async for part in answer.content.iter_any():
                    data += part
        except TimeoutError:
            pass
        return answer.status, data.decode(errors="replace") + str(answer.headers)


async def everything(world, token):
    """Ask each operation of the API for everything; give what each said."""
    headers = {"Authorization": f"Bearer hr_{token}"}
    for operation in OPERATIONS:
        for path in paths(world, operation.path):
            for body in bodies(world, operation):
                more = {} if body is None else {"json": body}
                yield (
                    operation,
                    path,
                    *await said(world, operation.method, path, headers, **more),
                )


@pytest.mark.parametrize("scope", SCOPES)
async def test_a_token_of_another_project_learns_and_does_nothing(full, scope):
    asked = 0
    async for operation, path, status, text in everything(full, f"{scope}-mail"):
        asked += 1
        assert CANARY not in text, (operation.method, path, status, text)
        assert status < 500, (operation.method, path, status, text)
        if operation.method != "GET" and operation.name != "explain":
            assert status in {400, 403, 404}, (operation.method, path, status, text)
    assert asked > len(OPERATIONS)
    assert [hold.id for hold in full.services.holding] == [full.hold_id]
    assert len(await full.services.store.runs(RunQuery())) == 1


async def test_a_token_of_all_projects_learns_it(full):
    told = [text async for _, _, _, text in everything(full, "read-all")]

    assert sum(CANARY in text for text in told) > 10, "or the canary is not where it should be"


async def test_every_operation_wants_its_scope(full):
    order = [None, *SCOPES]
    for operation in OPERATIONS:
        for scope in SCOPES:
            for path in paths(full, operation.path)[:1]:
                token = {"Authorization": f"Bearer hr_{scope}-all"}
                status, text = await said(full, operation.method, path, token, json={})
                allowed = order.index(scope) >= order.index(operation.scope)
                assert (status == 403) != allowed, (operation.method, path, scope, text)
        status, _ = await said(full, operation.method, path, {}, json={})
        assert status == 401, (operation.method, path)


@pytest.mark.parametrize("scope", ["run", "admin"])
async def test_a_session_of_another_project_sees_and_does_nothing(full, scope):
    origin = {"Origin": full.url}
    async with (
        full.session(None) as session,
        session.post(
            "/sign-in",
            data={"token": f"hr_{scope}-mail"},
            headers=origin,
            allow_redirects=False,
        ) as answer,
    ):
        cookie = answer.headers["Set-Cookie"].partition(";")[0]
    for route in ROUTES:
        if route.path in OPEN:
            continue
        for path in paths(full, route.path):
            more = {"data": {"confirmed": "yes"}} if route.method == "POST" else {}
            status, text = await said(
                full, route.method, path, origin | {"Cookie": cookie}, **more
            )
            assert CANARY not in text, (route.method, path, status, text)
            assert status < 500, (route.method, path, status)
            if route.method == "POST":
                assert status in {403, 404, 409}, (path, status, text)
            status, _ = await said(full, route.method, path, origin, **more)
            assert status in {303, 401, 403}, (route.method, path, status)
    assert [hold.id for hold in full.services.holding] == [full.hold_id]
