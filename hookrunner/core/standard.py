"""The keys of the container standard, and what each may hold.

Everything that decides by metadata reads it after `checked`, so a value of another kind is
left out once, here, and said; the user's own keys may hold anything that JSON can.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from hookrunner.model import Checkout
from hookrunner.units import parse_duration

VERSION = 1
"""The value of ``standard``."""

INTERVALS = (60.0, 30 * 86400.0)
"""Seconds between validations, as the configuration's ``validate_every`` has them."""

_NAME_LIMIT = 1000
"""Characters of a name, a path or a URL. A guess: git servers take names up to 255."""


class Layers(msgspec.Struct, frozen=True, kw_only=True):
    """Which image a document is of: it is embedded in the layer that comes on top of these.

    Attributes:
        count: How many layers the image has, the one with the document included.
        below: The id of the last layer below that one; None where there is none.
    """

    count: int
    below: str | None = None


Names = list[str] | str
"""A list of names; one alone may stand without a list."""

KEYS: Mapping[str, Any] = {
    "project": str,
    "image_name": str,
    "image_tag_names": Names,
    "gitref": str,
    "build_time": str,
    "build_time_stamp": int | float,
    "build_cause": str,
    "build_tag": str,
    "ci": bool,
    "validate": bool,
    "start_method": str,
    "update_method": str,
    "validate_method": str,
    "git_repo": str,
    "git_branch": str,
    "build_host": str,
    "monitor_method": str,
    "metrics_method": str,
    "validate_every": str,
    "checkout": str,
    "checkouts": list[Checkout],
    "paths": Names,
    "rebuild_paths": Names,
    "layers": Layers,
    "ancestors": list[dict[str, Any]],
    "standard": int,
}
"""The type of each key's value. Any other key is the user's own."""

_FREE = frozenset({"build_time", "build_cause", "build_tag", "build_host"})
"""Texts that nothing decides by: a build's cause may well have two lines."""


def mistake(key: str, value: object) -> str | None:
    """Say what is wrong with the value of a key, or None: after the words "it has"."""
    if key not in KEYS:
        return None
    try:
        msgspec.convert(value, KEYS[key])
    except msgspec.ValidationError as error:
        return f"a value of another kind: {str(error)[0].lower()}{str(error)[1:]}"
    if key in _FREE or key == "ancestors":
        return None
    for text in _texts(value):
        if not text.isprintable():
            return "characters that cannot be printed"
        if len(text) > _NAME_LIMIT:
            return f"more than {_NAME_LIMIT} characters"
    return _wrong_interval(str(value)) if key == "validate_every" else None


def _wrong_interval(text: str) -> str | None:
    try:
        seconds = parse_duration(text)
    except ValueError:
        return "no length of time such as 5m"
    low, high = INTERVALS
    return None if low <= seconds <= high else "a time that is not within 1m and 30d"


def checked(document: Mapping[str, Any], origin: str) -> tuple[dict[str, Any], list[str]]:
    """Leave out of a document what cannot be used.

    Args:
        origin: Where it is from, for the second part, such as ``image label``.

    Returns:
        The keys that can be used, and for each other what is wrong with it.
    """
    keys, mistakes = {}, []
    for key, value in document.items():
        wrong = None if value is None else mistake(key, value)
        if wrong is None:
            keys[key] = value
        else:
            mistakes.append(f"{key} in the {origin} is left out: it has {wrong}")
    return keys, mistakes


def layers_of(below: Sequence[str]) -> dict[str, Any]:
    """The value of ``layers`` for a document in a layer of its own on top of others.

    Args:
        below: The ids of the layers of the image without the added one, lowest first.
    """
    made = Layers(count=len(below) + 1, below=below[-1] if below else None)
    found: dict[str, Any] = msgspec.to_builtins(made)
    return found


def is_of_image(document: Mapping[str, Any], layers: Sequence[str]) -> bool:
    """Tell whether a document speaks of an image, or of one below it that passed it on.

    Labels and files are inherited: an image that was built on top by other means shows its
    base's document. A document that names no layers is taken at its word.

    Args:
        layers: The ids of the image's layers, lowest first; empty where they are not known.
    """
    if document.get("layers") is None or not layers:
        return True
    try:
        named = msgspec.convert(document["layers"], Layers)
    except msgspec.ValidationError:
        return True
    below = layers[-2] if len(layers) > 1 else None
    return named == Layers(count=len(layers), below=below)


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, Mapping):
        return [text for one in value.values() for text in _texts(one)]
    if isinstance(value, Sequence):
        return [text for one in value for text in _texts(one)]
    return []
