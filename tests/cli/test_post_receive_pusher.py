"""What the pusher sees, for how long, and on which Python."""

import ast
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


def test_the_pusher_leaves_when_the_wait_is_over(server, install, repository):
    server.start()
    server.stream("POST", "/hooks/bare", [b">> Fetch\nand no line end"], hold=True)
    install("--wait", "300ms", port=server.port)
    repository.commit(a="1")

    said = repository.push("main")

    assert ">> Fetch" in said
    assert "goes on without you" in said
    assert repository.spooled() == []


def test_output_reaches_the_pusher_as_it_comes(live, repository):
    live.stream("POST", "/hooks/bare", [b">> Fetch\n"], hold=True)
    repository.commit(a="1")

    with subprocess.Popen(
        ["git", "push", "origin", "main"],
        cwd=repository.work,
        env=repository.environment,
        stderr=subprocess.PIPE,
    ) as push:
        assert push.stderr
        lines = iter(push.stderr.readline, b"")
        assert any(b">> Fetch" in line for line in lines)
        assert push.poll() is None
        live.release()
        assert b"goes on" not in push.stderr.read()

    assert push.returncode == 0


def test_a_stream_that_breaks_off_is_told_and_counts_as_delivered(live, repository):
    live.stream("POST", "/hooks/bare", [b"half\n"], cut=True)
    repository.commit(a="1")

    said = repository.push("main")

    assert "half" in said
    assert "the update goes on" in said
    assert repository.spooled() == []


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"ignored": "a duplicate"}, "ignored: a duplicate"),
        ({"run": "01x", "targets": [{"container": "dns-1"}]}, "run 01x: dns-1"),
        ({"run": "01x", "targets": []}, "accepted as run 01x"),
        ([], "accepted"),
    ],
)
def test_an_answer_without_a_stream_is_told_in_a_line(live, repository, reply, expected):
    live.reply("POST", "/hooks/bare", reply, status=202)
    repository.commit(a="1")

    assert f"hookrunner: {expected}" in repository.push("main")


def test_what_the_pusher_sees_drives_no_terminal(done, live, repository):
    live.stream("POST", "/hooks/bare", [b"\x1b]0;evil\x07\x1b[31", b"mred\x1b[2J\xff\n", done])
    repository.commit(a="1")

    said = repository.push("main")

    assert "\\x1b]0;evil\\x07\x1b[31mred\\x1b[2J\ufffd\x1b[0m" in said


def test_the_hook_is_python_3_6(post_receive):
    source = Path(post_receive.__file__).read_text()

    assert ast.parse(source, feature_version=(3, 6))
