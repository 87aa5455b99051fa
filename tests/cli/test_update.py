"""``hookrunner update``, ``validate`` and ``cancel``, against a server of the contract."""

import json

import pytest

RUN = "01k9a0000000000000000000a1"


OTHER = "01k9b0000000000000000000b2"


def result(status):
    return {
        "type": "result",
        "run": RUN,
        "status": status,
        "seconds": 0.8,
        "steps": [{"container": "dns-1", "status": status, "outcome": None}],
    }


def ndjson(*items):
    return [json.dumps(item).encode() + b"\n" for item in items]


@pytest.mark.parametrize(("status", "exit_code"), [("succeeded", 0), ("failed", 1)])
@pytest.mark.parametrize("command", ["update", "validate"])
def test_the_text_passes_as_it_is_and_its_last_line_is_the_exit_status(
    api, run, command, status, exit_code
):
    last = f"hookrunner: run {RUN} {status}: 1 updated, 0 failed in 0.8 s\n".encode()
    path = {"update": "/api/v1/updates", "validate": "/api/v1/validations"}[command]
    api.stream("POST", path, [b">> Fetch\n\xff", b"\n", last[:20], last[20:]])

    shown = run(command, "container:dns-1", "--reason", "because")

    assert shown.exit_code == exit_code
    assert shown.stdout_bytes == b">> Fetch\n\xff\n" + last
    assert api.seen[0].headers["Accept"] == "text/plain"
    assert api.seen[0].json == {"container": "dns-1", "force": False, "reason": "because"}


def test_json_prints_the_objects(api, run):
    items = [{"type": "heartbeat"}, {"type": "output", "data": "x" * 300_000}, result("failed")]
    sent = b"".join(ndjson(*items))
    api.stream("POST", "/api/v1/updates", [sent[:100_000], sent[100_000:]])

    shown = run("update", "bind", "--force", "--json")

    assert shown.exit_code == 1
    assert shown.stdout_bytes == sent
    assert api.seen[0].json["force"] is True
    assert api.seen[0].headers["Accept"] == "application/x-ndjson"


def test_nothing_matched_is_3_and_says_why(verdicts, api, run):
    api.refuse("POST", "/api/v1/updates", 404, detail="no container", verdicts=verdicts[1:])

    shown = run("update", "bind")

    assert shown.exit_code == 3
    assert "✗ dns-2  branch dev\n    set branch: main\n" in shown.stderr
    assert "hookrunner: no container\n" in shown.stderr


@pytest.mark.parametrize("cut", [False, True])
def test_a_stream_without_a_result_is_no_result(api, run, cut):
    api.stream("POST", "/api/v1/updates", [b">> Fetch\n"], cut=cut)

    shown = run("update", "bind")

    assert shown.exit_code == 69
    assert "went away" in shown.stderr


def test_cancel(api, run):
    api.reply("POST", f"/api/v1/runs/{RUN}/cancel", {})
    api.refuse("POST", f"/api/v1/runs/{OTHER}/cancel", 409, detail="it is over")

    assert run("cancel", RUN).exit_code == 0
    assert run("cancel", OTHER).exit_code == 1


@pytest.mark.parametrize(
    "words", [("update", "bind"), ("validate", "bind"), ("cancel", RUN)], ids=str
)
def test_what_needs_the_server_says_how_to_start_it(run, config, words):
    shown = run(*words)

    assert shown.exit_code == 69
    assert f"hint: start it: hookrunner serve --config {config}" in shown.stderr
