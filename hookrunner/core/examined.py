"""The text for a container as the API tells of it: what it is, and what hookrunner knows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hookrunner.core.deployment import RUNTIME_FACTS
from hookrunner.core.examination import Fact, examination, facts_text, one_line


def rendered(view: Mapping[str, Any]) -> str:
    """The text for a container of the API, asked for with all of its metadata."""
    metadata, runtime = view.get("metadata") or {}, view.get("runtime") or {}
    deployed = [(fact.heading, runtime.get(key)) for key, fact in RUNTIME_FACTS.items()]
    started = view.get("first_started_at")
    text = examination(metadata, started=_instant(started), facts=deployed)
    origins = view.get("origins") or {}
    sources: dict[str, list[str]] = {}
    for key, origin in origins.items():
        sources.setdefault(str(origin), []).append(str(key))
    told = [(origin, ", ".join(keys)) for origin, keys in sources.items()]
    text += facts_text(_known(view), title="Known to hookrunner")
    text += facts_text(told, title="Where each key came from")
    problems = "".join(f"  {one_line(problem)}\n" for problem in view.get("problems") or [])
    return text + (f"\nWhat is wrong with it\n\n{problems}" if problems else "")


def _instant(told: object) -> datetime | None:
    try:
        return datetime.fromisoformat(told) if isinstance(told, str) else None
    except ValueError:
        return None


def _known(view: Mapping[str, Any]) -> list[Fact]:
    """What the inventory says beside the metadata."""
    last = view.get("last_step") or {}
    words = {True: "yes", False: "no", None: "nobody can say"}
    behind, outdated = words[view.get("behind")], words[view.get("image_behind")]
    return [
        ("Container", view.get("name")),
        ("Host", view.get("host")),
        ("Image", view.get("image")),
        ("Serves", view.get("current_gitref")),
        ("Last Push", view.get("pushed_gitref")),
        ("Behind", behind + (" (dirty)" if view.get("dirty") else "")),
        ("Image Behind", outdated),
        ("Last Result", last.get("outcome") or last.get("status")),
    ]
