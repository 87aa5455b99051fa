"""``hookrunner token`` and ``audit-log`` against a server that speaks the contract."""

import pytest


def test_token_create_prints_the_token_alone(api, run):
    api.reply("POST", "/api/v1/tokens", {"token": "hr_abc"}, status=201)

    shown = run(
        *("token", "create", "ci", "--scope", "run,read", "--project", "web-*"),
        *("--project", "dns"),
        *("--expires", "90d"),
    )

    assert shown.stdout == "hr_abc\n"
    assert "only a hash" in shown.stderr
    body = api.seen[0].json
    assert body.pop("expires_at").endswith("+00:00")
    assert body == {"name": "ci", "scopes": ["run", "read"], "project": "web-*,dns"}


def test_token_list_and_revoke(listed, api, run):
    api.reply(
        "GET", "/api/v1/tokens", listed({"name": "ci", "scopes": ["run"], "project": "*"})
    )
    api.reply("DELETE", "/api/v1/tokens/c%2Fi", {})
    api.answers["DELETE", "/api/v1/tokens/c/i"] = api.answers["DELETE", "/api/v1/tokens/c%2Fi"]

    assert "ci    run     *" in run("token", "list").stdout
    assert run("token", "revoke", "c/i").exit_code == 0


@pytest.mark.parametrize("words", [("--scope", "rum"), ("--scope", ""), ()])
def test_token_create_refuses_other_scopes(api, run, words):
    assert run("token", "create", "ci", *words).exit_code == 2
    assert api.seen == []


def test_audit_log_shows_who_did_what_from_where(listed, api, run):
    use = {
        "id": "7",
        "at": "2026-11-23T09:00:00Z",
        "who": "token ci",
        "what": "POST /api/v1/updates",
        "about": "bi\x1bnd",
        "run": "01x",
        "status": 202,
        "address": "198.51.100.7",
    }
    api.reply("GET", "/api/v1/audit", listed(use))

    shown = run("audit-log", "--who", "token ci")

    assert shown.exit_code == 0, shown.output
    for word in ("token ci", "198.51.100.7", "202", "POST /api/v1/updates", "01x"):
        assert word in shown.stdout
    assert api.seen[0].query["who"] == "token ci"
    assert run("audit-log", "--json").stdout.count("198.51.100.7") == 1
