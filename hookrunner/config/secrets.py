"""Where secrets are to be read: what the file may say instead of one."""

from collections.abc import Mapping
from typing import Literal

import msgspec


class SecretReference(msgspec.Struct, frozen=True):
    """Where a secret is to be read, and which place in the configuration says so.

    Attributes:
        kind: ``credential`` is systemd's: a file in ``$CREDENTIALS_DIRECTORY``.
        value: An absolute path, a variable's name, or a credential's name.
        file: The name of the configuration file.
        line: Counted from 1.
        column: Counted from 1.
    """

    kind: Literal["file", "environment", "credential"]
    value: str
    file: str
    line: int
    column: int


def secret_keys(word: str) -> Mapping[str, Literal["file", "environment"]]:
    """The keys that fill a field ``secrets``, and the kind of reference that each gives.

    Args:
        word: What the secret is called there: ``secret``, ``token``.
    """
    return {f"{word}_file": "file", f"{word}_env": "environment"}
