"""What templates say of values: times, commits, lengths, marks; and text made harmless."""

from datetime import UTC, datetime

from markupsafe import Markup

from hookrunner.core.unseen import visible
from hookrunner.model import Status

GITREF_DIGITS = 12


def plain(value: object) -> object:
    """Make text of others visible as it is; a jinja `finalize`, so nothing gets past it."""
    if isinstance(value, str) and not isinstance(value, Markup):
        return value if value.isprintable() else visible(value)
    return "" if value is None else value


def when(at: datetime | None) -> Markup | str:
    """How long ago, or until; the exact time on hover."""
    if at is None:
        return ""
    at = at.astimezone(UTC)
    exact = at.strftime("%Y-%m-%d %H:%M:%S UTC")
    ago = relative((datetime.now(UTC) - at).total_seconds())
    return Markup('<time datetime="%s" title="%s">%s</time>') % (at.isoformat(), exact, ago)


def relative(seconds: float) -> str:
    """A distance from now in its largest unit."""
    away = abs(seconds)
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if away >= size:
            whole = int(away // size) if seconds >= 0 else round(away / size)
            return f"{whole} {unit} ago" if seconds >= 0 else f"in {whole} {unit}"
    return "now"


def length(seconds: float | None) -> str:
    """A length of time."""
    if seconds is None:
        return ""
    if seconds < 10:  # noqa: PLR2004 - tenths matter
        return f"{seconds:.1f} s"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"


def since(at: datetime | None) -> Markup | str:
    """How long something runs by now; the browser counts on."""
    if at is None:
        return ""
    seconds = max(0.0, (datetime.now(UTC) - at).total_seconds())
    return Markup('<span data-since="%s">%s</span>') % (at.isoformat(), length(seconds))


def commit(gitref: str | None) -> Markup | str:
    """The first digits of a commit, all of them on hover."""
    if not gitref:
        return ""
    shown = gitref[:GITREF_DIGITS]
    return Markup('<code class="ref" title="%s">%s</code>') % (plain(gitref), plain(shown))


def branch(ref: str | None) -> str:
    """A ref as people say it."""
    return (ref or "").removeprefix("refs/heads/").removeprefix("refs/tags/")


def size(count: int) -> str:
    """An amount of bytes."""
    if count < 1024:  # noqa: PLR2004 - a KiB
        return f"{count} B"
    if count < 1 << 20:
        return f"{count / 1024:.1f} KiB"
    return f"{count / (1 << 20):.1f} MiB"


KINDS = {
    Status.queued: "wait",
    Status.running: "run",
    Status.succeeded: "ok",
    Status.failed: "bad",
    Status.timed_out: "bad",
    Status.interrupted: "bad",
    Status.stuck: "bad",
    Status.cancelled: "off",
    Status.skipped: "off",
    Status.superseded: "off",
}
"""The colour and shape of each status; the word stands beside it always."""


def mark(kind: str, word: str, more: str | None = None) -> Markup:
    """A status by its shape and its word.

    Args:
        kind: One of `MARKS`; the style sheet draws its shape.
    """
    told = Markup(' <span class="soft">%s</span>') % plain(more) if more else ""
    return _MARKS[kind] % (plain(word), told)


MARKS = ("ok", "bad", "warn", "run", "wait", "off")

_MARKS = {kind: Markup(f'<span class="mark {kind}">%s%s</span>') for kind in MARKS}  # noqa: S704 - ours


def status(value: Status | str, outcome: str | None = None) -> Markup:
    """How a run or step stands."""
    found = Status(value)
    return mark(KINDS[found], found.replace("_", " "), outcome)


GLOBALS = {
    "branch": branch,
    "commit": commit,
    "length": length,
    "mark": mark,
    "since": since,
    "size": size,
    "status": status,
    "when": when,
}
"""What templates may call."""
