"""``hookrunner explain`` against a server that speaks the contract."""

import json

import pytest

RUN = "01k9a0000000000000000000a1"


GITREF = "0123456789abcdef0123456789abcdef01234567"


def test_explain_of_a_selector(verdicts, api, run):
    api.reply("POST", "/api/v1/explain", {"verdicts": verdicts, "others": 3})

    shown = run("explain", "repository:ops/bind")

    assert api.seen[0].json == {"repository": "ops/bind"}
    assert "✗ dns-2  branch dev" in shown.stdout
    assert "3 other containers have nothing to do with it" in shown.stdout


def test_explain_of_a_delivery(api, run):
    api.reply("POST", "/api/v1/explain", {"verdicts": []})

    assert "no container is known" in run("explain", "--delivery", RUN).stdout
    assert api.seen[0].json == {"delivery": RUN}


@pytest.mark.parametrize(
    ("forge", "body"),
    [
        (
            "generic",
            {"ref": "refs/heads/main", "repository": {"full_name": "ops/bind"}},
        ),
        (
            "gitlab",
            {
                "object_kind": "tag_push",
                "ref": "refs/tags/v1",
                "project": {"path_with_namespace": "ops/bind"},
            },
        ),
        (
            "gitlab",
            {
                "object_kind": "push",
                "ref": "refs/heads/main",
                "project": {"path_with_namespace": "ops/bind"},
            },
        ),
    ],
)
def test_explain_decodes_a_payload(verdicts, api, run, forge, body):
    api.reply("POST", "/api/v1/explain", {"verdicts": verdicts})
    payload = json.dumps(body | {"before": "0" * 40, "after": GITREF}).encode()

    shown = run(
        *("explain", "--payload", "-", "--forge", forge, "--source", "main"), stdin=payload
    )

    assert shown.exit_code == 0, shown.stderr
    asked = api.seen[0].json
    assert asked["source"] == "main"
    assert asked["push"]["repository"] == "ops/bind"
    assert (asked["push"]["ref"], asked["push"]["after"]) == (body["ref"], GITREF)


def test_explain_of_an_event_that_is_no_push(api, run, tmp_path):
    file = tmp_path / "ping.json"
    file.write_text('{"zen": "x", "hook_id": 1}')

    shown = run("explain", "--payload", str(file), "--forge", "github", "--event", "ping")

    assert shown.stdout.startswith("ignored: ")
    assert api.seen == []


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("dns", "--delivery", RUN),
        ("--payload", "-"),
        ("dns", "--forge", "github"),
        ("--payload", "/nowhere/x", "--forge", "github"),
    ],
)
def test_explain_needs_one_thing_to_explain(api, run, words):
    assert run("explain", *words).exit_code == 2
    assert api.seen == []
