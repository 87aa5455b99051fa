"""The audit: each question of its document, as its reader asks it."""

import json
import re
import shlex
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

DOCUMENT = Path(__file__).parents[2] / "hookrunner" / "docs" / "audit.md"
ASKED = re.findall(r"^\$ hookrunner audit (.*)$", DOCUMENT.read_text("utf-8"), re.MULTILINE)


def age(days):
    return int((datetime.now(UTC) - timedelta(days=days)).timestamp())


GOOD = {
    "name": "good",
    "project": "good",
    "image": "ops/good",
    "image_behind": False,
    "behind": False,
    "dirty": False,
    "methods": ["update", "validate"],
    "runtime": {"deployed_by": "ci", "deployed_reason": "the nightly rebuild"},
    "metadata": {
        "ci": True,
        "owner": "web",
        "ancestors": [
            {"project": "first", "build_time_stamp": age(400)},
            {"project": "base", "build_time_stamp": age(2)},
        ],
    },
}


def odd(name, **fields):
    metadata = GOOD["metadata"] | fields.pop("metadata", {})
    return GOOD | {"name": name, "metadata": metadata} | fields


OLD = [{"project": "debian_base", "build_time_stamp": age(31)}]
CONTAINERS = [
    GOOD,
    odd("old-base", metadata={"ancestors": [*OLD]}),
    odd("by-hand", metadata={"ci": False, "build_host": "laptop"}),
    odd("dns", metadata={"owner": "dns"}),
    odd("outdated", image_behind=True),
    odd("behind", behind=True),
    odd("dirty", dirty=True),
    odd("on-base", metadata={"ancestors": [OLD[0] | {"build_time_stamp": age(1)}, {}]}),
    odd("not-validated", methods=["update"]),
    odd("no-reason", runtime={"deployed_by": "anna"}),
    {
        "name": "bare",
        "metadata": {},
        "methods": ["validate"],
        "runtime": {"deployed_reason": "x"},
    },
]
FOUND = {
    "days_since(ancestors[-1].build_time_stamp) > `30`": {"old-base"},
    "ci != `true`": {"by-hand", "bare"},
    "owner == 'dns'": {"dns"},
    "image_behind": {"outdated"},
    "behind || dirty": {"behind", "dirty"},
    "ancestors[?project == 'debian_base']": {"old-base", "on-base"},
    "!contains(methods, 'validate')": {"not-validated"},
    "!(runtime.deployed_reason)": {"no-reason"},
}
PACKAGES = {
    ("openssl", "3.0.15"): "/api/v1/packages",
    ("libssl*", None): "/api/v1/packages",
}


def test_the_document_has_ten():
    assert len(ASKED) == len(set(ASKED)) == 10
    words = [shlex.split(line) for line in ASKED]
    assert {line[1] for line in words if line[0] == "--where"} == set(FOUND)
    assert {line[1] for line in words if line[0] == "--package"} == {n for n, _ in PACKAGES}


@pytest.mark.parametrize("line", [line for line in ASKED if line.startswith("--where")])
def test_each_question_finds_whom_it_says(line, listed, api, run):
    api.reply("GET", "/api/v1/containers", listed(*CONTAINERS))
    words = shlex.split(line)

    told = run("audit", *words)

    assert told.exit_code == 0, told.stderr
    heading, *rows = told.stdout.splitlines()
    assert {name for row in rows for name in re.split(r"  +", row) if name in NAMES} == FOUND[
        words[1]
    ]
    assert ("--show" in words) == (words[-1].upper() in heading)
    assert api.seen[0].query["metadata"] == "true"


NAMES = {one["name"] for one in CONTAINERS} - {"good"}


@pytest.mark.parametrize("line", [line for line in ASKED if line.startswith("--package")])
def test_each_question_for_packages_is_asked_of_the_server(line, listed, api, run):
    found = {
        "container": "dns-1",
        "project": "bind",
        "image": "ops/bind:1",
        "packages": [{"name": "openssl", "version": "3.0.14-1~deb12u2", "kind": "dpkg"}],
        "reason": None,
    }
    silent = found | {"container": "www", "packages": [], "reason": "it has no `container`"}
    api.reply("GET", "/api/v1/packages", listed(found, silent))
    words = shlex.split(line)

    told = run("audit", *words)

    assert told.exit_code == 0, told.stderr
    assert re.search(
        r"^bind +dns-1 +ops/bind:1 +openssl +3.0.14-1~deb12u2$", told.stdout, re.MULTILINE
    )
    assert "? www  cannot tell: it has no `container`\n" in told.stdout
    query = api.seen[0].query
    assert (query["name"], query.get("below")) in PACKAGES


def test_json_has_all_that_is_known_of_those_that_are_found(listed, api, run):
    api.reply("GET", "/api/v1/containers", listed(*CONTAINERS))

    told = run("audit", "--where", "owner == 'dns'", "--json")

    assert json.loads(told.stdout) == {"items": [CONTAINERS[3]], "next": None}


def test_nobody_found_is_said(listed, api, run):
    api.reply("GET", "/api/v1/containers", listed(GOOD))

    assert run("audit", "--where", "nothing").stdout == "no container is like that\n"


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--where", "a", "--package", "b"),
        ("--where", "a", "--below", "1"),
        ("--package", "a", "--show", "b"),
        ("--where", "a("),
    ],
)
def test_what_makes_no_sense_is_a_usage_error(words, run):
    assert run("audit", *words).exit_code == 2


def test_help_shows_the_document_the_topics_and_the_commands(run):
    assert run("help", "audit").stdout == DOCUMENT.read_text("utf-8")
    assert "audit " in run("help").stdout
    assert run("help", "ps").stdout.startswith("Usage: ")
    assert run("help", "nothing").exit_code == 3
