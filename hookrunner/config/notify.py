"""Who is told when something fails, and in which words."""

from enum import StrEnum
from string import Template
from typing import Annotated

import msgspec

from hookrunner.config.marks import Form, Items
from hookrunner.config.secrets import SecretReference
from hookrunner.config.values import parse_nonempty, parse_public_url

FIELDS = ("what", "project", "container", "host", "action", "reason", "run", "url")
"""What a template may name, each as ``$what``."""


class Event(StrEnum):
    """What somebody may want to be told of."""

    failure = "failure"
    invalid = "invalid"
    behind = "behind"
    stuck = "stuck"
    engine_away = "engine-away"
    warning = "warning"
    critical = "critical"
    unknown = "unknown"
    recovery = "recovery"


def parse_template(text: str) -> str:
    """Check a text with ``$fields`` in it.

    Raises:
        ValueError: It names one that there is not, or is empty.
    """
    template = Template(text)
    known = ", ".join(f"${name}" for name in FIELDS)
    if not text.strip() or not template.is_valid():
        raise ValueError(f"must be text, with {known} in it, and $$ for a $")
    if set(template.get_identifiers()) - set(FIELDS):
        raise ValueError(f"must name no other fields than {known}")
    return text


class Notify(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is told.

    Attributes:
        secrets: What signs the webhook or, where there is no `url`, URLs for Apprise, one
            a line: they have passwords in them. Without any key it is the systemd
            credential notify.NAME.
        url: Of a webhook, signed as Standard Webhooks are.
        events: Of what; of a recovery only where the failure is among it.
        projects: Patterns of the projects; engines are everybody's who has ``*``.
        title: A template; None is the one of `hookrunner.core.notices`.
        text: As `title`.
    """

    secrets: Annotated[tuple[SecretReference, ...], Items(1)]
    url: Annotated[str, Form(parse_public_url)] | None = None
    events: Annotated[frozenset[Event], Items(1)] = frozenset(Event)
    projects: Annotated[tuple[Annotated[str, Form(parse_nonempty)], ...], Items(1)] = ("*",)
    title: Annotated[str, Form(parse_template)] | None = None
    text: Annotated[str, Form(parse_template)] | None = None
