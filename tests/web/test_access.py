"""Tokens over the real API: what each may, and that every use is on record."""

import hashlib
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from hookrunner.adapters.store import Changes
from hookrunner.core.tokens import Token
from hookrunner.model import (
    Action,
    Delivery,
    Push,
    PushReceipt,
    Run,
    Status,
    Step,
    Trigger,
    Verdict,
)

ENDPOINTS = [
    ("POST", "/api/v1/updates"),
    ("POST", "/api/v1/validations"),
    ("POST", "/api/v1/explain"),
    ("GET", "/api/v1/runs"),
    ("GET", "/api/v1/runs/x"),
    ("GET", "/api/v1/runs/x/output"),
    ("POST", "/api/v1/runs/x/cancel"),
    ("GET", "/api/v1/deliveries"),
    ("GET", "/api/v1/deliveries/x"),
    ("GET", "/api/v1/containers"),
    ("GET", "/api/v1/containers/x"),
    ("GET", "/api/v1/tokens"),
    ("POST", "/api/v1/tokens"),
    ("DELETE", "/api/v1/tokens/x"),
    ("GET", "/api/v1/audit"),
    ("GET", "/api/v1/health"),
]


async def create(client, name, *scopes, project="*", **more):
    asked = {"name": name, "scopes": scopes, "project": project} | more
    status, said = await client.api("POST", "/api/v1/tokens", body=asked)
    assert status == 201, said
    return said["token"]


async def test_without_a_good_token_nothing_is_answered(door):
    async with door() as client:
        revoked = await create(client, "ci", "admin")
        await client.api("DELETE", "/api/v1/tokens/ci")

        for method, path in ENDPOINTS:
            for token in ("x", "hr_wrong", "ä", revoked):
                status, said = await client.api(method, path, token=token)
                assert (status, said["status"]) == (401, 401), (method, path, token)


async def test_a_scope_lets_in_as_far_as_it_goes(door):
    async with door() as client:
        tokens = {
            scope: await create(client, scope, scope) for scope in ("read", "run", "admin")
        }
        needs = {"updates": "run", "validations": "run", "cancel": "run"} | dict.fromkeys(
            ("tokens", "audit"), "admin"
        )
        order = list(tokens)

        for method, path in ENDPOINTS:
            need = next((scope for word, scope in needs.items() if word in path), "read")
            for scope, token in tokens.items():
                status, _ = await client.api(method, path, token=token)
                allowed = order.index(scope) >= order.index(need)
                assert (status != 403) == allowed, (method, path, scope, status)


async def test_a_token_for_some_projects_makes_none_for_all_and_reads_no_audit_log(door):
    async with door() as client:
        token = await create(client, "some", "admin", project="web-*")
        asked = {"name": "more", "scopes": ["admin"]}

        for method, path in [("POST", "/tokens"), ("GET", "/tokens"), ("GET", "/audit")]:
            status, said = await client.api(method, f"/api/v1{path}", token=token, body=asked)
            assert status == 403
            assert "web-*" in said["title"]


async def test_every_use_is_on_record_with_who_what_when_and_from_where(door):
    text = "trusted_proxies: [127.0.0.1]\n"
    async with door(text) as client:
        token = await create(client, "ci", "read", project="bind,web-*")
        await client.api("GET", "/api/v1/runs?limit=5", token=token)
        await client.api(
            "POST", "/api/v1/updates", token=token, **{"X-Forwarded-For": "198.51.100.7"}
        )
        await client.api("POST", "/api/v1/explain", token=token, body={"container": "b"})
        status, page = await client.api("GET", "/api/v1/audit?who=token+ci&limit=2")
        _, rest = await client.api(
            "GET", f"/api/v1/audit?who=token+ci&cursor={page['next']}&limit=2"
        )
        _, everything = await client.api("GET", "/api/v1/audit")
        _, tokens = await client.api("GET", "/api/v1/tokens")

        shown = [
            (one["what"], one["about"], one["status"], one["address"])
            for one in (*page["items"], *rest["items"])
        ]
        assert status == 200
        assert shown == [
            ("POST /api/v1/explain", "container:b", 200, "127.0.0.1"),
            ("POST /api/v1/updates", None, 403, "198.51.100.7"),
            ("GET /api/v1/runs?limit=5", None, 200, "127.0.0.1"),
        ]
        assert rest["next"] is None
        assert tokens["items"][0]["last_used_at"] == page["items"][0]["at"]
        made = everything["items"][-1]
        assert made["who"].startswith("user ")
        assert (made["what"], made["about"], made["address"]) == (
            "POST /api/v1/tokens",
            "ci: read on bind,web-*",
            "unix",
        )


async def test_nothing_on_record_can_be_changed_or_deleted(door, tmp_path):
    async with door() as client:
        await client.api("GET", "/api/v1/runs")

    connection = sqlite3.connect(tmp_path / "state/hookrunner.db")
    for statement in ("DELETE FROM audit", "UPDATE audit SET who = 'nobody'"):
        with pytest.raises(sqlite3.IntegrityError, match=r"only added to|old end only"):
            connection.execute(statement)
    assert connection.execute("SELECT count(*) FROM audit").fetchone() == (1,)
    connection.close()


async def test_an_expired_token_is_worth_nothing(door):
    now = datetime.now(UTC)
    token = Token(
        id="1",
        name="old",
        hash=hashlib.sha256(b"hr_old").hexdigest(),
        scopes=frozenset({"read"}),
        created_at=now - timedelta(days=2),
        expires_at=now - timedelta(days=1),
    )
    async with door() as client:
        await client.services.store.add_token(token)

        status, said = await client.api("GET", "/api/v1/runs", token="hr_old")

        assert (status, said["title"]) == (401, "this token has expired")


def verdict(project):
    return Verdict(
        container=f"{project}-1",
        container_id=project,
        engine="local",
        project=project,
        target=True,
        reason="git_repo",
    )


async def test_a_token_for_some_projects_sees_their_part_of_runs_and_deliveries(door):
    now = datetime.now(UTC)
    run = Run(
        id="r1",
        trigger=Trigger.push,
        action=Action.update,
        created_at=now,
        status=Status.succeeded,
        finished_at=now,
    )
    steps = tuple(
        Step(
            id=f"s{number}",
            run="r1",
            number=number,
            engine="local",
            container=f"{project}-1",
            container_id=project,
            project=project,
            image="x",
            action=Action.update,
            trigger=Trigger.push,
            created_at=now,
            timeout=1.0,
            output_limit=1,
            status=Status.succeeded,
            finished_at=now,
        )
        for number, project in enumerate(("bind", "hidden"))
    )
    push = Push(repository="ops/all", ref="refs/heads/main", after="1" * 40)
    deliveries = tuple(
        Delivery(
            id=f"d{number}",
            source="github",
            forge="github",
            event="push",
            received_at=now,
            body_hash=str(number),
            pushes=(PushReceipt(push=push, run="r1", verdicts=tuple(verdicts), others=7),),
        )
        for number, verdicts in enumerate(
            ([verdict("bind"), verdict("hidden")], [verdict("hidden")])
        )
    )
    async with door() as client:
        await client.services.store.save(
            Changes(runs=(run,), steps=steps, deliveries=deliveries)
        )
        tokens = {
            name: await create(client, name, "run", project=pattern)
            for name, pattern in [("some", "bind,web-*"), ("none", "sec"), ("all", "x,*")]
        }

        async def seen(name):
            told = [
                await client.api("GET", f"/api/v1{path}", token=tokens[name], text=True)
                for path in ("/deliveries", "/deliveries/d0", "/runs", "/runs/r1")
            ]
            return [status for status, _ in told], "".join(text for _, text in told)

        some, none, everything = [await seen(name) for name in tokens]
        whole = [
            (await client.api(method, f"/api/v1/runs/r1/{path}", token=token))[0]
            for token in (tokens["some"], tokens["none"])
            for method, path in [
                ("POST", "cancel"),
                ("GET", "output"),
                ("GET", "output?step=s1&stream=stdout"),
            ]
        ]
        _, own = await client.api(
            "GET",
            "/api/v1/runs/r1/output?step=s0&stream=stdout",
            token=tokens["some"],
            text=True,
        )

    assert some[0] == [200, 200, 200, 200]
    assert "bind-1" in some[1]
    assert "hidden" not in some[1]
    assert none[0] == [200, 404, 200, 404]
    assert "bind-1" not in none[1]
    assert everything[1].count("hidden-1") > 2
    assert whole == [404] * 6
    assert "hidden" not in own
