"""Markdown, as Discord and Mattermost have it: what is others' is shown as it is."""

import re

_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>#|~&]")


def escape_markdown(text: str) -> str:
    """Escape what is mark-up, and break up what calls people.

    Source:
        https://spec.commonmark.org/0.31.2/#backslash-escapes
    """
    return _SPECIAL.sub(r"\\\g<0>", text).replace("@", "@\u200b")
