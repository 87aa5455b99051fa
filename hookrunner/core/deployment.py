"""When, by whom, why and where a container was started: what only its start can tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from hookrunner.model import Metadata


class RuntimeFact(NamedTuple):
    """A fact of a container's start.

    Attributes:
        variable: What the container's environment has it in.
        heading: How ``--examine`` calls it.
    """

    variable: str
    heading: str


RUNTIME_FACTS: Mapping[str, RuntimeFact] = {
    "deployed_at": RuntimeFact("CONTAINER_DEPLOYED_AT", "Deployed At"),
    "deployed_by": RuntimeFact("CONTAINER_DEPLOYED_BY", "Deployed By"),
    "deployed_reason": RuntimeFact("CONTAINER_DEPLOYED_REASON", "Deployed Because"),
    "deployed_node": RuntimeFact("CONTAINER_DEPLOYED_NODE", "Deployed On"),
}
"""The facts by key, in the order in which they are shown."""

STARTED_FILES = (
    "/var/lib/container/started",
    "/run/container/started",
    "/tmp/.container/started",  # noqa: S108 - only looked at
)
"""Where `container --start` notes that the container started for the first time."""

_LENGTH = 1000
"""Characters of a fact that are kept, a guess: a reason may be a commit's message."""


def runtime_facts(
    environment: Mapping[str, str], *, created_at: datetime, node: str
) -> Metadata:
    """What is known of a container's start, each fact with its origin.

    Args:
        environment: The container's.
        created_at: When the engine made it, which stands in for what nobody said.
        node: Where it runs, as far as the engine's name tells.
    """
    keys = {
        "deployed_at": created_at.isoformat().replace("+00:00", "Z"),
        "deployed_node": node,
    }
    origins = dict.fromkeys(keys, "engine")
    for key, fact in RUNTIME_FACTS.items():
        if said := environment.get(fact.variable, "").strip():
            keys[key] = said[:_LENGTH]
            origins[key] = "environment"
    ordered = [key for key in RUNTIME_FACTS if key in keys]
    return Metadata(
        keys={key: keys[key] for key in ordered}, origins={key: origins[key] for key in ordered}
    )
