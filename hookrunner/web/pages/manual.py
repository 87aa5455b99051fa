"""Help: the documents that the package carries, so that nobody needs another host for them."""

import re
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

from aiohttp import web
from markupsafe import Markup

from hookrunner.errors import NotFoundError
from hookrunner.web.documents import SUFFIX, by_subject, documents, title
from hookrunner.web.operation import Nothing
from hookrunner.web.pages.looking import Look, look

if TYPE_CHECKING:
    from markdown_it.token import Token


@look("/help")
async def topics(look: Look[Nothing]) -> web.Response:
    """List the topics."""
    found = {
        subject: {topic: title(text) for topic, text in texts.items()}
        for subject, texts in by_subject().items()
    }
    return await look.show("topics.html", subjects=found)


@look("/help/{topic}")
async def topic(look: Look[Nothing]) -> web.Response:
    """Show one document."""
    name = look.request.match_info["topic"]
    text = documents().get(name)
    if text is None:
        raise NotFoundError(f"there is no help on {name}")
    return await look.show("topic.html", title=title(text), document=rendered(text))


@cache
def rendered(text: str) -> Markup:
    """A document as HTML: links to other documents lead to their pages, headings have ids.

    Links into the repository lead nowhere from here, so their text alone is shown.
    """
    from markdown_it import MarkdownIt  # noqa: PLC0415 - a start would take 27 ms longer

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    tokens = markdown.parse(text)
    for token, inline in pairwise(tokens):
        if token.type == "heading_open":
            token.attrSet("id", _anchor(inline.content))
    for token in tokens:
        token.children = _with_links(token.children) if token.children else token.children
    return Markup(markdown.renderer.render(tokens, markdown.options, {}))  # noqa: S704 - ours


def _anchor(heading: str) -> str:
    """The id that GitHub gives a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def _with_links(tokens: "list[Token]") -> "list[Token]":
    kept: list[Token] = []
    is_left_out = False
    for token in tokens:
        if token.type == "link_open":
            target = str(token.attrGet("href"))
            is_left_out = not target.startswith("#") and "/" in target and "://" not in target
            file, mark, part = target.partition("#")
            name = file.rpartition("/")[2].removesuffix(SUFFIX)
            if file.endswith(SUFFIX) and name in documents():
                token.attrSet("href", f"{name}{mark}{part}")
                is_left_out = False
        if not (is_left_out and token.type in {"link_open", "link_close"}):
            kept.append(token)
    return kept


ROUTES = (topics, topic)
