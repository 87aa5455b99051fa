"""Characters that show nothing, or change how the text around them is shown.

Source:
    https://trojansource.codes
"""

import re

CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
"""In a class of a pattern: what commands a terminal, all but tab and line feed."""
DIRECTIONS = r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""In a class of a pattern: what ends a line, or turns the direction of what follows."""
_UNSEEN = re.compile(rf"[{CONTROLS}{DIRECTIONS}\u200b-\u200d\u2060-\u2065\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """Show each such character by its number."""
    return _UNSEEN.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
