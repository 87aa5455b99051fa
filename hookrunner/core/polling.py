"""What a git server is asked for, and what its answer tells: pushes that nobody told of.

Where it is asked is the operator's word alone: the source's `url`, with the repository's
path in it. No address is taken from a delivery or from a container.
"""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from hookrunner.core.history import History, KnownPush
from hookrunner.core.matching import Known, claimed_repository
from hookrunner.core.metadata import checkouts
from hookrunner.core.standing import followed_repositories
from hookrunner.model import Container, Push

_PATH = re.compile(r"[A-Za-z0-9_~][\w.~-]*(?:/[\w~][\w.~-]*)*", re.ASCII)
"""What a path may be that goes into a URL, which a shell on the other side may read."""
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What one git server is asked for.

    Attributes:
        source: The name of the source that says how.
        repository: The key as text.
        name: The repository's path, as its containers write it.
        refs: The branches that containers follow, as full names.
    """

    source: str
    repository: str
    name: str
    url: str
    refs: frozenset[str]


def questions(known: Known) -> dict[str, Question]:
    """What to ask: for each repository that containers follow, the first source that polls.

    Returns:
        By the repository's key as text.
    """
    polling = {name: one for name, one in known.config.sources.items() if one.poll is not None}
    found: dict[str, Question] = {}
    for container in known.inventory if polling else ():
        for repository, branches in followed_repositories(container, known).items():
            refs = frozenset(f"refs/heads/{branch}" for branch in branches)
            if (before := found.get(repository)) is not None:
                found[repository] = msgspec.structs.replace(before, refs=before.refs | refs)
                continue
            path = _path(container, repository)
            claim = Push(repository=path, ref="")
            for name, source in polling.items():
                if (
                    _PATH.fullmatch(path)
                    and str(claimed_repository(claim, source, known)) == repository
                ):
                    url = (source.url or "").replace("{repository}", path)
                    found[repository] = Question(
                        source=name, repository=repository, name=path, url=url, refs=refs
                    )
                    break
    return found


def _path(container: Container, repository: str) -> str:
    """A repository's path with the case in which a container writes it."""
    path = repository.partition("/")[2]
    urls = [container.git_repo]
    if container.metadata is not None:
        urls += [checkout.repository for checkout in checkouts(container.metadata)]
    for url in filter(None, urls):
        place = url.lower().rfind(path)
        if place >= 0:
            return url[place : place + len(path)]
    return path


def decode_refs(output: str) -> dict[str, str]:
    """Read what ``git ls-remote`` printed: the commit of each ref."""
    lines = (line.partition("\t") for line in output.splitlines())
    return {ref: commit for commit, _, ref in lines if _COMMIT.fullmatch(commit)}


def untold(
    question: Question, refs: Mapping[str, str], history: History, *, asked_at: datetime
) -> list[tuple[str, str, str | None]]:
    """Find what was pushed, and nobody told of.

    Args:
        refs: The commit of each ref.
        asked_at: What was pushed since may not be in the answer.

    Returns:
        Of each ref that moved its name, the commit that it has, and the one before.
    """
    found: list[tuple[str, str, str | None]] = []
    for ref in sorted(question.refs & refs.keys()):
        pushes = history.of(question.repository, ref)
        newest: KnownPush | None = pushes[-1] if pushes else None
        if newest is None:
            found.append((ref, refs[ref], None))
        elif newest.after != refs[ref] and newest.received_at < asked_at:
            found.append((ref, refs[ref], newest.after))
    return found
