"""What a container says of itself: labels, configuration and ``container --metadata`` in one.

Key by key the first origin that has it counts, and each key remembers its origin.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from hookrunner.config import Project
from hookrunner.core.standard import checked, is_of_image
from hookrunner.errors import HookrunnerError
from hookrunner.model import Action, Checkout, Container, Image, Metadata, Probe
from hookrunner.units import format_duration

LABEL = "hookrunner.metadata"
"""The label in which a build embeds the metadata, as JSON."""

ENABLE = "hookrunner.enable"
"""The label that hides a container when it says ``false``."""

ONE_OFF = "com.docker.compose.oneoff"
"""The label that compose gives to the containers of ``docker compose run``.

Source: https://github.com/compose-spec/compose-go, the labels of the compose project.
"""

_CONTAINER_LABELS = {
    "hookrunner.project": "project",
    "hookrunner.repository": "git_repo",
    "hookrunner.branch": "git_branch",
    "hookrunner.validate_every": "validate_every",
}
_OCI_LABELS = {
    "org.opencontainers.image.source": "git_repo",
    "org.opencontainers.image.revision": "gitref",
}
"""Source: https://github.com/opencontainers/image-spec/blob/main/annotations.md"""

_METHODS = {Action.update: "update_method", Action.validate: "validate_method"}

DOCUMENT_LIMIT = 256 * 2**10
"""Bytes of a metadata document; the seed's is 700, one with twenty ancestors 20 KB. What is
longer is kept for every image in memory, and was not meant as metadata."""

INHERITED = "it was built on top of it by other means, and says nothing of itself"
"""How the problem of an image ends that has only its base image's metadata."""
_IMAGE_LABEL = "image label"
_ASKED = "container --metadata"


def is_hidden(labels: Mapping[str, str]) -> bool:
    """Tell whether a container's labels keep it out of the inventory."""
    disabled = labels.get(ENABLE, "").lower() in {"false", "0", "no"}
    return disabled or labels.get(ONE_OFF, "").lower() == "true"


def is_labelled(labels: Mapping[str, str]) -> bool:
    """Tell whether a container carries a label of ours: what ``discover: labelled`` asks."""
    return any(name.startswith("hookrunner.") for name in labels)


def decode_document(text: bytes | str) -> dict[str, Any]:
    """Decode a metadata document: one JSON object.

    Raises:
        HookrunnerError: It is anything else; the message says what.
    """
    if len(text) > DOCUMENT_LIMIT:
        raise HookrunnerError(f"it is longer than {DOCUMENT_LIMIT // 2**10} KiB")
    try:
        document = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise HookrunnerError(f"it is no JSON object: {error}") from error
    return document


class Answer(NamedTuple):
    """What one origin says of an image.

    Attributes:
        document: None where it says nothing, or nothing that can be used.
        problem: Why it cannot be used, or None.
    """

    document: Mapping[str, Any] | None = None
    problem: str | None = None


NOTHING = Answer()


def image_answer(labels: Mapping[str, str]) -> Answer:
    """What the image label says."""
    if LABEL not in labels:
        return NOTHING
    try:
        return Answer(decode_document(labels[LABEL]))
    except HookrunnerError as error:
        return Answer(problem=f"the image label {LABEL} is left out: {error}")


def printed_answer(code: int | None, text: bytes) -> Answer:
    """What ``container --metadata`` printed.

    A program that ends with an error knows no metadata, which is no problem.

    Args:
        code: Its exit code; None where it did not end in time.
        text: Its stdout, at least one byte more than `DOCUMENT_LIMIT` where it is longer.
    """
    if code is None:
        return Answer(problem=f"{_ASKED} did not end in time")
    if code != 0:
        return NOTHING
    try:
        return Answer(decode_document(text))
    except HookrunnerError as error:
        return Answer(problem=f"what {_ASKED} printed is left out: {error}")


def names_methods(image: Image) -> bool:
    """Tell whether the image label says what the image can do, so that nobody need ask it."""
    said = image_answer(image.labels).document
    if said is None or not is_of_image(said, image.layers):
        return False
    return any(key.endswith("_method") for key in said)


def merge(
    labels: Mapping[str, str],
    *,
    image: Image,
    asked: Answer = NOTHING,
    projects: Mapping[str, Project],
) -> Metadata:
    """Merge what all origins say about one container.

    A document that is another image's, passed on to one that was built on top of it by
    other means, tells of an ancestor and nothing else.

    Args:
        labels: The container's own, those inherited from the image included.
        asked: What ``container --metadata`` printed, where it was asked.
        projects: The operator's, by name.
    """
    keys: dict[str, Any] = {}
    origins: dict[str, str] = {}
    problems: list[str] = []

    def take(origin: str, found: Mapping[str, Any]) -> None:
        usable, mistakes = checked(found, origin)
        problems.extend(mistakes)
        for key, value in usable.items():
            if key not in keys and value is not None and value != "":
                keys[key] = value
                origins[key] = origin

    take(
        "container label",
        {k: labels[label] for label, k in _CONTAINER_LABELS.items() if label in labels},
    )
    answers = {_IMAGE_LABEL: image_answer(image.labels), _ASKED: asked}
    problems += [answer.problem for answer in answers.values() if answer.problem]
    said = {o: answer.document for o, answer in answers.items() if answer.document is not None}
    own = {o: document for o, document in said.items() if is_of_image(document, image.layers)}
    name = next((n for n in (found.get("project") for found in (keys, *own.values())) if n), "")
    if isinstance(name, str) and name in projects:
        take("configuration", _configured(projects[name]))
    for origin, document in own.items():
        take(origin, document)
    for origin, document in said.items():
        if origin not in own and "ancestors" not in keys:
            take(origin, {"ancestors": _lineage(document)})
            problems.append(
                f"the {origin} is that of its base image"
                f" {document.get('project') or document.get('image_name') or ''}: {INHERITED}"
            )
    if not said:
        take(
            "OCI label",
            {k: labels[label] for label, k in _OCI_LABELS.items() if label in labels},
        )
    return Metadata(keys=keys, origins=origins, problems=tuple(problems))


def _lineage(document: Mapping[str, Any]) -> list[Any]:
    """The ancestors of an image that stands on the one of a document, oldest first."""
    earlier = document.get("ancestors")
    return [
        *(earlier if isinstance(earlier, list) else []),
        {key: value for key, value in document.items() if key != "ancestors"},
    ]


def _configured(project: Project) -> dict[str, Any]:
    commands = {"update_method": project.update, "validate_method": project.validate}
    return {key: " ".join(argv) for key, argv in commands.items() if argv} | {
        "git_branch": project.branch,
        "validate_every": project.validate_every and format_duration(project.validate_every),
    }


def methods(
    metadata: Metadata, *, has_program: bool, asked: bool, project: Project | None
) -> frozenset[Action]:
    """The actions that a container can do.

    Args:
        has_program: `container` is on the image's PATH.
        asked: Its metadata is known, so that a method that it does not name does not exist.
            A hand-written `container` that prints no metadata is trusted to know both.
    """
    found = set()
    for action, key in _METHODS.items():
        own = project is not None and getattr(project, action.value)
        named = metadata.origins.get(key) not in {None, "configuration"}
        if own or (has_program and (named or not asked)):
            found.add(action)
    return frozenset(found)


def probes(metadata: Metadata, *, has_program: bool, asked: bool) -> frozenset[Probe]:
    """What a container may be asked at intervals, by the rules of `methods`.

    A hand-written `container` that prints no metadata is asked, and says itself if it has no
    answer.
    """
    if not has_program:
        return frozenset()
    return frozenset(p for p in Probe if not asked or f"{p}_method" in metadata.keys)


def checkouts(metadata: Metadata) -> tuple[Checkout, ...]:
    """The data directories that are git checkouts, as far as the metadata names them."""
    several = metadata.keys.get("checkouts")
    if several is not None:
        return tuple(msgspec.convert(several, list[Checkout]))
    one = metadata.text("checkout")
    return (Checkout(path=one),) if one else ()


def patterns(metadata: Metadata, key: str) -> tuple[str, ...]:
    """The path patterns of a key such as ``paths``: a list, or one text."""
    value = metadata.keys.get(key)
    return (value,) if isinstance(value, str) else tuple(value or ())


def checkout_volumes(container: Container) -> set[str]:
    """The volumes that hold a container's checkouts, by name or host path."""
    if container.metadata is None:
        return set()
    found = set()
    for checkout in checkouts(container.metadata):
        holding = [
            place
            for place in container.mounts
            if checkout.path == place or checkout.path.startswith(place.rstrip("/") + "/")
        ]
        if holding:
            found.add(container.mounts[max(holding, key=len)])
    return found
