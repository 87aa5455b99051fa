"""Secrets, read from where the configuration says that they are.

No message has a secret in it, nor the name of an environment variable, in whose place
people have been known to write the secret itself; line and column say which it is.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from hookrunner.config import Chat, Discord, Notify, SecretReference, Source
from hookrunner.errors import ConfigError

SECRET_BYTES_MIN = 16
"""Bytes of the shortest secret: 128 bits, were they random, which nobody guesses."""
SECRET_BYTES_MAX = 4096
"""Bytes of the longest secret, a guess: what is longer is another file, or has no end."""


def load_secrets(
    sources: Mapping[str, Source], environment: Mapping[str, str]
) -> dict[str, tuple[bytes, ...]]:
    """Read the secrets of all sources.

    Args:
        sources: The configuration's, by name.
        environment: The program's; ``CREDENTIALS_DIRECTORY`` in it is where systemd puts
            credentials.

    Returns:
        Each source's secrets by its name, in the order of its references; none only where
        it has a public key.

    Raises:
        ConfigError: A secret is missing, unreadable, too short or too long, or two sources
            have the same one, so that nobody could tell which of them sent a delivery.

    Source:
        https://systemd.io/CREDENTIALS/
    """
    owners: dict[bytes, str] = {}
    secrets = {}
    for name, source in sources.items():
        if not source.secrets and source.public_key is None:
            raise ConfigError(f"source `{name}` has no secret")
        if (
            not source.secrets
            and (owner := owners.setdefault(source.public_key or b"", name)) != name
        ):
            raise ConfigError(f"source `{name}` has the same public key as `{owner}`")
        secrets[name] = tuple(_load(one, environment) for one in source.secrets)
        for reference, secret in zip(source.secrets, secrets[name], strict=True):
            owner = owners.setdefault(secret, name)
            if owner != name:
                raise _error(
                    reference,
                    f"source `{name}` has the same secret as `{owner}`",
                    hint="each source needs a secret of its own",
                )
    return secrets


def load_tokens(
    sources: Mapping[str, Source], environment: Mapping[str, str]
) -> dict[str, str]:
    """Read the tokens with which forges are told what became of pushes, by source.

    Raises:
        ConfigError: As `load_secrets`, or a token is no line of text.
    """
    statuses = {name: source.status for name, source in sources.items()}
    return {
        name: _load_token(status.secrets[0], environment)
        for name, status in statuses.items()
        if status is not None
    }


def load_polls(sources: Mapping[str, Source], environment: Mapping[str, str]) -> dict[str, str]:
    """Read the tokens with which git servers are asked for branches, by source.

    Raises:
        ConfigError: As `load_tokens`.
    """
    polls = {name: source.poll for name, source in sources.items()}
    return {
        name: _load_token(poll.secrets[0], environment)
        for name, poll in polls.items()
        if poll is not None and poll.secrets
    }


def _load_token(reference: SecretReference, environment: Mapping[str, str]) -> str:
    try:
        token = _load(reference, environment).decode("ascii")
    except UnicodeDecodeError as error:
        raise _error(reference, "the token is not of letters and digits") from error
    if not token.isprintable():
        raise _error(reference, "the token is more than one line")
    return token


def load_notify_secrets(
    receivers: Mapping[str, Notify], environment: Mapping[str, str]
) -> dict[str, bytes]:
    """Read what signs notifications, or the URLs that they are sent to, by receiver.

    Raises:
        ConfigError: As `load_secrets`.
    """
    return {name: _load(one.secrets[0], environment) for name, one in receivers.items()}


def load_chat_secrets(
    chat: Chat, environment: Mapping[str, str]
) -> dict[str, tuple[bytes, ...]]:
    """Read what proves that a chat asks, by platform: secrets, or the public key.

    Raises:
        ConfigError: As `load_secrets`.
    """
    return {
        name: (one.public_key,)
        if isinstance(one, Discord)
        else tuple(_load(reference, environment) for reference in one.secrets)
        for name, one in chat.configured().items()
    }


def _load(reference: SecretReference, environment: Mapping[str, str]) -> bytes:
    """Read one secret and check its length."""
    if reference.kind == "environment":
        secret = _read_variable(reference, environment)
        advice = "for example the output of: head -c 32 /dev/urandom | base64"
    else:
        path = _path(reference, environment)
        secret = _read_file(reference, path)
        advice = _advice(path)
    if not SECRET_BYTES_MIN <= len(secret) <= SECRET_BYTES_MAX:
        length = len(secret) if len(secret) <= SECRET_BYTES_MAX else "more"
        message = f"must have {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, and has {length}"
        raise _error(reference, f"the secret {message}", hint=advice)
    return secret


def _path(reference: SecretReference, environment: Mapping[str, str]) -> Path:
    """The file that a reference means."""
    if reference.kind == "file":
        return Path(reference.value)
    directory = environment.get("CREDENTIALS_DIRECTORY")
    beside = Path(reference.file or "").with_name(f"{reference.value}.secret")
    if not directory and beside.exists():
        return beside  # what the service has as a credential, for commands by hand
    if not directory:
        raise _error(
            reference,
            f"source `{reference.value}` has no secret: it has neither secret_file nor"
            " secret_env, and systemd gave this process no credentials",
            hint=f"name a file with secret_file: {_advice('FILE')}",
        )
    return Path(directory, reference.value)


def _read_variable(reference: SecretReference, environment: Mapping[str, str]) -> bytes:
    """Read a variable as it is; nothing puts a newline at its end unasked."""
    value = environment.get(reference.value)
    if value is None:
        raise _error(
            reference,
            "this environment variable is not set",
            hint="secret_env has the name of a variable, never the secret itself",
        )
    return os.fsencode(value)


def _read_file(reference: SecretReference, path: Path) -> bytes:
    r"""Read a file but for one newline at its end, ``\n`` or ``\r\n``."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # a pipe would hold up the start for ever
            raise _error(reference, f"the secret {path} is not a regular file")
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + len(b"\r\n") + 1)
    except FileNotFoundError as error:
        message = f"the secret {path} does not exist"
        raise _error(reference, message, hint=_advice(path)) from error
    except OSError as error:
        message = f"cannot read the secret {path}: {error.strerror}"
        raise _error(reference, message) from error
    if content.endswith(b"\n"):
        return content.removesuffix(b"\n").removesuffix(b"\r")
    return content


def _advice(path: Path | str) -> str:
    """How to make a secret."""
    return f"head -c 32 /dev/urandom | base64 > {path}"


def _error(reference: SecretReference, message: str, *, hint: str | None = None) -> ConfigError:
    return ConfigError(
        message,
        file=reference.file,
        line=reference.line,
        column=reference.column,
        hint=hint,
    )
