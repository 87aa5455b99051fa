"""What the program says of itself, on a terminal and for machines."""

import contextlib
import json
import os

import pytest
import structlog

from hookrunner.adapters.logs import configure
from hookrunner.config import Log, LogFormat

EVIL = "\x1b]0;title\x07\x1b[2Jgone\nsecond line\u202e"


@pytest.fixture(autouse=True)
def restored():
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", [LogFormat.console, LogFormat.json])
def test_what_others_wrote_is_one_line_and_commands_no_terminal(form, capsys):
    configure(Log(format=form))

    structlog.get_logger().info("step finished", container=EVIL)

    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert "gone" in shown
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    if form is LogFormat.json:
        assert json.loads(shown)["container"] == EVIL


@pytest.mark.parametrize("form", [LogFormat.console, LogFormat.json])
def test_a_traceback_shows_the_place_and_not_what_variables_hold(form, capsys):
    configure(Log(format=form))

    def fail(secret):
        raise LookupError(len(secret))

    try:
        fail("hunter2 " * 3)
    except LookupError:
        structlog.get_logger().exception("failed")

    shown = capsys.readouterr().err
    assert "test_logs.py" in shown
    assert "LookupError: 24" in shown
    assert "hunter2 hunter2" not in shown


@pytest.mark.parametrize("gone", ["the disk is full", "nobody reads it any more"])
def test_a_line_that_nobody_takes_is_lost_and_nothing_else(gone, monkeypatch):
    if gone == "the disk is full":
        written = os.open("/dev/full", os.O_WRONLY)
    else:
        reader, written = os.pipe()
        os.close(reader)
    file = os.fdopen(written, "w", buffering=1, encoding="utf-8")
    monkeypatch.setattr("sys.stderr", file)
    configure(Log(format=LogFormat.json))

    for number in range(1000):
        structlog.get_logger().info("delivery accepted", number=number)

    with contextlib.suppress(OSError):
        file.close()
