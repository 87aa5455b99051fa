"""Secrets: read exactly, or refused at the place in the configuration that names them."""

import os
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from hookrunner.adapters.credentials import (
    SECRET_BYTES_MAX,
    load_polls,
    load_secrets,
    load_tokens,
)
from hookrunner.config import Poll, SecretReference, Source, StatusApi
from hookrunner.errors import ConfigError

SECRET = b"0123456789abcdef"


def refer(
    value: object,
    kind: Literal["file", "environment", "credential"] = "file",
    *,
    line: int = 3,
) -> SecretReference:
    return SecretReference(
        kind=kind, value=str(value), file="hookrunner.yaml", line=line, column=18
    )


def source(*secrets: SecretReference) -> Source:
    return Source(secrets=secrets, repositories=("ops/*",))


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def refusal(environment: dict[str, str], **sources: Source) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_secrets(sources, environment)
    return caught.value


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (SECRET, SECRET),
        (SECRET + b"\n", SECRET),
        (SECRET + b"\r\n", SECRET),
        (SECRET + b"\n\n", SECRET + b"\n"),
        (SECRET + b"\r\n\r\n", SECRET + b"\r\n"),
        (SECRET + b"\r", SECRET + b"\r"),
        (b" " + SECRET + b" \n", b" " + SECRET + b" "),
        (b"\n" + SECRET, b"\n" + SECRET),
        (bytes(range(0x80, 0x100)), bytes(range(0x80, 0x100))),
        (b"x" * SECRET_BYTES_MAX + b"\n", b"x" * SECRET_BYTES_MAX),
    ],
    ids=repr,
)
def test_one_newline_at_the_end_of_a_file_is_no_part_of_the_secret(
    tmp_path: Path, content: bytes, secret: bytes
):
    reference = refer(write(tmp_path / "secret", content))

    assert load_secrets({"gitea": source(reference)}, {}) == {"gitea": (secret,)}


def test_variable_is_taken_as_it_is():
    reference = refer("HOOK_SECRET", "environment")
    value = os.fsdecode(b"\xff" + SECRET + b"\n")

    found = load_secrets({"gitea": source(reference)}, {"HOOK_SECRET": value})

    assert found == {"gitea": (b"\xff" + SECRET + b"\n",)}


def test_credential_is_read_from_the_directory_of_systemd(tmp_path: Path):
    write(tmp_path / "gitea", SECRET + b"\n")
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    found = load_secrets({"gitea": source(refer("gitea", "credential"))}, environment)

    assert found == {"gitea": (SECRET,)}


def test_secrets_of_a_rotation_keep_their_order(tmp_path: Path):
    new = refer(write(tmp_path / "new", b"new" + SECRET))
    old = refer("OLD", "environment")

    found = load_secrets({"gitea": source(new, old)}, {"OLD": f"old{SECRET.decode()}"})

    assert found == {"gitea": (b"new" + SECRET, b"old" + SECRET)}


def test_source_may_name_its_own_secret_twice(tmp_path: Path):
    one = refer(write(tmp_path / "one", SECRET))
    two = refer(write(tmp_path / "two", SECRET + b"\n"))

    assert load_secrets({"gitea": source(one, two)}, {}) == {"gitea": (SECRET, SECRET)}


@pytest.mark.parametrize("content", [b"", b"\n", SECRET[:15], SECRET[:15] + b"\n"])
def test_secret_of_less_than_16_bytes_is_refused(tmp_path: Path, content: bytes):
    path = write(tmp_path / "secret", content)

    error = refusal({}, gitea=source(refer(path)))

    length = len(content.rstrip(b"\n"))
    assert str(error) == (
        f"hookrunner.yaml:3:18: the secret must have 16 to 4096 bytes, and has {length}"
    )
    assert error.hint == f"head -c 32 /dev/urandom | base64 > {path}"
    assert error.exit_code == 78


def test_short_variable_is_refused_without_a_word_of_it():
    reference = refer("HOOK_SECRET", "environment")

    error = refusal({"HOOK_SECRET": "hunter2"}, gitea=source(reference))

    assert str(error).startswith("hookrunner.yaml:3:18: the secret must have 16 to 4096 bytes")
    assert "hunter2" not in f"{error}{error.hint}"
    assert "head -c 32 /dev/urandom | base64" in str(error.hint)


def test_file_without_an_end_is_refused():
    error = refusal({}, gitea=source(refer("/dev/zero")))

    assert str(error).endswith("/dev/zero is not a regular file")


def test_file_that_is_something_else_by_its_size_is_refused(tmp_path: Path):
    path = write(tmp_path / "secret", b"x" * (SECRET_BYTES_MAX + 1))

    assert str(refusal({}, gitea=source(refer(path)))).endswith("and has more")


def test_missing_file_is_refused_with_the_command_that_makes_it(tmp_path: Path):
    path = tmp_path / "secret"

    error = refusal({}, gitea=source(refer(path)))

    assert str(error) == f"hookrunner.yaml:3:18: the secret {path} does not exist"
    assert error.hint == f"head -c 32 /dev/urandom | base64 > {path}"


def test_pipe_does_not_hold_up_the_start(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")

    error = refusal({}, gitea=source(refer(tmp_path / "pipe")))

    assert str(error).endswith("is not a regular file")


def test_directory_is_refused(tmp_path: Path):
    assert str(refusal({}, gitea=source(refer(tmp_path)))).endswith("is not a regular file")


def test_unreadable_file_is_refused_with_the_reason(tmp_path: Path):
    path = tmp_path / "loop"
    path.symlink_to(path)  # nobody can read it, whereas root reads a file of mode 0

    error = refusal({}, gitea=source(refer(path)))

    assert str(error).startswith(f"hookrunner.yaml:3:18: cannot read the secret {path}: ")
    assert error.__cause__ is not None


def test_variable_that_is_not_set_is_refused_without_its_name():
    reference = refer("hunter2hunter2hunter2", "environment", line=7)

    error = refusal({}, gitea=source(reference))

    assert str(error) == "hookrunner.yaml:7:18: this environment variable is not set"
    assert "hunter2" not in str(error.hint)


@pytest.mark.parametrize("environment", [{}, {"CREDENTIALS_DIRECTORY": ""}])
def test_source_without_any_secret_is_refused(environment: dict[str, str]):
    error = refusal(environment, gitea=source(refer("gitea", "credential")))

    assert str(error).startswith("hookrunner.yaml:3:18: source `gitea` has no secret")
    assert "secret_file" in str(error.hint)


def test_missing_credential_is_refused(tmp_path: Path):
    environment = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    error = refusal(environment, gitea=source(refer("gitea", "credential")))

    assert str(error).endswith(f"the secret {tmp_path / 'gitea'} does not exist")


def test_source_made_without_references_is_refused():
    assert str(refusal({}, gitea=source())) == "source `gitea` has no secret"


def test_two_sources_with_one_secret_are_refused_at_the_second(tmp_path: Path):
    path = write(tmp_path / "secret", SECRET + b"\n")
    first = source(refer(path, line=3))
    second = source(refer("OTHER", "environment", line=6), refer("SAME", "environment", line=7))
    environment = {"OTHER": "x" * 16, "SAME": SECRET.decode()}

    error = refusal(environment, gitea=first, github=second)

    assert str(error) == (
        "hookrunner.yaml:7:18: source `github` has the same secret as `gitea`"
    )
    assert SECRET.decode() not in f"{error}{error.hint}"


def test_two_sources_with_one_public_key_alone_are_refused():
    one = Source(secrets=(), repositories=("a/*",), public_key=b"k" * 32)

    assert load_secrets({"one": one}, {}) == {"one": ()}
    with pytest.raises(ConfigError, match="`two` has the same public key as `one`"):
        load_secrets({"one": one, "two": one}, {})


def test_no_sources_have_no_secrets():
    assert load_secrets({}, {}) == {}


@pytest.mark.parametrize("text", [b"short", b"\xff" * 20, b"two lines, of which\none is more"])
def test_a_token_is_one_line_of_text(tmp_path, text):
    (tmp_path / "token").write_bytes(text)
    status = StatusApi(secrets=(refer(str(tmp_path / "token"), "file"),))
    sources = {"gitea": msgspec.structs.replace(source(), status=status)}

    with pytest.raises(ConfigError) as caught:
        load_tokens(sources, {})

    assert "token" in str(caught.value) or "16 to" in str(caught.value)


def test_of_sources_that_are_polled_some_have_a_token(tmp_path):
    (tmp_path / "token").write_bytes(b"a token that is long\n")
    polls = {"with": (refer(str(tmp_path / "token"), "file"),), "without": ()}
    sources = {
        name: msgspec.structs.replace(source(), poll=Poll(every=60.0, secrets=secrets))
        for name, secrets in polls.items()
    }

    assert load_polls(sources | {"never": source()}, {}) == {"with": "a token that is long"}


def test_a_token_is_read_without_its_newline(tmp_path):
    (tmp_path / "token").write_bytes(b"a token that is long\n")
    status = StatusApi(secrets=(refer(str(tmp_path / "token"), "file"),))
    sources = {"gitea": msgspec.structs.replace(source(), status=status)}

    assert load_tokens(sources, {}) == {"gitea": "a token that is long"}
