"""A server elsewhere, the shell's completion, the manual page, and trying again."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from hookrunner.cli.main import COMMANDS, cli

RUN = "0123456789abcdefghjkmnpqrs"


def invoke(*words, **environment):
    return CliRunner(env=environment).invoke(cli, list(words))


def test_a_server_elsewhere_is_asked_with_the_token(server, listed):
    server.start()
    server.reply("GET", "/api/v1/containers", listed({"name": "dns-1", "project": "dns"}))
    url = f"http://127.0.0.1:{server.port}"

    by_option = invoke("ps", "--json", "--url", url, HOOKRUNNER_TOKEN="hr_x\n")
    by_variable = invoke("ps", "--json", HOOKRUNNER_TOKEN="hr_x", HOOKRUNNER_URL=f"{url}/")

    assert (by_option.exit_code, by_variable.exit_code) == (0, 0), by_option.stderr
    assert [one.headers["Authorization"] for one in server.seen] == ["Bearer hr_x"] * 2


def test_a_prefix_of_a_proxy_stays_in_front(server, listed):
    server.start()
    server.reply("GET", "/hr/api/v1/containers", listed())

    result = invoke("ps", "--url", f"http://127.0.0.1:{server.port}/hr/", HOOKRUNNER_TOKEN="x")

    assert result.exit_code == 0, result.stderr


def test_a_configuration_that_is_named_means_this_machine(api, run, listed, monkeypatch):
    monkeypatch.setenv("HOOKRUNNER_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("HOOKRUNNER_TOKEN", "hr_x")
    api.reply("GET", "/api/v1/containers", listed())

    assert run("ps").exit_code == 0


@pytest.mark.parametrize(
    ("url", "token", "status", "said"),
    [
        ("http://example.net", "hr_x", 2, "in the clear"),
        ("example.net", "hr_x", 2, "is no URL"),
        ("ftp://example.net", "hr_x", 2, "is no URL"),
        ("https://user@example.net", "hr_x", 2, "is no URL"),
        ("http://127.0.0.1:1", "", 77, "no token"),
        ("http://127.0.0.1:1", "hr_x", 69, "does not answer"),
    ],
)
def test_an_address_that_cannot_be_asked_is_told(url, token, status, said):
    result = invoke("ps", "--url", url, HOOKRUNNER_TOKEN=token)

    assert result.exit_code == status
    assert said in result.stderr


def test_retry_asks_for_it_and_says_how_to_watch(api, run):
    api.reply("POST", f"/api/v1/runs/{RUN}/retry", {"id": RUN}, status=202)

    result = run("retry", RUN)

    assert result.exit_code == 0, result.stderr
    assert f"hookrunner logs {RUN} -f" in result.stderr


def test_retry_of_what_did_not_fail_says_so(api, run):
    api.refuse("POST", f"/api/v1/runs/{RUN}/retry", 409, detail="nothing of it failed")

    result = run("retry", RUN)

    assert (result.exit_code, "nothing of it failed" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ("update", "d", ["dns"]),
        ("update", "container:", ["container:dns-1"]),
        ("examine", "", ["dns-1"]),
        ("show", "l", ["last"]),
        ("retr", "", ["retry"]),
    ],
)
def test_the_shell_completes_what_is_known(server, listed, words, incomplete, expected):
    server.start()
    item = {"name": "dns-1", "project": "dns", "image": "ops/dns"}
    server.reply("GET", "/api/v1/containers", listed(item))
    server.reply("GET", "/api/v1/runs", listed({"id": RUN, "status": "failed"}))
    place = 2 if incomplete or words != "retr" else 1
    environment = {
        "_HOOKRUNNER_COMPLETE": "bash_complete",
        "COMP_WORDS": f"hookrunner {words} {incomplete}",
        "COMP_CWORD": str(place),
        "HOOKRUNNER_URL": f"http://127.0.0.1:{server.port}",
        "HOOKRUNNER_TOKEN": "hr_x",
    }

    result = CliRunner(env=environment).invoke(cli, prog_name="hookrunner")

    offered = [line.partition(",")[2] for line in result.stdout.splitlines()]
    assert set(expected) <= set(offered)
    assert all(one.startswith(incomplete if place == 2 else words) for one in offered)


def test_completion_is_silent_where_nothing_answers():
    environment = {
        "_HOOKRUNNER_COMPLETE": "bash_complete",
        "COMP_WORDS": "hookrunner update d",
        "COMP_CWORD": "2",
        "HOOKRUNNER_URL": "http://127.0.0.1:1",
        "HOOKRUNNER_TOKEN": "hr_x",
    }

    result = CliRunner(env=environment).invoke(cli, prog_name="hookrunner")

    assert (result.stdout.strip(), result.stderr) == ("", "")


@pytest.mark.process
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_what_the_shell_reads(shell):
    done = subprocess.run(
        [sys.executable, "-m", "hookrunner", "completion", shell],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert f"{shell}_complete" in done.stdout


def test_the_manual_page_has_every_command_and_option():
    text = invoke("man").stdout.replace("\\-", "-")

    for name in COMMANDS:
        assert f".SS hookrunner {name} " in text
    for option in ("--url URL", "--config FILE", "--json", "--since AGE", "--follow"):
        assert option in text
    assert ".SS hookrunner token create NAME" in text
    assert all(line.startswith(".") or line[:1] != "'" for line in text.splitlines())
