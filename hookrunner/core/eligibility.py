"""Whether a container that belongs to a repository takes part in a push: branch, paths, need.

The rules that are asked twice: when a push is matched, and again when its step starts.
"""

from collections.abc import Mapping, Sequence

import msgspec

from hookrunner.config import Project
from hookrunner.core.history import History
from hookrunner.core.metadata import checkouts, patterns
from hookrunner.core.paths import touches
from hookrunner.core.repository import canonical_host, parse_repository_url
from hookrunner.model import Action, Container, Outcome, Push, RepositoryKey, Step

_MAIN = ("main", "master")
"""Branches that count where nothing names one."""


def ref_refused(
    container: Container,
    project: Project,
    push: Push,
    keys: Sequence[RepositoryKey],
    *,
    aliases: Mapping[str, str],
) -> tuple[str, str] | None:
    """Apply rule 4 and a tag's part of rule 2: why the ref or the paths do not fit.

    Args:
        aliases: Other names of hosts, as the keys were made with.

    Returns:
        The reason and the remedy, or None where they fit.
    """
    name = container.project or container.name
    if push.tag is not None:
        if not project.tags:
            return f"{push.ref} is a tag", f"say `tags: true` in projects.{name}"
    else:
        wanted = _branches(container, project, push, keys, aliases)
        if push.branch not in wanted:
            return (
                f"it follows the branch {' or '.join(wanted)}, the push is to {push.branch}",
                f"set projects.{name}.branch, or the label hookrunner.branch, to {push.branch}",
            )
    globs = project.paths or (
        patterns(container.metadata, "paths") if container.metadata is not None else ()
    )
    if globs and push.paths is not None and not touches(push.paths, globs):
        return (
            f"the push touches none of its paths ({', '.join(globs)})",
            f"change projects.{name}.paths",
        )
    return None


def _branches(
    container: Container,
    project: Project,
    push: Push,
    keys: Sequence[RepositoryKey],
    aliases: Mapping[str, str],
) -> tuple[str, ...]:
    """The branches that count for a container; the first origin that names one decides."""
    found = followed(container, project, aliases=aliases, default=push.default_branch)
    own = (branches for key, branches in found.items() if key in keys)
    return next(own, None) or _one_or_main(
        project.branch or container.git_branch or push.default_branch
    )


def followed(
    container: Container,
    project: Project,
    *,
    aliases: Mapping[str, str],
    default: str | None = None,
) -> dict[RepositoryKey, tuple[str, ...]]:
    """The repositories that a container names, each with the branches that it follows.

    Where several feed one container, each of its checkouts may have a branch of its own.

    Args:
        aliases: Other names of hosts, each with the name that stands for it.
        default: The repository's default branch, where it is known.
    """
    named = [(container.git_repo, container.git_branch)]
    for checkout in checkouts(container.metadata) if container.metadata is not None else ():
        branch = checkout.branch or container.git_branch
        named.append((checkout.repository or container.git_repo, branch))
    found: dict[RepositoryKey, tuple[str, ...]] = {}
    for url, branch in named:
        key = parse_repository_url(url) if url else None
        if key is not None:
            branches = _one_or_main(project.branch or branch or default)
            found[canonical_host(key, aliases)] = branches
    return found


def _one_or_main(branch: str | None) -> tuple[str, ...]:
    return (branch,) if branch else _MAIN


def default_branches(container: Container, project: Project) -> tuple[str, ...]:
    """The branches that a container follows of a repository that it does not name itself."""
    return _one_or_main(project.branch or container.git_branch)


class Idle(msgspec.Struct, frozen=True):
    """Why nothing runs in a container that belongs to a push.

    Attributes:
        is_current: It serves already what an update would bring.
    """

    reason: str
    is_current: bool = False

    @property
    def outcome(self) -> Outcome | None:
        """That of the step which is skipped for it."""
        return Outcome.current if self.is_current else None


def nothing_to_do(
    container: Container,
    action: Action,
    *,
    repository: str,
    ref: str | None,
    after: str | None,
    history: History,
    force: bool,
) -> Idle | None:
    """Apply rule 5: why a container that a push reaches has nothing to do, or None."""
    if action not in container.methods:
        return Idle(f"it has no {action.value} method")
    if action is not Action.update or force or container.dirty or ref is None:
        return None
    if history.serves(container.gitref_of(repository), repository, ref, after):
        return Idle(f"it already serves {(after or '')[:12]}", is_current=True)
    return None


def idle_at_start(
    container: Container,
    step: Step,
    push: Push | None,
    project: Project,
    *,
    history: History,
    aliases: Mapping[str, str],
) -> Idle | None:
    """Ask rules 4 and 5 again when a step starts: why there is nothing to do, or None.

    Args:
        push: What its run is about, or None.
    """
    if push is not None:
        host, _, path = step.repository.partition("/")
        keys = [RepositoryKey(host, path)]
        refused = ref_refused(container, project, push, keys, aliases=aliases)
        if refused is not None:
            return Idle(refused[0])
    return nothing_to_do(
        container,
        step.action,
        repository=step.repository,
        ref=step.ref,
        after=step.after,
        history=history,
        force=step.force,
    )


def idle_remedy(container: Container, action: Action) -> str:
    """What to do where `nothing_to_do` says why, and something should be done after all."""
    if action in container.methods:
        return f"`hookrunner update --force container:{container.name}` runs it all the same"
    name = container.project or container.name
    return (
        f"give it a program `container` that has the {action.value} method, or set"
        f" projects.{name}.{action.value}"
    )
