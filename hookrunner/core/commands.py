"""Everything that is ever executed in a container: constant argument lists.

Nothing out of a payload, a label or metadata is part of any of them; what differs from
push to push travels as environment, each value checked against a strict pattern.
The only other commands are the operator's own, from the configuration.
"""

import re
from collections.abc import Mapping, Sequence

from hookrunner.core.processes import KEPT
from hookrunner.model import Action, Probe, Push, Step, Trigger

CONTAINER = "container"
"""The program that makes an image follow the container standard."""

ACTIONS: dict[Action, tuple[str, ...]] = {
    Action.update: (CONTAINER, "--update"),
    Action.validate: (CONTAINER, "--validate"),
}
PROBES: dict[Probe, tuple[str, ...]] = {
    Probe.monitor: (CONTAINER, "--monitor"),
    Probe.metrics: (CONTAINER, "--metrics"),
}
METADATA = (CONTAINER, "--metadata")
GITREF = (CONTAINER, "--gitref")
PACKAGES = (CONTAINER, "--packages")

SHELLS = ("/bin/sh", "/usr/bin/sh")
"""Where a shell for the wrapper is looked for."""

MARK = b"\x1ehookrunner "
"""How a trailer starts: a control character that no program prints by accident (RS)."""

WRAPPER = (
    r"""
first() {
    left=$1
    shift
    for word do
        shift
        [ "$left" -le 0 ] || set -- "$@" "$word"
        left=$((left - 1))
    done
    (exec "$@")
}
keep() {
"""
    f"    for place in {' '.join(KEPT)}; do"
    r"""
        [ -d "$place" ] || mkdir -m 700 "$place" 2>/dev/null || continue
        { [ ! -L "$place" ] && [ -O "$place" ]; } || continue
        echo "$HOOKRUNNER_STEP $code $gitref" 2>/dev/null >"$place/last" && return
    done
}
nonce=$HOOKRUNNER_NONCE
unset HOOKRUNNER_NONCE
count=$1
shift
first "$count" "$@"
code=$?
shift "$count"
gitref=
if [ $# -gt 0 ]; then
    gitref=-
    keep
    gitref=$("$@" 2>/dev/null </dev/null) || gitref=
    case $gitref in *[!0-9a-f]*) gitref= ;; esac
fi
keep
printf '\036hookrunner %s %s %s\n' "$nonce" "$code" "$gitref"
printf '\036hookrunner %s %s %s\n' "$nonce" "$code" "$gitref" >&2
exit "$code"
"""
)
"""Runs one command, asks another for the gitref, and proves on both streams that it ended.

What it learns it also keeps in the container, in a directory of its user's own, for whoever
asks after the stream was lost (`hookrunner.core.processes.RECOVER`): ``-`` stands for a gitref
that is not known yet.

Its arguments: how many words the first command has, the first command's words, the second
command's words (none: the gitref is not asked for). POSIX sh, nothing but builtins. The nonce
is taken out of the environment first, so that the command cannot forge its own end by accident.
"""

_TRAILER = re.compile(rb"(\S*) (\d{1,3}) ([0-9a-f]*)\n")

_ID = re.compile(r"[0-9a-z]{26}")  # as `hookrunner.units.new_id` makes it
_PROCESS = "[0-9]{1,10}:[0-9]{1,20}"
_SECONDS = re.compile(r"0|[1-9][0-9]{0,8}")
VARIABLES = {
    "HOOKRUNNER_RUN": _ID,
    "HOOKRUNNER_STEP": _ID,
    "HOOKRUNNER_TRIGGER": re.compile("|".join(Trigger)),
    "HOOKRUNNER_NONCE": re.compile(r"[0-9a-f]{32}"),
    "HOOKRUNNER_REPOSITORY": re.compile(r"[\w.~+][\w.~+/ -]{0,254}", re.ASCII),
    "HOOKRUNNER_REF": re.compile(r"refs/[\w.+@=#/-]{1,250}", re.ASCII),
    "HOOKRUNNER_BEFORE": re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"),
    "HOOKRUNNER_AFTER": re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}"),
    "HOOKRUNNER_PUSHER": re.compile(r"[\w.@+][\w.@+ -]{0,126}", re.ASCII),
    "HOOKRUNNER_STOP": _ID,
    "HOOKRUNNER_SIGNAL": re.compile("TERM|KILL"),
    "HOOKRUNNER_WAIT": _SECONDS,
    "HOOKRUNNER_AGE": _SECONDS,
    "HOOKRUNNER_SEEN": re.compile(rf"(?:{_PROCESS}(?: {_PROCESS})*)?"),
}
"""Every variable that is ever set, and what its value may look like: the last five are those
of the stop script. Of a push's values those that do not fit are left out."""

_GITREF = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def is_gitref(text: str) -> bool:
    """Tell whether a text is a whole commit id, SHA-1 or SHA-256."""
    return _GITREF.fullmatch(text) is not None


def wrapped(command: Sequence[str], gitref: Sequence[str]) -> tuple[str, ...]:
    """Put the wrapper around a command.

    Args:
        command: What to run; its exit code is the wrapper's.
        gitref: What prints the commit served; empty where there is no such command.
    """
    return ("sh", "-c", WRAPPER, "hookrunner", str(len(command)), *command, *gitref)


def environment(step: Step, push: Push | None, *, nonce: str) -> dict[str, str]:
    """Make the environment that a step's command gets.

    Values that do not fit their pattern are left out: a branch or a login name is somebody
    else's text, and scripts are not written to expect a newline in it.
    """
    facts = {
        "HOOKRUNNER_RUN": step.run,
        "HOOKRUNNER_STEP": step.id,
        "HOOKRUNNER_TRIGGER": step.trigger.value,
        "HOOKRUNNER_NONCE": nonce,
    }
    if push is not None:
        told: Mapping[str, str | None] = {
            "HOOKRUNNER_REPOSITORY": push.repository,
            "HOOKRUNNER_REF": push.ref,
            "HOOKRUNNER_BEFORE": push.before,
            "HOOKRUNNER_AFTER": push.after,
            "HOOKRUNNER_PUSHER": push.pusher,
        }
        facts |= {k: v for k, v in told.items() if v is not None and VARIABLES[k].fullmatch(v)}
    return facts


def repository_environment(repository: str | None) -> dict[str, str]:
    """What tells ``container --gitref`` of which of several repositories it is to speak.

    Args:
        repository: Its path, such as ``ops/zones``; None where there is only one.
    """
    name = "HOOKRUNNER_REPOSITORY"
    fits = repository is not None and VARIABLES[name].fullmatch(repository)
    return {name: repository} if repository is not None and fits else {}


class TrailerReader:
    """Takes the wrapper's trailer off one stream, however its bytes are cut.

    Args:
        nonce: What this step's trailer says, so that no output of another can end it.

    Attributes:
        exit_code: The command's, once the trailer was seen.
        gitref: The commit that the container said it serves, or None.
    """

    def __init__(self, nonce: str) -> None:
        self._start = MARK + nonce.encode() + b" "
        self._kept = b""
        self.exit_code: int | None = None
        self.gitref: str | None = None

    def feed(self, data: bytes) -> bytes:
        """Take bytes as they come; return those that are output and nothing else.

        What might be the start of a trailer is kept until the next call or `rest`.
        What follows the trailer comes from somebody whom the command left behind: dropped.
        """
        if self.exit_code is not None:
            return b""
        data = self._kept + data
        self._kept = b""
        at = data.find(MARK[:1])
        while at >= 0:
            if data.startswith(self._start, at):
                tail = data[at : at + _LONGEST]
                match = _TRAILER.fullmatch(tail[len(MARK) :].partition(b"\n")[0] + b"\n")
                if b"\n" in tail and match:
                    self.exit_code = int(match[2])
                    gitref = match[3].decode()
                    self.gitref = gitref if is_gitref(gitref) else None
                    return data[:at]
                if b"\n" not in tail and len(tail) < _LONGEST:
                    self._kept = tail
                    return data[:at]
            elif self._start.startswith(data[at : at + len(self._start)]):
                self._kept = data[at:]
                return data[:at]
            at = data.find(MARK[:1], at + 1)
        return data

    def rest(self) -> bytes:
        """Return what was kept and turned out to be output, at the stream's end."""
        kept, self._kept = self._kept, b""
        return kept


_LONGEST = 256
"""No trailer is longer, in bytes: the mark, a nonce of 32, a code, 64 digits."""
