"""How a container says that it is: a code and a line of monitoring plug-ins, read and kept.

Source:
    https://www.monitoring-plugins.org/doc/guidelines.html
"""

from datetime import datetime

from msgspec.structs import replace

from hookrunner.core.outcome import NO_METHOD
from hookrunner.model import MonitorChange, Monitored, MonitorState

STATES = {
    0: MonitorState.ok,
    1: MonitorState.warning,
    2: MonitorState.critical,
    3: MonitorState.unknown,
}
"""By exit code."""
LINE_LIMIT = 500
"""Characters of the line that are kept; the guidelines want fewer than 80."""
KEPT_CHANGES = 20
"""Changes of a container's state that are kept: what happened over a bad night; a guess."""


def first_line(output: bytes) -> str:
    """The first line that says something, without what a terminal would obey."""
    text = output.decode("utf-8", "replace")
    line = next((one.strip() for one in text.splitlines() if one.strip()), "")
    shown = "".join(c if c.isprintable() else " " for c in line[: LINE_LIMIT + 1])
    shown = " ".join(shown.split())
    return shown if len(shown) <= LINE_LIMIT else shown[:LINE_LIMIT] + "…"


def read(code: int | None, output: bytes, *, is_named: bool) -> tuple[MonitorState, str] | None:
    """Read what ``container --monitor`` said.

    Args:
        code: Its exit code; None where the engine knows none.
        is_named: Its metadata says that it has the method. One that says nothing is believed
            only if it answers as a plug-in does: a program that does not know the word
            prints its usage on stderr, and exits with what it likes.

    Returns:
        None where it has no word for how it is.
    """
    line = first_line(output)
    state = None if code is None else STATES.get(code)
    if code == NO_METHOD or (not is_named and (state is None or not line)):
        return None
    if state is None:
        told = "it ended without an exit code" if code is None else f"exit code {code}"
        return MonitorState.unknown, f"{told}: {line}" if line else told
    return state, line


def taken(before: Monitored | None, state: MonitorState, text: str, at: datetime) -> Monitored:
    """Take an answer.

    Args:
        before: What was known.
    """
    if before is not None and before.state is state:
        return replace(before, at=at, text=text)
    change = MonitorChange(state=state, at=at, text=text)
    earlier = before.changes if before is not None else ()
    return Monitored(
        state=state,
        since=at,
        at=at,
        text=text,
        changes=(change, *earlier)[:KEPT_CHANGES],
    )
