"""The commands that only read, against a server that speaks the contract, on a pipe."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import web

RUN = "01k9a0000000000000000000a1"


OTHER = "01k9b0000000000000000000b2"


STEP = "01k9a0000000000000000000c3"


GITREF = "0123456789abcdef0123456789abcdef01234567"


EVIL = "\x1b]0;evil\x07\x1b[31mred\nx"


CONTAINER = {
    "name": "dns-1",
    "project": "bind",
    "image": "ops/bind:1",
    "gitref": GITREF,
    "current_gitref": GITREF[::-1],
    "behind": True,
    "dirty": True,
    "last_step": {
        "status": "failed",
        "outcome": "behind",
        "finished_at": "2026-01-01T00:00:00Z",
    },
}


STEPS = [
    {
        "id": STEP,
        "run": RUN,
        "container": "dns-1",
        "project": "bind",
        "status": "failed",
        "outcome": "invalid",
        "exit_code": 65,
        "reason": f"zone {EVIL}",
        "started_at": "2026-01-01T00:00:00Z",
        "seconds": 1.25,
        "output_bytes": 12,
        "phases": [{"title": "Fetch", "started_at": "2026-01-01T00:00:00Z", "seconds": 0.5}],
    }
]


A_RUN = {
    "id": RUN,
    "status": "failed",
    "action": "update",
    "trigger": "push",
    "repository": "ops/bind",
    "after": GITREF,
    "created_at": "2026-01-01T00:00:00Z",
    "seconds": 1.3,
    "steps": STEPS,
}


def test_ps_lists_the_inventory_and_makes_names_safe(listed, api, run):
    api.reply("GET", "/api/v1/containers", listed(CONTAINER, {"name": EVIL, "behind": None}))

    shown = run("ps", "--project", "bind")

    assert shown.exit_code == 0, shown.stderr
    heading, first, second = shown.stdout.splitlines()
    assert heading.split("  ")[0] == "PROJECT"
    assert f"{GITREF[:12]}  {GITREF[::-1][:12]} dirty  yes     failed (behind), " in first
    assert "\\x1b]0;evil\\x07red\\nx" in second
    assert "  ?  " in second
    assert api.seen[0].query["project"] == "bind"


def test_ps_behind_lists_those_and_exits_1_if_there_are_any(listed, api, run):
    behind = CONTAINER | {"behind_since": "2020-01-01T00:00:00Z", "valid": False}
    good = {"name": "good", "behind": False}
    api.reply("GET", "/api/v1/containers", listed(behind, good))

    shown, told = run("ps", "--behind"), run("ps", "--behind", "--json")
    api.reply("GET", "/api/v1/containers", listed(good))
    none = run("ps", "--behind")

    assert (shown.exit_code, told.exit_code, none.exit_code) == (1, 1, 0)
    assert len(shown.stdout.splitlines()) == 2
    assert "since " in shown.stdout
    assert "invalid since" in shown.stdout
    assert [one["name"] for one in json.loads(told.stdout)["items"]] == [CONTAINER["name"]]


def test_ps_has_a_column_for_what_containers_say_where_any_does(listed, api, run):
    said = {"state": "critical", "since": "2020-01-01T00:00:00Z", "text": f"no zones {EVIL}"}
    well = {"state": "ok", "since": "2020-01-01T00:00:00Z", "text": "fine"}
    silent = CONTAINER | {"monitor": None}
    api.reply(
        "GET",
        "/api/v1/containers",
        listed(CONTAINER | {"monitor": said}, CONTAINER | {"monitor": well}, silent),
    )

    heading, first, second, third = run("ps").stdout.splitlines()
    api.reply("GET", "/api/v1/containers", listed(silent))
    without = run("ps").stdout

    assert heading.endswith("SAYS")
    assert "critical since " in first
    assert first.endswith(": no zones \\x1b]0;evil\\x07red\\nx")
    assert second.endswith("  ok")
    assert third.endswith("ago")
    assert "SAYS" not in without


def test_json_is_the_answer_unchanged(api, run):
    raw = b'{"next":null,  "items": [ ],"more":1}'
    api.reply("GET", "/api/v1/containers", raw)

    assert run("ps", "--json").stdout.encode() == raw + b"\n"


def test_lists_go_on_to_the_next_page(listed, api, run):
    pages = [listed({"id": RUN}, following="c1"), listed({"id": OTHER})]

    async def handler(request):
        page = pages[1 if request.query.get("cursor") == "c1" else 0]
        return web.json_response(page)

    api.answers["GET", "/api/v1/runs"] = handler

    shown = run("runs", "--json")

    assert json.loads(shown.stdout) == listed({"id": RUN}, {"id": OTHER})


def test_runs_asks_for_what_is_wanted(listed, api, run):
    api.reply("GET", "/api/v1/runs", listed(A_RUN))

    shown = run(
        *("runs", "--project", "bind", "--repository", "ops/bind", "--status", "failed"),
        *("--since", "2h", "--limit", "5"),
    )

    assert f"update ops/bind {GITREF[:12]}" in shown.stdout
    query = api.seen[0].query
    assert query.pop("since").endswith("+00:00")
    assert query == {
        "project": "bind",
        "repository": "ops/bind",
        "status": "failed",
        "limit": "5",
    }


@pytest.mark.parametrize("name", ["last", RUN, RUN.upper(), RUN[:12], RUN[-8:]])
def test_show_finds_a_run_by_a_part_of_its_id(listed, api, run, name):
    api.reply("GET", "/api/v1/runs", listed(A_RUN, {"id": OTHER}))
    api.reply("GET", f"/api/v1/runs/{RUN}", A_RUN)

    shown = run("show", name)

    assert shown.exit_code == 0, shown.stderr
    assert f"run         {RUN}" in shown.stdout
    assert "zone \\x1b]0;evil\\x07red\\nx" in shown.stdout
    assert "0.5 s  Fetch" in shown.stdout


@pytest.mark.parametrize(
    ("name", "exit_code", "said"),
    [
        ("01k9", 2, "too short"),
        ("zzzzzz", 3, "there is no run zzzzzz"),
        ("00000000", 3, "no run"),
    ],
)
def test_a_run_that_is_not_there(*, listed, api, run, name, exit_code, said):
    api.reply("GET", "/api/v1/runs", listed({"id": RUN}, {"id": OTHER}))

    shown = run("show", name)

    assert (shown.exit_code, said in shown.stderr) == (exit_code, True)


@pytest.mark.parametrize("follow", [False, True])
def test_logs_copies_the_text(api, run, follow):
    path = f"/api/v1/runs/{RUN}/output"
    api.stream("GET", path, [b"dns-1 | \x1b[31mre", b"d\x1b[0m\n\xff"])

    shown = run("logs", RUN, *(["-f"] if follow else []))

    assert shown.stdout_bytes == b"dns-1 | \x1b[31mred\x1b[0m\n\xff"
    assert api.seen[0].query == {"follow": "true" if follow else "false"}
    assert api.seen[0].headers["Accept"] == "text/plain"


@pytest.mark.parametrize("step", [STEP, "dns-1", STEP[-6:]])
def test_logs_of_a_step_are_its_raw_bytes(api, run, step):
    api.reply("GET", f"/api/v1/runs/{RUN}", A_RUN)
    api.stream("GET", f"/api/v1/runs/{RUN}/output", [b"\x00\x1b[2J\r\n\xfe"])

    shown = run("logs", RUN, "--step", step, "--stream", "stderr")

    assert shown.stdout_bytes == b"\x00\x1b[2J\r\n\xfe"
    assert api.seen[-1].query == {"follow": "false", "step": STEP, "stream": "stderr"}


def test_deliveries_and_one_of_them(listed, verdicts, api, run):
    item = {
        "id": RUN,
        "source": "gitea",
        "forge": "gitea",
        "repository": "ops/bind",
        "ref": "refs/heads/main",
        "run": OTHER,
        "verdicts": verdicts,
        "pushes": [{"ref": "refs/heads/main", "run": OTHER}],
    }
    api.reply("GET", "/api/v1/deliveries", listed(item, {"id": OTHER, "ignored": "a ping"}))
    api.reply("GET", f"/api/v1/deliveries/{RUN}", item)

    table, one = run("deliveries"), run("deliveries", "last")

    assert f"main  run {OTHER}" in table.stdout
    assert "ignored: a ping" in table.stdout
    assert "✓ dns-1  its git_repo is the same" in one.stdout
    assert "✗ dns-2  branch dev\n    set branch: main" in one.stdout


def test_a_delivery_that_an_old_secret_proved_says_so(api, run):
    one = {"id": "0" * 26, "source": "gitea", "secret": 1, "remote": "198.51.100.7"}
    api.reply("GET", f"/api/v1/deliveries/{'0' * 26}", one | {"pushes": [], "verdicts": []})

    shown = run("deliveries", "0" * 26).stdout

    assert "number 2 of its source's list: the sender still has the old one" in shown
    assert "198.51.100.7" in shown


def test_report_asks_for_the_time_and_prints_text_json_or_a_page(api, run):
    told = {
        "since": "2026-01-01T00:00:00Z",
        "until": "2026-01-02T00:00:00Z",
        "url": None,
        "runs": {"failed": 1},
        "is_cut": False,
        "containers": 1,
        "engines_away": [],
        "updated": [],
        "behind": [],
        "images": [],
        "ailing": [],
        "failed": [
            {"project": "bind", "container": "dns-1", "host": "local", "action": "update"}
            | {"times": 3, "status": "failed", "outcome": "invalid", "reason": f"zone {EVIL}"}
            | {"at": "2026-01-01T01:00:00Z", "run": RUN, "is_over": True}
        ],
    }
    api.reply("GET", "/api/v1/report", told)

    text, raw, html = (
        run("report", "--since", "7d", *more) for more in ((), ("--json",), ("--html",))
    )

    assert text.exit_code == 0, text.stderr
    assert "1 run (1 failed), 1 container now" in text.stdout
    assert "dns-1 (bind)  update failed (invalid), 3 times, well again" in text.stdout
    assert "\\x1b]0;evil\\x07" in text.stdout
    assert "Behind: none" in text.stdout
    assert json.loads(raw.stdout) == told
    assert html.stdout.startswith("<!doctype html>")
    assert "\x1b" not in text.stdout + html.stdout
    asked = datetime.fromisoformat(api.seen[0].query["since"])
    assert abs(datetime.now(UTC) - asked - timedelta(days=7)) < timedelta(minutes=5)
    assert run("report", "--html", "--json").exit_code == 2
