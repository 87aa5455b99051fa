"""How a git server whose deliveries get lost is asked what its branches have."""

from typing import Annotated

import msgspec

from hookrunner.config.marks import Duration, Form
from hookrunner.config.secrets import SecretReference
from hookrunner.config.values import parse_name, parse_path

MINUTE, DAY = 60.0, 86400.0


class Poll(msgspec.Struct, frozen=True, kw_only=True):
    """How often, and as whom, ``git ls-remote`` asks for the branches that containers follow.

    Without a key and a token those count that git and ssh have of the user that hookrunner
    runs as: its keys, its agent, its credential helper.

    Attributes:
        every: Seconds between two looks at the same repository.
        secrets: The password or token for https; none of them is needed.
        user: Who has the token. ``git`` does where a token alone counts.
        ssh_key: The file of a key for ssh, without a passphrase.
    """

    every: Annotated[float, Duration(MINUTE, 30 * DAY)]
    secrets: tuple[SecretReference, ...] = ()
    user: Annotated[str, Form(parse_name)] = "git"
    ssh_key: Annotated[str, Form(parse_path)] | None = None
