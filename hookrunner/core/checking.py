"""What is wrong with what is known, and what to do about it: the rules of ``check``.

Each function looks at one thing. Files and addresses are others' business.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from hookrunner.config import Config, Door
from hookrunner.core.eligibility import followed
from hookrunner.core.findings import Finding, Level
from hookrunner.core.inventory import EngineState
from hookrunner.core.matching import Known
from hookrunner.core.metadata import INHERITED
from hookrunner.core.nearness import closest
from hookrunner.core.repository import matches_repository
from hookrunner.core.standing import followed_repositories
from hookrunner.core.tokens import reaches
from hookrunner.model import Action, Container, Delivery, Verdict

_HEADS = "refs/heads/"
_TOLD = 10
"""Containers that are named at most where nothing is known of them."""


def check_sources(config: Config, weaknesses: Mapping[str, str]) -> Iterator[Finding]:
    """Whether anybody may send webhooks, and what that proves.

    Args:
        weaknesses: Of a source whose proof is weaker than others', what it leaves open.
    """
    if not config.sources:
        yield Finding(
            level=Level.wrong,
            about="sources",
            text="there is none, so that no webhook is taken",
            remedy="`hookrunner init` writes one, with a secret",
        )
    for name, weakness in weaknesses.items():
        yield Finding(
            level=Level.note,
            about=f"source {name}",
            text=f"a weaker proof: {weakness}",
            remedy="`hookrunner help forges` says what keeps the risk small",
        )


def check_chats(config: Config, known: Iterable[str]) -> Iterator[Finding]:
    """Whether chats get through to us, and whether anybody there may do anything.

    Args:
        known: The projects of all containers.
    """
    for name, platform in config.chat.configured().items():
        about, url = f"chat {name}", f"{config.public_url or 'https://HOST'}/chat/{name}"
        if not any(Door.hooks in one.serves for one in config.listen):
            yield Finding(
                level=Level.wrong,
                about=about,
                text="no address serves its door",
                remedy="let one of `listen:` serve hooks: chats come in there too",
            )
        if name != "mattermost" and not url.startswith("https://"):
            yield Finding(
                level=Level.wrong,
                about=about,
                text=f"it sends to https alone, and its URL would be {url}",
                remedy="bring TLS, by `tls:` or a proxy, and set `public_url:` to it",
            )
        elif not platform.allow:
            yield Finding(
                level=Level.note,
                about=about,
                text=f"its URL is {url}, and nobody there may do anything yet",
                remedy="try a command there: the answer has the ids for `allow:`",
            )
        else:
            yield Finding(level=Level.ok, about=about, text=f"its URL is {url}")
        told = {pattern for one in platform.allow for pattern in one.projects}
        for pattern in sorted(told - {"*"}):
            if not any(reaches(pattern, project) for project in known):
                yield Finding(
                    level=Level.note,
                    about=about,
                    text=f"no container is known of a project {pattern}, which `allow:` names",
                )


def check_engines(engines: Iterable[EngineState], counts: dict[str, int]) -> Iterator[Finding]:
    """Whether every engine answers.

    Args:
        counts: The known containers of each.
    """
    for engine in engines:
        about = f"engine {engine.name}"
        if engine.error is None and engine.listed:
            number = counts.get(engine.name, 0)
            noun = "container is" if number == 1 else "containers are"
            yield Finding(level=Level.ok, about=about, text=f"{number} {noun} known")
            continue
        remedy = f"start it, or name another under `engines:` instead of {engine.url}"
        if engine.error and "ermission denied" in engine.error:
            remedy = (
                "let the user who runs hookrunner into the group docker, and start it again"
            )
        yield Finding(
            level=Level.wrong,
            about=about,
            text=engine.error or "it did not answer yet",
            remedy=remedy,
        )


def check_container(container: Container, known: Known) -> Iterator[Finding]:
    """Whether pushes can reach a container, and do something there."""
    about = f"container {known.inventory.label(container.engine, container.name)}"
    problems = container.metadata.problems if container.metadata else ()
    for problem in problems:
        is_base = problem.endswith(INHERITED)
        what = "build it with `hookrunner build`" if is_base else "correct it in the image"
        yield Finding(
            level=Level.note if is_base else Level.wrong,
            about=about,
            text=problem,
            remedy=f"{what}, or say what it is by a label: hookrunner.project=NAME",
        )
    if Action.update not in container.methods:
        if container.project:
            yield Finding(
                level=Level.note,
                about=about,
                text="it has no update method",
                remedy=f"to have it updated, write below `projects:`\n{_pasted(container)}",
            )
        return
    project = known.config.project(container.project)
    named = followed(container, project, aliases=known.inventory.aliases)
    patterns = [p for source in known.config.sources.values() for p in source.repositories]
    for key in named:
        if patterns and not any(matches_repository(pattern, key) for pattern in patterns):
            yield Finding(
                level=Level.wrong,
                about=about,
                text=f"no source may speak for its repository {key}",
                remedy=f"add {key.path} to `repositories:` of the source that it is pushed to",
            )
            return
    for repository, branches in followed_repositories(container, known).items():
        yield from _branch(container, about, repository, branches, known)


def _branch(
    container: Container, about: str, repository: str, branches: Sequence[str], known: Known
) -> Iterator[Finding]:
    """Whether the branch that a container follows ever got a push."""
    refs = known.history.refs(repository)
    if any(f"{_HEADS}{branch}" in refs for branch in branches):
        return
    others = [ref.removeprefix(_HEADS) for ref in refs if ref.startswith(_HEADS)]
    if others:
        yield Finding(
            level=Level.wrong,
            about=about,
            text=f"it follows {' or '.join(branches)} of {repository}, which never got a push;"
            f" {', '.join(others)} did",
            remedy=f"set projects.{container.project or 'NAME'}.branch, or the label"
            f" hookrunner.branch, to {others[-1]}",
        )
    else:
        yield Finding(
            level=Level.note,
            about=about,
            text=f"no push of {repository} came yet",
            remedy="set up the webhook there, then: hookrunner check --await-delivery",
        )


def check_strangers(containers: Sequence[Container], others: int) -> Iterator[Finding]:
    """Say how to make a container known of which no metadata tells anything.

    Args:
        containers: Those that are not hidden.
        others: The number of those that are.
    """
    for container in sorted(containers, key=lambda c: c.name)[:_TOLD]:
        yield Finding(
            level=Level.note,
            about=f"container {container.name}",
            text=f"{container.image} has no `container`, so that nobody knows how to update it",
            remedy="to have it updated, start it with --label"
            f" hookrunner.project={container.name}, and write below `projects:`\n"
            f"{_pasted(container)}",
        )
    left = len(containers) - _TOLD
    if left > 0:
        yield Finding(level=Level.note, about="containers", text=f"{left} more are not known")
    if others:
        noun = "container is" if others == 1 else "containers are"
        yield Finding(level=Level.ok, about="containers", text=f"{others} {noun} hidden")


def _pasted(container: Container) -> str:
    """Three lines of configuration, for a container that cannot update itself."""
    name = container.project or container.name
    places = [place for place in container.mounts if place.startswith(("/srv", "/var/www"))]
    place = _quoted(places[0] if places else f"/srv/{name}")
    return (
        f"  {_quoted(name)}:\n"
        f"    update: [git, -C, {place}, pull, --ff-only]\n"
        f"    gitref: [git, -C, {place}, rev-parse, HEAD]"
    )


def _quoted(text: str) -> str:
    """A text as YAML takes it, with quotes only where it needs them."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return msgspec.json.encode(text).decode()


_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""What YAML takes for something else than text."""
_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9/._-]*")


def check_deliveries(deliveries: Sequence[Delivery], known: Known) -> Iterator[Finding]:
    """What became of the last delivery of each source.

    Args:
        deliveries: Newest first.
    """
    for name in known.config.sources:
        about = f"source {name}"
        last = next((one for one in deliveries if one.source == name), None)
        if last is None:
            yield Finding(
                level=Level.note,
                about=about,
                text="no delivery of it came yet",
                remedy="set up its webhook, then: hookrunner check --await-delivery",
            )
            continue
        verdicts = [verdict for receipt in last.pushes for verdict in receipt.verdicts]
        is_test = all(receipt.push.is_test for receipt in last.pushes)  # a ping has no push
        if is_test or any(verdict.target for verdict in verdicts):
            text = f"its last delivery came at {last.received_at:%F %T} UTC"
            yield Finding(level=Level.ok, about=about, text=text)
            continue
        nearest = next(iter(verdicts), None)
        yield Finding(
            level=Level.note,
            about=about,
            text=f"its last delivery reached no container: {_why(last, nearest, known)}",
            remedy=(nearest.remedy if nearest else None)
            or f"hookrunner explain --delivery {last.id}",
        )


def _why(delivery: Delivery, nearest: Verdict | None, known: Known) -> str:
    """Why a delivery reached nothing, with the container that came closest."""
    said = delivery.ignored or next((r.ignored for r in delivery.pushes if r.ignored), None)
    if said is None and nearest is not None:
        said = f"the nearest is {nearest.container}: {nearest.reason}"
    if nearest is None and said is None:
        said = "none was built from this repository"
    alike = None if nearest else closest(delivery.pushes[0].push, known)
    return "; ".join(words for words in (said, alike) if words)
