"""The metadata of one build, put together from all who know a part of it. Pure."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from hookrunner.core.repository import parse_repository_url
from hookrunner.core.standard import VERSION, layers_of
from hookrunner.kit.ci import Facts

_WEB_USER = re.compile(r"(https?://)[^/@]*@")
_TAG = re.compile(r":[^/:]*\Z")


class Git(NamedTuple):
    """What git says of the directory that is built.

    Attributes:
        commit: None where there is no repository, or no commit in it.
        dirty: There are changes that are in no commit.
    """

    commit: str | None = None
    branch: str | None = None
    repository: str | None = None
    dirty: bool = False


def describe(
    recipe: Mapping[str, Any],
    *,
    names: Sequence[str],
    git: Git,
    ci: Facts,
    host: str,
    at: datetime,
    below: Sequence[str],
    base: Mapping[str, Any] | None,
    validated: bool,
) -> dict[str, Any]:
    """Put the document together; what the recipe says counts most.

    Args:
        names: The image's names with their tags, the first the one that it goes by.
        host: The machine's name, where the system says none.
        below: The ids of the layers below the one that the document is in, lowest first.
        base: The document of the image below, with its ancestors; None where it has none.
        validated: The image gets its name only if it validates.
    """
    repository = without_user(git.repository or ci.repository)
    found: dict[str, Any] = {
        "project": project_name(names[0]),
        "image_name": image_name(names[0]),
        "image_tag_names": list(names),
        "ci": ci.ci,
        "build_cause": ci.cause,
        "build_tag": ci.tag,
        "build_time": at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"),
        "build_time_stamp": int(at.timestamp()),
        "build_host": ci.host or host,
        "git_repo": repository,
    }
    # A commit and a branch of this repository say nothing of another that the recipe names.
    if not is_of_another(recipe, repository):
        found["gitref"] = git.commit or ci.commit
        found["git_branch"] = git.branch or ci.branch
        if git.dirty:
            found["git_dirty"] = True
    found |= recipe
    found |= {"validate": validated, "layers": layers_of(below), "standard": VERSION}
    if family := _family(base):
        found["ancestors"] = family
    return {key: value for key, value in found.items() if value is not None}


def is_of_another(recipe: Mapping[str, Any], repository: str | None) -> bool:
    """Tell whether the recipe names another repository than the one that is built."""
    said = recipe.get("git_repo")
    if said is None or repository is None:
        return said is not None
    key = parse_repository_url(said)
    return key is None or key != parse_repository_url(repository)


def image_name(name: str) -> str:
    """An image's name without registry and tag: ``ops/dns`` of ``hub.example/ops/dns:1``."""
    bare = _TAG.sub("", name.partition("@")[0])
    host, slash, rest = bare.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    return rest if is_host else bare


def project_name(name: str) -> str:
    """The last part of an image's name: ``bind`` of ``hub.example.net/ops/bind:1``."""
    return image_name(name).rpartition("/")[2]


def without_user(url: str | None) -> str | None:
    """A web address without ``user:password@``, which would be a secret in the image."""
    return _WEB_USER.sub(r"\1", url) if url else None


def _family(base: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The ancestors of an image on top of `base`, oldest first, each without its own."""
    if base is None:
        return []
    older = base.get("ancestors")
    found = [one for one in older if isinstance(one, dict)] if isinstance(older, list) else []
    return [*found, {key: value for key, value in base.items() if key != "ancestors"}]
