"""What is said in a chat: our words, and below them what a container or a table has to say.

Others' text comes through as text: it calls nobody, links nowhere, ends no block, and the
whole is never longer than the platform takes.
"""

import re
from collections.abc import Callable, Sequence

import msgspec

from hookrunner.core.unseen import visible

_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")
_EVERYBODY = re.compile(r"@(?=(?:all|channel|everyone|here)\b)", re.IGNORECASE)
_FENCE = re.compile(r"`(?=`)")
_LONGEST = 600
"""Characters of a line of prose, and of one in a block where it would be the only one."""
_MARGIN = 40
"""Characters of a message that are left for what says that it was cut."""


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """Something to say.

    Attributes:
        prose: Lines in our words; others' words may be in them.
        block: Lines that are shown as they are, in a fixed width.
        keeps_end: Where the block is too long its end is kept, and else its beginning.
        link: Where there is more to see, of ours; None: nowhere.
        is_public: Everybody in the channel is to see it.
        run: The id of the run that it is about, or None.
    """

    prose: Sequence[str]
    block: Sequence[str] = ()
    keeps_end: bool = False
    link: str | None = None
    is_public: bool = False
    run: str | None = None


class Markup(msgspec.Struct, frozen=True):
    """How a platform writes text.

    Attributes:
        prose: Escapes one line of text.
        block: Makes a block of fixed width of lines.
        limit: Characters of a message, as UTF-16 counts them.
    """

    prose: Callable[[str], str]
    block: Callable[[str], str]
    limit: int


def fenced(text: str) -> str:
    """Make a block of text, which cannot end it."""
    return "```\n" + _FENCE.sub("`\u200b", text) + "\n```"


def plain(text: str) -> str:
    """Make text visible as it is: no colours, nothing unseen, and nobody is called."""
    return _EVERYBODY.sub("@\u200b", visible(_COLOUR.sub("", text)))


def render(message: Message, markup: Markup) -> str:
    """Write a message in a platform's mark-up, within its limit."""
    budget = markup.limit - _MARGIN
    link = [message.link] if message.link and size(message.link) < budget // 2 else []
    budget -= sum(size(one) + 1 for one in link)
    told: list[str] = []
    for line in message.prose:
        written = markup.prose(plain(_cut(" ".join(line.split()), _LONGEST)))
        if size(written) >= budget:
            told.append("…")
            break
        budget -= size(written) + 1
        told.append(written)
    if message.block:
        told += _block(message, markup, budget)
    return "\n".join([*told, *link])


def size(text: str) -> int:
    """The length of a text as UTF-16 counts it, which is never less than others count."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _block(message: Message, markup: Markup, budget: int) -> list[str]:
    """As many lines as there is room for, and how many there is none for."""
    lines = [plain(line.replace("\t", "    ")).replace("\n", " ") for line in message.block]
    if message.keeps_end:
        lines.reverse()
    kept: list[str] = []
    empty = size(markup.block(""))
    budget -= empty
    for line in lines:
        more = line if kept else _cut(line, min(_LONGEST, max(budget // 8, 1)))
        budget -= size(markup.block(more)) - empty + 1
        if budget < 0:
            break
        kept.append(more)
    if not kept:
        return []
    left = len(lines) - len(kept)
    if message.keeps_end:
        kept.reverse()
    shown = markup.block("\n".join(kept))
    if not left:
        return [shown]
    said = f"… {left} more {'line' if left == 1 else 'lines'}"
    return [said, shown] if message.keeps_end else [shown, said]


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
