"""Which containers a push reaches, and why, and why not.

Rules, in this order: the source may speak for the repository; the ref counts; the container
belongs to the repository; branch and paths fit; there is something to do.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from hookrunner.config import Config, Project, Source
from hookrunner.core.eligibility import idle_remedy, nothing_to_do, ref_refused
from hookrunner.core.history import Binding, History
from hookrunner.core.inventory import Inventory
from hookrunner.core.repository import (
    canonical_host,
    fixes_owner,
    matches_repository,
    parse_repository_url,
)
from hookrunner.model import (
    Action,
    Container,
    Push,
    PushReceipt,
    RepositoryKey,
    Run,
    Verdict,
)


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What a match looks at, besides the push."""

    config: Config
    inventory: Inventory
    history: History
    bindings: Mapping[str, Binding]


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What a push reaches.

    Attributes:
        repository: The repository's key; None where the source may not speak for it.
        ignored: Why the push counts for nothing, or None.
        verdicts: The targets and the near misses, by name.
        others: The number of containers that have nothing to do with it.
    """

    repository: RepositoryKey | None = None
    ignored: str | None = None
    verdicts: tuple[Verdict, ...] = ()
    others: int = 0

    @property
    def targets(self) -> list[Verdict]:
        """The verdicts that say yes."""
        return [verdict for verdict in self.verdicts if verdict.target]


class _Claim(msgspec.Struct, frozen=True, kw_only=True):
    """A push whose source may speak for its repository."""

    push: Push
    keys: tuple[RepositoryKey, ...]
    name: str | None
    fixes_owner: bool
    known: Known


class _Ground(msgspec.Struct, frozen=True):
    """What rule 3 says of a container that has something to do with a push.

    Attributes:
        rule: By which it belongs to the repository; empty where it does not.
        reason: Why it does, or does not.
    """

    reason: str
    rule: str = ""
    remedy: str | None = None


def match(push: Push, source: Source, known: Known, *, force: bool = False) -> Match:
    """Say which containers a push reaches.

    Args:
        force: Targets run although they already serve the push.
    """
    claim = _claim(push, source, known)
    if isinstance(claim, str):
        return Match(ignored=claim)
    key = claim.keys[0]
    ignored = _ref_ignored(push, known.config)
    if ignored is not None:
        return Match(repository=key, ignored=ignored)
    verdicts = [
        verdict
        for container in _candidates(claim)
        if (verdict := _judge(container, claim, force=force)) is not None
    ]
    verdicts.sort(key=lambda verdict: (not verdict.target, verdict.container, verdict.engine))
    return Match(
        repository=key,
        verdicts=tuple(verdicts),
        others=len(known.inventory) - len(verdicts),
    )


def claimed_repository(push: Push, source: Source, known: Known) -> RepositoryKey | None:
    """The repository that a push is about, or None where its source may not speak for it."""
    claim = _claim(push, source, known)
    return None if isinstance(claim, str) else claim.keys[0]


def _claim(push: Push, source: Source, known: Known) -> _Claim | str:
    """Apply rule 1; a text says why the push is ignored."""
    urls = push.urls
    if not urls and source.url is not None:
        urls = (source.url.replace("{repository}", push.repository),)
    keys = [
        canonical_host(key, known.inventory.aliases)
        for key in map(parse_repository_url, urls)
        if key is not None
    ] or [RepositoryKey(host="", path=push.repository.strip("/").lower())]
    fitting = [p for p in source.repositories if any(_covers(p, k, push) for k in keys)]
    allowed = tuple(dict.fromkeys(k for k in keys if any(_covers(p, k, push) for p in fitting)))
    if not allowed:
        elsewhere = next(
            (k for k in keys if k.path != push.repository.strip("/").lower()), None
        )
        place = f" at {elsewhere}" if elsewhere else ""
        return (
            f"the source may not speak for {push.repository}{place}: `repositories:` of the"
            f" source names {', '.join(source.repositories)}"
        )
    by_name = RepositoryKey(host=allowed[0].host, path=push.repository.strip("/").lower())
    is_named = any(_covers(pattern, by_name, push) for pattern in fitting)
    return _Claim(
        push=push,
        keys=allowed,
        name=by_name.path if is_named else None,
        fixes_owner=any(fixes_owner(pattern) for pattern in fitting),
        known=known,
    )


def _covers(pattern: str, key: RepositoryKey, push: Push) -> bool:
    """Whether a pattern covers a key; a name without a URL is no directory's last parts."""
    is_name = not key.host and key.path == push.repository.lower()
    return matches_repository(pattern, RepositoryKey("?", key.path) if is_name else key)


def _ref_ignored(push: Push, config: Config) -> str | None:
    """Apply rule 2 as far as it holds for all containers."""
    if push.deleted:
        return f"{push.ref} was deleted"
    if push.is_test:
        return "a test delivery: before and after are the same commit"
    if push.branch is not None:
        return None
    if push.tag is None:
        return f"{push.ref} is neither a branch nor a tag"
    if any(project.tags for project in config.projects.values()):
        return None
    return f"{push.ref} is a tag, and no project says `tags: true`"


def short_name(full_name: str, prefixes: Iterable[str]) -> str:
    """The repository's own name, without the prefixes that say that it builds an image."""
    name = full_name.rpartition("/")[2].lower()
    for prefix in prefixes:
        if name.startswith(prefix.lower()) and len(name) > len(prefix):
            return name[len(prefix) :]
    return name


def _candidates(claim: _Claim) -> list[Container]:
    """The containers that have anything to do with a push."""
    inventory, push, config = claim.known.inventory, claim.push, claim.known.config
    names = {key.path.rpartition("/")[2] for key in claim.keys}
    names |= {short_name(name, config.match.strip_prefixes) for name in names}
    configured = [
        name
        for name, project in config.projects.items()
        if any(matches_repository(p, key) for p in project.repositories for key in claim.keys)
    ]
    bound = [b.project for b in claim.known.bindings.values() if b.repository in _texts(claim)]
    found = [
        *inventory.find("repository", _texts(claim)),
        *inventory.find("path", [key.path for key in claim.keys]),
        *inventory.find("gitref", [i for i in (push.before, *push.commits) if i]),
        *inventory.find("project", [n.lower() for n in (*configured, *bound, *names)]),
        *inventory.find("image", [claim.name] if claim.name else []),
    ]
    return list({(container.engine, container.id): container for container in found}.values())


def _texts(claim: _Claim) -> list[str]:
    return [str(key) for key in claim.keys]


def _judge(container: Container, claim: _Claim, *, force: bool) -> Verdict | None:
    """Apply rules 3 to 5 to one container; None where it has nothing to do with the push."""
    project = claim.known.config.project(container.project)

    def say(
        reason: str,
        *,
        target: bool = False,
        rule: str = "",
        remedy: str | None = None,
        skipped: bool = False,
    ) -> Verdict:
        return Verdict(
            container=container.name,
            container_id=container.id,
            engine=container.engine,
            project=container.project,
            target=target,
            reason=reason,
            rule=rule,
            remedy=remedy,
            skipped=skipped,
        )

    ground = _belongs(container, project, claim)
    if ground is None:
        return None
    reason, rule = ground.reason, ground.rule
    if not rule:
        return say(reason, remedy=ground.remedy)
    no = ref_refused(
        container, project, claim.push, claim.keys, aliases=claim.known.inventory.aliases
    )
    if no is not None:
        return say(no[0], rule=rule, remedy=no[1])
    idle = nothing_to_do(
        container,
        Action.update,
        repository=str(claim.keys[0]),
        ref=claim.push.ref,
        after=claim.push.after,
        history=claim.known.history,
        force=force,
    )
    if idle is not None:
        remedy = idle_remedy(container, Action.update)
        return say(
            f"{reason}; {idle.reason}", target=True, rule=rule, remedy=remedy, skipped=True
        )
    return say(reason, target=True, rule=rule)


def _belongs(container: Container, project: Project, claim: _Claim) -> _Ground | None:
    """Apply rule 3; None for a container that has nothing to do with the push at all."""
    if project.repositories:
        return _belongs_by_configuration(container, project, claim)
    names = _project_names(claim)
    own = claim.known.inventory.repositories(container)
    if own:
        return _belongs_by_url(container, claim, own, names)
    if container.git_repo is None:
        return _belongs_by_kin(container, claim, names)
    if container.project.lower() not in names:
        return None
    return _Ground(
        f"its git_repo is {container.git_repo}, which names no repository",
        remedy=f"name the repository: label hookrunner.repository={claim.keys[0]}",
    )


def _belongs_by_configuration(container: Container, project: Project, claim: _Claim) -> _Ground:
    """Apply rule 3a, for a project that the configuration binds to repositories."""
    patterns = project.repositories
    for pattern in patterns:
        if any(matches_repository(pattern, key) for key in claim.keys):
            said = f"configured: {container.project}.repositories has {pattern}"
            return _Ground(said, rule="configured")
    return _Ground(
        f"the configuration binds {container.project} to other repositories:"
        f" {', '.join(patterns)}",
        remedy=f"add {claim.keys[0]} to projects.{container.project}.repositories",
    )


def _belongs_by_url(
    container: Container, claim: _Claim, own: Sequence[RepositoryKey], names: set[str]
) -> _Ground | None:
    """Apply rule 3b, for a container that names its repositories.

    Args:
        own: These.
    """
    if any(key in claim.keys for key in own):
        return _Ground(f"git_repo: it was built from {claim.keys[0]}", rule="git_repo")
    same = next((k for k in own if k.path in {c.path for c in claim.keys}), None)
    if same is not None:
        return _Ground(
            f"its git_repo is {same}, and the push is to {claim.keys[0]}",
            remedy="if both are one repository, name the host's other name under `hosts:`, or"
            f" the repository in projects.{container.project}.repositories",
        )
    if container.project.lower() in names:
        return _Ground(
            f"its git_repo is {own[0]}, and the push is to {claim.keys[0]}",
            remedy=f"add {claim.keys[0]} to projects.{container.project}.repositories",
        )
    return None


def _project_names(claim: _Claim) -> set[str]:
    """The names by which a project says that it is this repository's."""
    name = claim.name or claim.keys[0].path
    return {
        name.rpartition("/")[2],
        short_name(name, claim.known.config.match.strip_prefixes),
    }


def _belongs_by_kin(container: Container, claim: _Claim, names: set[str]) -> _Ground | None:
    """Apply rules 3c and 3d, for a container that names no repository."""
    ids = {i for i in (claim.push.before, *claim.push.commits) if i}
    shared = next((i for i in (container.current_gitref, container.gitref) if i in ids), None)
    binding = claim.known.bindings.get(container.project) if container.project else None
    remembered = binding is not None and binding.repository in _texts(claim)
    image_name = (container.metadata.text("image_name") if container.metadata else None) or ""
    by_project = container.project.lower() in names if container.project else False
    by_image = claim.name is not None and image_name.lower() == claim.name
    if not (shared or remembered or by_project or by_image):
        return None
    remedy = f"name the repository: label hookrunner.repository={claim.keys[0]}"
    if not claim.fixes_owner:
        return _Ground(
            "it names no git_repo, and the source may speak for any owner:"
            " forks and name-sakes could reach it",
            remedy=remedy,
        )
    if (shared or (remembered and binding and binding.rule == "gitref")) and (
        binding is None or remembered
    ):
        if shared:
            said = f"gitref: it was built from this history ({shared[:12]})"
        else:
            said = "gitref: an earlier push showed that it comes from here"
        return _Ground(said, rule="gitref")
    if by_project:
        said = f"project: its project {container.project} is the repository's"
        return _Ground(said, rule="project")
    if by_image:
        return _Ground(f"project: its image_name {image_name} is the repository's", "project")
    if not shared:
        return _Ground(
            "others of its project belong here, but it names no git_repo and shares no commit",
            remedy=remedy,
        )
    bound = binding.repository if binding else ""
    return _Ground(
        f"it shares a commit with the push, but its project belongs to {bound}",
        remedy=f"if it belongs here, set projects.{container.project}.repositories",
    )


def receipt(push: Push, run: Run | None, found: Match) -> PushReceipt:
    """Say what became of a push.

    Args:
        run: The one that it caused, or None.
    """
    ignored = found.ignored
    if ignored is None and run is None:
        ignored = "no running container was built from this repository"
        if found.verdicts:
            ignored += (
                f"; the nearest is {found.verdicts[0].container}: {found.verdicts[0].reason}"
            )
    return PushReceipt(
        push=push,
        run=run.id if run else None,
        ignored=ignored,
        verdicts=found.verdicts,
        others=found.others,
    )
