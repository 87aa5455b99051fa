"""What people type in a chat: one of a few commands, or something that is nearly one."""

import difflib
import re

import msgspec

VERBS = ("update", "validate", "status", "runs", "logs", "why", "help")

HELP = (
    "update PROJECT [REASON]    update its containers",
    "validate PROJECT [REASON]  check them, and change nothing",
    "status [PROJECT]           what they serve, and whether that is what was pushed",
    "runs                       the last runs",
    "logs RUN                   what a run printed",
    "why REPOSITORY             what its last push reached, and why nothing else",
    "",
    "Instead of PROJECT: repository:NAME, container:NAME or image:NAME.",
)

_EXAMPLES = {
    "update": "update bind",
    "validate": "validate bind",
    "logs": "logs RUN, with an id that `runs` shows",
    "why": "why ops/bind",
}
_LINK = re.compile(r"<([^<>|]+)(?:\|[^<>]*)?>")
_QUOTES = "\"'`\u2018\u2019\u201c\u201d"
_SHOWN = 60
"""Characters of what somebody typed that an answer repeats."""


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants.

    Attributes:
        verb: One of `VERBS`.
        about: The project, run or repository; empty where none was named.
        reason: Why, in their words; or empty.
        mistake: Where it is ``help``, what is likely to be wrong; or empty.
    """

    verb: str
    about: str = ""
    reason: str = ""
    mistake: str = ""

    @property
    def starts_run(self) -> bool:
        """Whether it changes something, which needs another right than looking does."""
        return self.verb in {"update", "validate"}


def parse(text: str) -> Command:
    """Read what somebody typed; what is no command is a call for help that says why."""
    words = [_bare(word) for word in text.split()]
    words = [word for word in words if word]
    if not words:
        return Command(verb="help")
    verb, *rest = words
    verb = verb.lower().lstrip("/!")
    if verb not in VERBS:
        return _mistaken(_unknown(verb, rest))
    if verb == "help":
        return Command(verb="help")
    if option := next((word for word in rest[:1] if word.startswith("-")), None):
        return _mistaken(f"there are no options here, such as {_shown(option)}")
    if verb in _EXAMPLES and not rest:
        return _mistaken(f"{verb} what? For example: {_EXAMPLES[verb]}")
    if verb == "runs" and rest:
        return _mistaken(f"runs takes nothing behind it: leave out {_shown(rest[0])}")
    about = rest[0] if rest else ""
    command = Command(verb=verb, about=about, reason=" ".join(rest[1:]))
    if command.starts_run:
        return command
    if len(rest) > 1:
        return _mistaken(f"{verb} takes one name, and {_shown(rest[1])} is one more")
    return command


def _unknown(verb: str, rest: list[str]) -> str:
    """Why a first word is no verb."""
    if close := difflib.get_close_matches(verb[:_SHOWN], VERBS, n=1):
        return f"there is no {_shown(verb)}; did you mean {close[0]}?"
    later = next((word.lower() for word in rest if word.lower() in VERBS), None)
    if later is not None:
        return f"the command comes first: {later} {_shown(verb)}"
    if not rest:
        return f"say what to do with {_shown(verb)}, such as: update {_shown(verb)}"
    return f"there is no command {_shown(verb)}"


def _mistaken(why: str) -> Command:
    return Command(verb="help", mistake=why)


def _bare(word: str) -> str:
    """A word without quotes, and without the brackets that chats put around links."""
    return _LINK.sub(r"\1", word.strip(_QUOTES)).strip(_QUOTES)


def _shown(word: str) -> str:
    return word if len(word) <= _SHOWN else f"{word[:_SHOWN]}…"
