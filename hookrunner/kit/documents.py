"""The metadata as the image carries it: JSON, the text for people, and lines for a shell.

The image's ``container`` only prints and sources what is rendered here, so that it needs no
JSON parser, and no quoting of its own.
"""

import json
import shlex
from collections.abc import Mapping
from typing import Any

from hookrunner.core.examination import image_text
from hookrunner.core.repository import parse_repository_url

SEED_ORDER = (
    "validate_method",
    "start_method",
    "update_method",
    "validate",
    "build_cause",
    "build_tag",
    "ci",
    "image_tag_names",
    "project",
    "build_time",
    "build_time_stamp",
    "image_name",
    "gitref",
)
"""The keys of the article's ``--metadata``, in its order."""
ADDED_ORDER = (
    "monitor_method",
    "metrics_method",
    "git_repo",
    "git_branch",
    "git_dirty",
    "build_host",
    "checkout",
    "checkouts",
    "paths",
    "rebuild_paths",
    "layers",
    "standard",
)
"""The keys that the standard added since."""
METHODS = (
    "start_method",
    "update_method",
    "validate_method",
    "monitor_method",
    "metrics_method",
)


def ordered(document: Mapping[str, Any]) -> dict[str, Any]:
    """The same document in the seed's order; what was added since comes behind.

    The user's own keys follow in their own order, the ancestors come last.
    """
    first = [key for key in SEED_ORDER + ADDED_ORDER if key in document]
    own = [key for key in document if key not in {*first, "ancestors"}]
    found = {key: document[key] for key in (*first, *own)}
    if "ancestors" in document:
        found["ancestors"] = [
            ordered(one) if isinstance(one, dict) else one for one in document["ancestors"]
        ]
    return found


def metadata_text(document: Mapping[str, Any]) -> str:
    """What ``container --metadata`` prints: laid out as the seed has it, and valid JSON."""
    return json.dumps(ordered(document), indent=2, ensure_ascii=False) + "\n"


def label_text(document: Mapping[str, Any]) -> str:
    """The value of the label ``hookrunner.metadata``: the same document on one line."""
    return json.dumps(ordered(document), separators=(",", ":"), ensure_ascii=False)


def examine_text(document: Mapping[str, Any]) -> str:
    """What ``container --examine`` prints after its first line."""
    return image_text(document)


def methods_text(document: Mapping[str, Any]) -> str:
    """What ``container`` and ``container-update`` source: assignments and nothing else."""
    values = {key: _text(document.get(key)) for key in (*METHODS, "git_repo", "git_branch")}
    places = checkouts(document)
    values["checkouts"] = str(len(places))
    for number, one in enumerate(places, 1):
        repository = _text(one.get("repository"))
        values[f"checkout_{number}"] = _text(one.get("path"))
        values[f"repository_{number}"] = repository
        values[f"branch_{number}"] = _text(one.get("branch"))
        values[f"path_{number}"] = _path(repository or values["git_repo"])
    return "".join(f"{name}={shlex.quote(value)}\n" for name, value in values.items())


def checkouts(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The data directories that are git checkouts, as the document names them."""
    several = document.get("checkouts")
    if isinstance(several, list):
        return [one for one in several if isinstance(one, dict) and _text(one.get("path"))]
    one = _text(document.get("checkout"))
    return [{"path": one}] if one else []


def metrics_text(document: Mapping[str, Any]) -> str:
    """What every image tells of itself in ``container --metrics``.

    Source:
        https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    labels = ",".join(
        f'{name}="{_label(_text(document.get(key)))}"'
        for name, key in (("project", "project"), ("image", "image_name"), ("gitref", "gitref"))
    )
    lines = [
        "# HELP container_build_info What the image was built from.",
        "# TYPE container_build_info gauge",
        f"container_build_info{{{labels}}} 1",
    ]
    stamp = document.get("build_time_stamp")
    if isinstance(stamp, int):
        lines += [
            "# HELP container_build_timestamp_seconds When the image was built.",
            "# TYPE container_build_timestamp_seconds gauge",
            f"container_build_timestamp_seconds {stamp}",
        ]
    return "\n".join(lines) + "\n"


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _path(url: str) -> str:
    """The path of a repository on its server, as the program compares it; empty if unknown."""
    key = parse_repository_url(url) if url else None
    return key.path if key is not None else ""


def _label(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
