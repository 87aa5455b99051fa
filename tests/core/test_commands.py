"""What is executed in containers: the wrapper and the stop script, run by a real shell."""

import itertools
import os
import re
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.commands import WRAPPER, TrailerReader, environment, wrapped
from hookrunner.core.processes import KEPT, RECOVER, STOP
from hookrunner.model import Action, Push, Step, Trigger

NONCE = "0123456789abcdef"
GITREF = "ab" * 20
STEP = Step(
    id="step-1",
    run="run-1",
    number=1,
    engine="local",
    container="dns",
    container_id="1",
    project="bind",
    image="x",
    action=Action.update,
    trigger=Trigger.push,
    created_at=datetime(2026, 11, 23, tzinfo=UTC),
    timeout=1.0,
    output_limit=1 << 20,
)


def shell(command, gitref=(), **environ):
    nowhere = [
        re.sub("|".join(KEPT), "/proc/nowhere", word) for word in wrapped(command, gitref)
    ]
    return subprocess.run(
        nowhere,  # this machine is no container: nothing is kept in it
        env={"PATH": os.environ["PATH"], "HOOKRUNNER_NONCE": NONCE, **environ},
        capture_output=True,
        check=False,
        timeout=20,
    )


def read(data, cuts=()):
    reader = TrailerReader(NONCE)
    places = [0, *sorted(cuts), len(data)]
    parts = [data[a:b] for a, b in itertools.pairwise(places)]
    return reader, b"".join(reader.feed(part) for part in parts) + reader.rest()


@pytest.mark.parametrize("code", [0, 1, 2, 42, 65, 75, 124, 126, 127, 137, 255])
def test_the_wrapper_tells_the_exit_code_on_both_streams(code):
    done = shell(["sh", "-c", f"echo out; echo err >&2; exit {code}"])

    assert done.returncode == code
    for data, shown in ((done.stdout, b"out\n"), (done.stderr, b"err\n")):
        reader, rest = read(data)
        assert (reader.exit_code, rest) == (code, shown)


def test_a_command_that_is_not_there_is_127():
    done = shell(["no-such-command-here"])

    assert read(done.stdout)[0].exit_code == 127


def test_words_stay_words_and_the_second_command_tells_the_gitref():
    words = ["a b", "", "*", "$HOME", "'", '"', "-n", "\\"]

    done = shell(["printf", "[%s]", *words], ["echo", GITREF])

    reader, rest = read(done.stdout)
    assert rest == "".join(f"[{word}]" for word in words).encode()
    assert reader.gitref == GITREF


@pytest.mark.parametrize(
    "gitref", [["false"], ["echo", "usage: x"], ["echo", "abc"], ["echo", "A" * 40], ["nope"]]
)
def test_what_is_no_gitref_is_none_and_changes_no_exit_code(gitref):
    done = shell(["true"], gitref)

    reader, rest = read(done.stdout)
    assert (reader.exit_code, reader.gitref, rest) == (0, None, b"")


def test_the_command_does_not_see_the_nonce_and_builtins_do_not_end_the_wrapper():
    assert NONCE.encode() not in read(shell(["env"]).stdout)[1]
    assert read(shell(["exit", "7"]).stdout)[0].exit_code == 127


@given(
    before=st.binary(max_size=40),
    after=st.binary(max_size=20),
    cuts=st.sets(st.integers(0, 150)),
)
def test_the_trailer_is_found_however_the_bytes_are_cut(before, after, cuts):
    trailer = b"\x1ehookrunner %s 65 %s\n" % (NONCE.encode(), GITREF.encode())
    data = before + trailer + after

    reader, rest = read(data, [cut for cut in cuts if cut < len(data)])

    assert (reader.exit_code, reader.gitref, rest) == (65, GITREF, before)


@given(
    data=st.lists(
        st.sampled_from([b"\x1e", b"\x1ehookrunner ", b"\x1ehookrunner other 0 \n", b"text\n"])
    ).map(b"".join),
    cuts=st.sets(st.integers(0, 100)),
)
def test_what_only_looks_like_a_trailer_is_output(data, cuts):
    reader, rest = read(data, [cut for cut in cuts if cut < len(data)])

    assert (reader.exit_code, rest) == (None, data)


@given(
    push=st.builds(
        Push,
        repository=st.text(),
        ref=st.text(),
        before=st.text(),
        after=st.text(),
        pusher=st.text(),
    )
)
def test_no_text_of_a_payload_reaches_the_environment_as_it_likes(push):
    found = environment(STEP, push, nonce=NONCE)

    for name, value in found.items():
        assert name.startswith("HOOKRUNNER_")
        assert value.isascii()
        assert value.isprintable()
        assert not value.startswith("-")
        assert not set(value) & set("$`;|&<>\\\"'")


def test_what_fits_is_told():
    push = Push(
        repository="ops/docker_bind",
        ref="refs/heads/feature/x-1",
        before="a" * 40,
        after="b" * 64,
        pusher="ada.l",
    )

    found = environment(STEP, push, nonce=NONCE)

    assert found["HOOKRUNNER_REF"] == "refs/heads/feature/x-1"
    assert found["HOOKRUNNER_AFTER"] == "b" * 64
    assert found["HOOKRUNNER_TRIGGER"] == "push"
    assert len(found) == 9


@pytest.mark.process
@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not there")
@pytest.mark.parametrize("script", [WRAPPER, STOP[2], RECOVER[2]])
def test_the_scripts_are_portable(script):
    words_are_meant = "--exclude=SC2086,SC2013,SC2034"

    done = subprocess.run(
        ["shellcheck", "--shell=dash", words_are_meant, "-"],
        input=f"#!/bin/sh\n{script}".encode(),
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 0, done.stdout.decode()
