"""What an engine is asked for, word for word: the server asks it, and the gate lets it pass."""

from collections.abc import Mapping

from hookrunner.core.commands import CONTAINER, SHELLS
from hookrunner.core.deployment import STARTED_FILES
from hookrunner.core.processes import KEPT

STATES = ("running", "paused")
"""The states of the containers that are listed."""

EVENTS = ("start", "die", "destroy", "rename", "pause", "unpause", "health_status")
"""The events that are followed: everything else (execs above all) would only fill the
engine's memory of 256 events."""

PS = "-eo pid,sid,etime"
"""What an engine's ``ps`` is asked for: procps and busybox know it."""
PS_TITLES = ["PID", "SID", "ELAPSED"]

RECORDS = tuple(f"{place}/last" for place in KEPT)
"""The files that are read: how a wrapper ended, in a container that does not run any more."""

LABELS = ("hookrunner.", "org.opencontainers.image.", "com.docker.compose.oneoff")
"""How the labels begin that are looked at. Others may hold secrets, as those of proxies do."""


def is_looked_at(path: str) -> bool:
    """Whether a file's presence is looked up: `container`, a shell, a note of a first start."""
    fixed = {*SHELLS, *STARTED_FILES}
    return path in fixed or path.endswith(f"/{CONTAINER}")


def looked_at_labels(labels: Mapping[str, str] | None) -> dict[str, str]:
    """The labels that are looked at, of all that there are."""
    return {name: value for name, value in (labels or {}).items() if name.startswith(LABELS)}
