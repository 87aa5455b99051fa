"""The text of ``container --examine``: what an image is, laid out as in the seed.

The build renders it into the image, and ``hookrunner examine`` prints it from outside; the
one layout is here. What the seed shows comes first, line for line; what the standard added
since, and what is known at run time only, comes after it.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

Fact = tuple[str, object]
"""A heading and its value."""

_METHODS = {
    "START": "start_method",
    "UPDATE": "update_method",
    "VALIDATE": "validate_method",
}
"""The seed's; an image that lacks one says so."""
_LATER_METHODS = {"MONITOR": "monitor_method", "METRICS": "metrics_method"}
"""Named where an image has one, since the seed's layout does not know them."""
_SHOWN = frozenset(
    {
        "project",
        "image_name",
        "image_tag_names",
        "ci",
        "gitref",
        "build_cause",
        "build_time",
        "build_time_stamp",
        "build_tag",
        "validate",  # in the metadata of the seed, and not in its text
        "ancestors",
        *_METHODS.values(),
        *_LATER_METHODS.values(),
    }
)
_TITLES = {
    "git_repo": "Git Repository",
    "git_branch": "Git Branch",
    "build_host": "Build Host",
    "checkout": "Checkout",
    "checkouts": "Checkouts",
    "paths": "Paths",
    "rebuild_paths": "Rebuild Paths",
    "layers": "Layers",
    "standard": "Standard",
}
"""The headings of added keys; the user's own keys are their own headings."""
_WIDTH = 24
"""Columns up to the colon, as in the seed."""
_NOT_SET = "not set"


def examination(
    document: Mapping[str, Any], *, started: datetime | None, facts: Iterable[Fact] = ()
) -> str:
    """Render the whole text.

    Args:
        document: The image's metadata with its ``ancestors``, oldest first.
        started: When the container first started; None where that is not known.
        facts: What is known at run time, such as who deployed it.
    """
    return started_line(started) + image_text(document) + facts_text(facts)


def started_line(at: datetime | None) -> str:
    """The first line, which only a container can know."""
    if at is None:
        return "Container first started at an unknown time\n"
    at = at.astimezone(UTC)
    return f"Container first started at {at:%Y-%m-%d %H:%M:%S %z} ({int(at.timestamp())})\n"


def image_text(document: Mapping[str, Any]) -> str:
    """All that the image itself tells: what a build renders.

    Args:
        document: As for `examination`.
    """
    family = [*_ancestors(document), document]
    lines = ["", "Container management methods:", ""]
    for name, key in (_METHODS | _LATER_METHODS).items():
        if _is_set(document.get(key)):
            command = one_line(document[key])
            lines.append(f"   Container supports {name} method using command {command}")
    for image in family:
        lines += _image(image)
    for image in family:
        lines += _section(f"Added facts of image {_name(image)}", _added(image))
    return "\n".join(lines) + "\n"


def facts_text(facts: Iterable[Fact], *, title: str = "Runtime facts") -> str:
    """What is known at run time, under a heading of its own; empty where nothing is."""
    lines = _section(title, facts)
    return "\n".join(lines) + "\n" if lines else ""


def one_line(value: object) -> str:
    """A value as people read it, whatever it holds: on one line, without control characters.

    Texts are themselves, lists their items with commas, anything else is JSON.
    """
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        text = ", ".join(value)
    elif isinstance(value, str):
        text = value
    else:
        text = msgspec.json.encode(value).decode()
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )


def _image(image: Mapping[str, Any]) -> list[str]:
    """One image, as in the seed."""
    actions = {name: image.get(key) for name, key in _METHODS.items()}
    actions |= {
        name: image[key] for name, key in _LATER_METHODS.items() if _is_set(image.get(key))
    }
    return [
        "",
        f"Metadata for image {_name(image)}",
        "",
        "  Names:",
        _line("Project Name", image.get("project")),
        _line("Image Name", image.get("image_name")),
        _line("Image Tag Names", image.get("image_tag_names")),
        "",
        "  Build Info:",
        _line("CI Run", image.get("ci")),
        _line("Git Hash", image.get("gitref")),
        _line("Build Cause", image.get("build_cause")),
        _line("Build Time", _build_time(image)),
        _line("Build Tag", image.get("build_tag")),
        "",
        "  Actions:",
        *(_line(name, value) for name, value in actions.items()),
    ]


def _added(image: Mapping[str, Any]) -> list[Fact]:
    """What the seed's layout has no place for: the standard's keys, then the user's own."""
    known = [(heading, image[key]) for key, heading in _TITLES.items() if key in image]
    own = [(k, v) for k, v in image.items() if k not in _SHOWN and k not in _TITLES]
    return known + own


def _ancestors(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = document.get("ancestors")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _name(image: Mapping[str, Any]) -> str:
    return one_line(image.get("project") or image.get("image_name") or "without a name")


def _build_time(image: Mapping[str, Any]) -> str | None:
    said, stamp = image.get("build_time"), image.get("build_time_stamp")
    words = [one_line(said)] if _is_set(said) else []
    words += [f"({one_line(stamp)})"] if _is_set(stamp) else []
    return " ".join(words) or None


def _section(title: str, facts: Iterable[Fact]) -> list[str]:
    lines = [_line(one_line(heading), value) for heading, value in facts if _is_set(value)]
    return ["", title, "", *lines] if lines else []


def _line(heading: str, value: object) -> str:
    shown = one_line(value) if _is_set(value) else _NOT_SET
    return f"{heading:>{_WIDTH}}: {shown}"


def _is_set(value: object) -> bool:
    return value is not None and value not in ("", [])
