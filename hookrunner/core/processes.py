"""Which processes are a step's: the constant scripts that look for them, and what they tell.

A step's wrapper carries its id in its environment, and so does whatever it starts. Found are
those that carry it, their children, and all of their sessions. What clears `HOOKRUNNER_STEP`
alone and starts a session of its own (``env -u HOOKRUNNER_STEP setsid``) is left alone.

The environment of another user's process, of one with more privileges, or of one that changed
its user, cannot be read, not even by root without CAP_SYS_PTRACE. Such a process is named, so
that another look can be had as its user; it never counts as none.
"""

import re
from collections.abc import Sequence

import msgspec

KEPT = ("/run/hookrunner", "/tmp/.hookrunner", "/dev/shm/.hookrunner")  # noqa: S108
"""Where a wrapper keeps how it ended: each a directory of its user's own. The last is there,
and can be written, in a container whose root is read-only too."""

_READ = r"""
stat() {
    line=
    while read -r part || [ -n "$part" ]; do
        line="$line $part"
    done <"/proc/$1/stat" || return 1
    set -- ${line##*) }
    state=$1 parent=$2 session=$4 start=${20}
    [ -n "$start" ] && [ "$state" != Z ] && [ "$state" != X ]
}
environ() {
    text=
    while read -r part || [ -n "$part" ]; do text="$text$part "; done <"/proc/$1/environ"
}
"""
"""Shell functions: a process's numbers, false where it is dead (a zombie is); and all of its
environment, false where it cannot be read. Builtins alone: they work where nothing can fork."""

_STOP_SCRIPT = (
    r"""
exec 2>/dev/null
"""
    + _READ
    + r"""
user() {
    while read -r key real effective rest; do
        case $key in Uid:) uid=$effective ;; Gid:) echo "$uid:$effective"; return ;; esac
    done <"/proc/$1/status"
}
clock() {
    read -r seconds rest </proc/uptime
    seconds=${seconds%%.*}
}
look() {
    ours=' ' sessions=' ' rest='' alive=' ' dark=' '
    for path in /proc/[0-9]*; do
        pid=${path#/proc/}
        case $pid in 1 | "$$") continue ;; esac
        stat "$pid" || continue
        alive="$alive$pid "
        kind=clean
        case $clean in
            *" $pid:$start "*) ;;
            *)
                if environ "$pid"; then
                    case $text in
                        *"HOOKRUNNER_STEP=$HOOKRUNNER_STOP"*) kind=ours ;;
                        *"HOOKRUNNER_STEP="*) kind=clean ;;
                        *"HOOKRUNNER_RUN="*) kind=free ;;
                        ?*) clean="$clean$pid:$start " ;;
                    esac
                else
                    stat "$pid" || continue
                    kind=dark
                    [ "$start" -ge "$oldest" ] || kind=clean
                fi ;;
        esac
        case $kind:$seen in clean:*" $pid:$start "* | dark:*" $pid:$start "*) kind=ours ;; esac
        case $kind in
            ours) take ;;
            *) rest="$rest $pid:$parent:$session:$start:$kind" ;;
        esac
    done
    more=1
    while [ -n "$more" ]; do
        more=
        left=$rest rest=
        for entry in $left; do
            IFS=:
            set -- $entry
            IFS=$blank
            pid=$1 parent=$2 session=$3 start=$4
            case $sessions in *" $session "*) take; more=1; continue ;; esac
            case $5$ours in
                clean*" $parent "* | dark*" $parent "*) take; more=1 ;;
                *) rest="$rest $entry" ;;
            esac
        done
    done
    for entry in $rest; do
        case $entry in *:dark) dark="$dark${entry%%:*} " ;; esac
    done
    unread=
    for entry in $rest; do
        IFS=:
        set -- $entry
        IFS=$blank
        case $5:$3 in clean:* | free:* | *:"$service") continue ;; esac
        case $dark$alive in *" $2 "*" $2 "*) ;; *" $2 "*) continue ;; esac
        unread="$unread $1:$4"
    done
}
take() {
    ours="$ours$pid "
    case $seen in *" $pid:$start "*) ;; *) seen="$seen$pid:$start " ;; esac
    case $session in 0 | "$service") ;; *) sessions="$sessions$session " ;; esac
}
blank=$IFS
clean=' '
seen=" $HOOKRUNNER_SEEN "
stat 1 || { echo "cannot look into /proc"; exit 3; }
service=$session
stat $$ || { echo "cannot look into /proc"; exit 3; }
oldest=$((start - HOOKRUNNER_AGE * 100))
clock
until=$((seconds + HOOKRUNNER_WAIT))
look
if [ "$HOOKRUNNER_SIGNAL" = TERM ]; then
    [ "$ours" = ' ' ] || kill -TERM $ours
else
    while [ "$ours" != ' ' ] && [ "$seconds" -lt "$until" ]; do
        sleep 0.2 || sleep 1 || break
        clock
        look
    done
    until=$((seconds + 3)) rounds=0
    while [ "$ours" != ' ' ] && [ "$rounds" -lt 50 ] && [ "$seconds" -le "$until" ]; do
        kill -STOP $ours
        look
        kill -KILL $ours
        [ "$rounds" -lt 10 ] || sleep 0.1
        clock
        look
        rounds=$((rounds + 1))
    done
fi
for pid in $ours; do stat "$pid" && echo "alive $pid:$start"; done
for entry in $unread; do echo "unread $entry $(user "${entry%:*}")"; done
echo complete
"""
)
STOP = ("/bin/sh", "-c", _STOP_SCRIPT, "hookrunner-stop")
"""Looks for the processes of a step and signals them, as one user; reports what it found.

Its environment: `HOOKRUNNER_STOP` the step's id; `HOOKRUNNER_SIGNAL` ``TERM``, or ``KILL``
after they had `HOOKRUNNER_WAIT` seconds; `HOOKRUNNER_AGE` how many seconds ago the step
started, at least; `HOOKRUNNER_SEEN` what other looks found, ``pid:start`` each. The container's
first process and its session are its own service: never touched. Everything that it waits for
has an end. Needs a shell, and nothing else: without `sleep` it does not wait.
"""

_RECOVER_SCRIPT = (
    r"""
exec 2>/dev/null
kept=
"""
    + _READ
    + rf"""
for place in {" ".join(KEPT)}; do
    [ -r "$place/last" ] || continue
    read -r step code gitref <"$place/last"
    [ "$step" = "$HOOKRUNNER_STOP" ] || continue
    [ "$gitref" = - ] || {{ echo "ended $code $gitref"; exit 0; }}
    kept=$code
done
"""
    + r"""
for path in /proc/[0-9]*; do
    stat "${path#/proc/}" || continue
    environ "${path#/proc/}" || continue
    case $text in
        *"HOOKRUNNER_STEP=$HOOKRUNNER_STOP"*)
            case $text in *"HOOKRUNNER_NONCE="*) echo alive; exit 0 ;; esac ;;
    esac
done
if [ -n "$kept" ]; then echo "ended $kept "; else echo gone; fi
"""
)
RECOVER = ("/bin/sh", "-c", _RECOVER_SCRIPT, "hookrunner-recover")
"""Tells what became of a step whose stream was lost: ``ended CODE GITREF``, ``alive`` while
its wrapper runs, which alone has the nonce in its environment, or ``gone`` where that neither
runs nor left word. Runs as the step's own user did."""

_RECOVERED = re.compile(r"ended (\d{1,3}) ?([0-9a-f]*)")
_GITREF = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def recovered(text: str) -> tuple[int, str | None] | None:
    """Read the exit code and the gitref that `RECOVER` told; None where it told neither."""
    match = _RECOVERED.fullmatch(text.strip())
    if match is None:
        return None
    return int(match[1]), match[2] if _GITREF.fullmatch(match[2]) else None


class Look(msgspec.Struct, frozen=True):
    """What one run of `STOP` reported.

    Attributes:
        alive: The step's processes that still run, ``pid:start`` each.
        unread: Processes that may be the step's, and could not be looked into, each with the
            ``user:group`` that it runs as: nobody else may look into it.
    """

    alive: frozenset[str]
    unread: dict[str, str]


_FOUND = re.compile(r"alive (\d+:\d+)|unread (\d+:\d+) ((?:\d+:\d+)?)")


def looked(text: str) -> Look | None:
    """Read a report of `STOP`; None where it is not a whole one, so that it says nothing."""
    *lines, end = text.strip().split("\n")
    found = [_FOUND.fullmatch(line) for line in lines]
    if end != "complete" or None in found:
        return None
    matches = [match for match in found if match is not None]
    return Look(
        frozenset(match[1] for match in matches if match[1]),
        {match[2]: match[3] for match in matches if match[2]},
    )


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """A container's process, as its engine sees it.

    Attributes:
        age: Seconds since it started.
    """

    pid: int
    session: int
    age: float


def possible(processes: Sequence[Process], *, service: int, age: float) -> list[int]:
    """The processes that may be a step's, where no script can look into them.

    All that are younger than the step, but for the session of the container's own service.

    Args:
        service: The pid of the container's first process.
        age: Seconds since the step started, at least.
    """
    own = {process.session for process in processes if process.pid == service}
    return [
        process.pid
        for process in processes
        if process.pid != service and process.session not in own and process.age <= age
    ]
