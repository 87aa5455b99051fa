"""`hookrunner check`: files, what the server finds, and the wait for a delivery."""

import json
from pathlib import Path

import pytest
from aiohttp import web

from hookrunner.cli import check
from hookrunner.cli.permissions import check_files
from hookrunner.config import loads
from hookrunner.core.findings import Level

WRONG = {"level": "wrong", "about": "container www", "text": "it \x1b[31m", "remedy": "a\n  b"}
FINE = {
    "level": "ok",
    "about": "engine local",
    "text": "2 containers are known",
    "remedy": None,
}
PING = {"id": "01b", "source": "git", "forge": "gitea", "event": "ping", "repository": None}
REFUSED = {
    "at": "2026-11-24T12:00:00Z",
    "address": "192.0.2.7",
    "reason": "no fit",
    "hint": None,
}


def test_findings_have_their_remedy_below_them_and_are_safe(listed, api, config, run):
    api.reply("GET", "/api/v1/check", listed(FINE, WRONG))
    (Path(config).parent / "state").chmod(0o710)

    told = run("check")

    assert told.exit_code == 1
    assert "✓ engine local  2 containers are known\n" in told.stdout
    assert "✗ container www  it \n    a\n      b\n1 thing is wrong\n" in told.stdout
    assert "✓ server  it runs\n" in told.stdout


def test_nothing_wrong_is_exit_status_0(listed, api, config, run):
    api.reply("GET", "/api/v1/check", listed(FINE))
    (Path(config).parent / "state").chmod(0o710)

    told = run("check", "--json")

    assert told.exit_code == 0, told.stdout
    assert json.loads(told.stdout)["items"][-1] == FINE


def test_a_server_that_cannot_tell_is_a_finding_too(api, run):
    api.refuse("GET", "/api/v1/check", 503, hint="look at the disk")

    told = run("check")

    assert told.exit_code == 1
    assert "✗ server  A title\n    look at the disk\n" in told.stdout


def test_a_mistake_in_the_configuration_ends_it_at_once(config, run):
    config.write_text("nonsense: 1\n")

    assert run("check").exit_code == 78


@pytest.fixture
def files(tmp_path):
    """A function: what is found of files with these modes."""

    def look(*, secret=0o600, config=0o644, state=0o710):
        for name, mode in (("secret", secret), ("hr.yaml", config)):
            if mode is not None:
                path = tmp_path / name
                path.write_text("")
                path.chmod(mode)
        if state is not None:
            (tmp_path / "state").mkdir()
            (tmp_path / "state").chmod(state)
        text = (
            f"state: {tmp_path}/state\n"
            f"sources: {{git: {{secret_file: {tmp_path}/secret, repositories: ['**']}}}}\n"
        )
        found = check_files(loads(text, name="x"), tmp_path / "hr.yaml")
        return {one.text: one.remedy for one in found if one.level is Level.wrong}

    return look


def test_files_as_they_should_be(files):
    assert files() == {}


@pytest.mark.parametrize(
    ("modes", "words"),
    [
        ({"secret": 0o644}, "chmod o= "),
        ({"secret": 0o602}, "chmod o= "),
        ({"secret": None}, "head -c 32 /dev/urandom"),
        ({"config": 0o664}, "chmod go-w "),
        ({"state": 0o755}, "chmod 0710 "),
    ],
)
def test_files_that_let_others_in(modes, words, files):
    (remedy,) = files(**modes).values()

    assert words in remedy


@pytest.fixture
def arrives(api, listed):
    """A function: the lists of deliveries and refusals change once they were looked at."""

    def make(*, deliveries=(), refusals=(), explained=None):
        looked = {"deliveries": 0, "refusals": 0}

        def handler(name, items):
            async def answer(_request):
                looked[name] += 1
                return web.json_response(listed(*(items if looked[name] > 1 else ())))

            return answer

        api.answers["GET", "/api/v1/deliveries"] = handler("deliveries", deliveries)
        api.answers["GET", "/api/v1/refusals"] = handler("refusals", refusals)
        if explained is not None:
            api.reply("POST", "/api/v1/explain", explained)

    return make


def test_a_ping_that_proves_itself_is_what_was_waited_for(arrives, config, run):
    with config.open("a") as file:
        secret = Path(config).with_name("secret")
        secret.write_text("x" * 32)
        file.write(f"sources: {{git: {{secret_file: {secret}, repositories: ['**']}}}}\n")
    arrives(deliveries=[PING], explained={"ignored": "a ping", "verdicts": [], "pushes": []})

    told = run("check", "--await-delivery")

    assert told.exit_code == 0, told.stderr
    assert "waiting for a delivery to http://127.0.0.1:4665/hooks/git\n" in told.stderr
    assert "a delivery came, and proves itself  source git: gitea ping\nignored: a ping\n" in (
        told.stdout
    )


@pytest.mark.parametrize(("target", "status"), [(True, 0), (False, 1)])
def test_a_push_is_explained_with_who_came_near(target, status, arrives, run):
    verdict = {"container": "dns", "target": target, "reason": "why", "remedy": "do this"}
    push = {"ref": "refs/heads/main", "ignored": None, "verdicts": [verdict], "others": 0}
    arrives(
        deliveries=[PING | {"event": "push"}],
        explained={"ignored": None, "verdicts": [verdict], "pushes": [push]},
    )

    told = run("check", "--await-delivery")

    assert told.exit_code == status
    assert "dns  why\n    do this\n" in told.stdout


def test_a_push_that_nothing_is_like_is_explained_with_the_closest_name(arrives, run):
    push = {"ref": "refs/heads/main", "ignored": None, "verdicts": [], "others": 2}
    push["closest"] = "the closest by name is dns: its project is bind"
    arrives(
        deliveries=[PING | {"event": "push"}],
        explained={"ignored": None, "verdicts": [], "pushes": [push]},
    )

    told = run("check", "--await-delivery")

    assert told.exit_code == 1
    assert push["closest"] in told.stdout
    assert told.stdout.endswith("✗ a push like this reaches no container\n")


def test_what_is_refused_is_said_and_the_wait_goes_on(arrives, run, monkeypatch):
    monkeypatch.setattr(check, "LOOK_AGAIN", 0.02)
    arrives(refusals=[REFUSED])

    told = run("check", "--await-delivery", "--wait", "200ms")

    assert told.exit_code == 1
    assert "✗ a request from 192.0.2.7 was refused  no fit\n" in told.stdout
    assert told.stdout.count("was refused") == 1
    assert "nothing came that proves itself" in told.stdout


def test_waiting_needs_a_server(run):
    assert run("check", "--await-delivery").exit_code == 69
