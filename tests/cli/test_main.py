"""The program as a process: exit statuses, help, terminals."""

import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import hookrunner
from hookrunner.cli.main import cli

LIMIT = 30
pytestmark = pytest.mark.process
RUN = "01k9a0000000000000000000a1"
PROGRAM = [sys.executable, "-m", "hookrunner"]
EVIL = "\x1b]0;evil\x07\x1b[2J"
COMMANDS = [
    *("serve", "ps", "update", "validate", "explain", "runs", "show", "logs", "cancel"),
    *("deliveries", "token", "token create", "token list", "token revoke", "hook", "version"),
]


@pytest.fixture
def environment(tmp_path):
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "TERM": "xterm-256color",
        "COLUMNS": "200",
        "PYTHONPATH": str(Path(hookrunner.__path__[0]).parent),
    }


def interruptible():
    """What runs in the background of a script ignores ^C, and so would its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def call(environment, *words, **options):
    return subprocess.run(
        [*PROGRAM, *words],
        env=environment,
        capture_output=True,
        timeout=LIMIT,
        check=False,
        **options,
    )


def on_terminal(environment, *words) -> tuple[int, str]:
    """Run a command on a terminal of its own; its exit status and what it shows."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, *words], env=environment, stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        shown = b""
        while True:
            try:
                data = os.read(master, 65536)
            except OSError:
                break
            if not data:
                break
            shown += data
        os.close(master)
        return process.wait(LIMIT), shown.decode()


def step(container, status, outcome=None, **more):
    fields = {"id": f"s-{container}", "run": RUN, "container": container, "status": status}
    return {"type": "step", "step": fields | {"outcome": outcome} | more}


def output(container, data, stream="stdout"):
    return {"type": "output", "container": container, "stream": stream, "data": data}


def result(status, *steps):
    names = ("container", "status", "outcome")
    ended = [dict(zip(names, one, strict=True)) for one in steps]
    done = sum(step["outcome"] == "updated" for step in ended)
    bad = sum(step["status"] == "failed" for step in ended)
    told = f"{status}: {done} updated, {bad} failed in 0.8 s"
    return {"type": "result", "run": RUN, "status": status, "summary": told, "steps": ended}


def stream(api, *items):
    chunks = [json.dumps(item).encode() + b"\n" for item in items]
    api.stream("POST", "/api/v1/updates", chunks)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_and_takes_config_after_its_name(command):
    shown = CliRunner().invoke(cli, [*command.split(), "--help"])

    assert shown.exit_code == 0
    assert "--config FILE" in shown.stdout


def test_every_option_has_a_sentence():
    def commands(group, context):
        for name in group.list_commands(context):
            one = group.get_command(context, name)
            yield one
            if isinstance(one, click.Group):
                yield from commands(one, context)

    for command in commands(cli, click.Context(cli)):
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                assert parameter.help, f"{command.name} {parameter.opts}"


def test_the_help_names_every_command():
    shown = CliRunner().invoke(cli, ["--help"]).stdout

    for command in COMMANDS:
        assert f"\n  {command.split()[0]} " in shown


def test_version_loads_neither_aiohttp_nor_rich(environment):
    probe = (
        "import sys; sys.argv = ['hookrunner', 'version']\n"
        "from hookrunner.cli.main import main\n"
        "try: main()\n"
        "finally: assert not {'aiohttp', 'rich', 'yaml', 'msgspec'} & set(sys.modules)\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", probe], env=environment, capture_output=True, check=True
    )

    assert done.stdout.decode() == f"hookrunner {hookrunner.__version__}\n"


@pytest.mark.parametrize("words", [("nonsense",), ("update",), ("ps", "--nonsense"), ("show",)])
def test_usage_errors_are_2(environment, words):
    assert call(environment, *words).returncode == 2


def test_errors_and_hints_go_to_stderr(environment, tmp_path):
    missing = call(environment, "ps", "--config", str(tmp_path / "missing.yaml"))
    assert missing.returncode == 78
    assert missing.stdout == b""
    assert missing.stderr.decode() == (
        f"hookrunner: {tmp_path}/missing.yaml: there is no such file\n"
    )


def test_a_reader_who_leaves_is_no_traceback(api, environment, config):
    big = [{"id": RUN, "repository": "r" * 100} for _ in range(100)]
    api.reply("GET", "/api/v1/runs", {"items": big * 100, "next": None})
    reader, writer = os.pipe()
    os.close(reader)

    with subprocess.Popen(
        [*PROGRAM, "runs", "--limit", "9999", "--config", str(config)],
        env=environment,
        stdout=writer,
        stderr=subprocess.PIPE,
    ) as process:
        os.close(writer)
        _, said = process.communicate(timeout=LIMIT)

    assert (process.returncode, said) == (141, b"")


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_interrupt_detaches_and_says_how_to_come_back(api, environment, config, words):
    if words:
        chunks, kind = [json.dumps(step("dns-1", "running")).encode() + b"\n"], "x/y"
    else:
        chunks, kind = [b">> Fetch\n"], "text/plain"
    api.stream("POST", "/api/v1/updates", chunks, hold=True, kind=kind)

    with subprocess.Popen(
        [*PROGRAM, "update", "bind", *words, "--config", str(config)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=interruptible,  # noqa: PLW1509 - single-threaded here
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=LIMIT)

    assert process.returncode == 130
    assert b"goes on" in said
    assert b"Traceback" not in said
    if words:
        assert f"hookrunner logs {RUN} -f".encode() in said


def test_one_container_shows_its_output_as_it_comes(api, environment, config):
    stream(
        api,
        step("dns-1", "queued"),
        step("dns-1", "running"),
        output("dns-1", f">> Fetch\nFrom {EVIL} \x1b[3"),
        output("dns-1", "2mgreen\n"),
        output("dns-1", "careful\n", "stderr"),
        {"type": "gap", "container": "dns-1", "bytes": 7},
        {"type": "heartbeat"},
        step("dns-1", "succeeded", "updated"),
        result("succeeded", ("dns-1", "succeeded", "updated")),
    )

    status, shown = on_terminal(environment, "update", "bind", "--config", str(config))

    assert status == 0
    assert "From \\x1b]0;evil\\x07\\x1b[2J \x1b[32mgreen\x1b[0m" in shown
    assert "\x1b[33mcareful\x1b[0m" in shown
    assert "7 bytes are not there" in shown
    last = f"hookrunner: run {RUN} succeeded: 1 updated, 0 failed in 0.8 s"
    assert last in shown.strip().split("\n")[-1]


def test_several_containers_show_where_they_stand_and_what_failed(api, environment, config):
    stream(
        api,
        step("dns-1", "running"),
        step("dns-2", "running"),
        output("dns-1", "fine\n"),
        output("dns-2", f"first line\nbroken {EVIL}\nno end"),
        {"type": "phase", "step": "s-dns-1", "container": "dns-1", "title": f"Load {EVIL}"},
        step("dns-1", "succeeded", "updated", seconds=0.3),
        step("dns-2", "failed", "invalid", seconds=0.4, reason=f"it {EVIL}"),
        result("failed", ("dns-1", "succeeded", "updated"), ("dns-2", "failed", "invalid")),
    )

    status, shown = on_terminal(environment, "update", "bind", "--config", str(config))

    assert status == 1
    assert "\x1b]0;evil" not in shown
    assert "\x1b[2J" not in shown
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert "dns-2 | first line" in plain
    assert "dns-2 | broken \\x1b]0;evil\\x07\\x1b[2J" in plain
    assert "dns-2 | no end" in plain
    assert "dns-2 | failed (invalid): it \\x1b]0" in plain
    assert "dns-1 | " not in plain
    assert re.search(r"✓\s+dns-1\s+succeeded \(updated\)\s+0\.3 s", plain)
    assert f"hookrunner: run {RUN} failed: 1 updated, 1 failed in 0.8 s" in plain


def test_no_color_on_a_terminal(api, environment, config):
    stream(
        api,
        step("dns-1", "running"),
        output("dns-1", "\x1b[31mred\n"),
        output("dns-1", "err\n", "stderr"),
        result("failed", ("dns-1", "failed", "error")),
    )
    environment["NO_COLOR"] = "1"

    _, shown = on_terminal(environment, "update", "bind", "--config", str(config))

    assert "\x1b[3" not in shown


@pytest.mark.parametrize("words", [("logs", RUN), ("ps",), ("show", RUN), ("runs",)])
def test_reading_commands_never_drive_a_terminal(api, environment, config, words):
    evil = {"id": RUN, "name": EVIL, "project": EVIL, "status": EVIL, "repository": EVIL}
    step_ = evil | {"container": EVIL, "reason": EVIL, "phases": [{"title": EVIL}]}
    api.reply("GET", "/api/v1/containers", {"items": [evil], "next": None})
    api.reply("GET", "/api/v1/runs", {"items": [evil | {"steps": [step_]}], "next": None})
    api.reply("GET", f"/api/v1/runs/{RUN}", evil | {"steps": [step_]})
    api.stream("GET", f"/api/v1/runs/{RUN}/output", [EVIL.encode(), b"\xff\n"])

    status, shown = on_terminal(environment, *words, "--config", str(config))

    assert status == 0, shown
    assert "\\x1b]0;evil\\x07\\x1b[2J" in shown
    assert not re.search(r"\x1b(?!\[[0-9;]*m)", shown)
