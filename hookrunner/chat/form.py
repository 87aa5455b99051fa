"""Slash commands that come as a form: Slack invented it, Mattermost took it over."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from hookrunner.chat.commands import VERBS
from hookrunner.chat.platform import Asked, identity, readable, worded
from hookrunner.errors import DeliveryError, MediaTypeError
from hookrunner.forges import Request

_FORM = "application/x-www-form-urlencoded"
_FIELDS = 50
"""Fields at most, a guess: Slack sends 15."""


def fields(request: Request) -> Mapping[str, str]:
    """The fields of a form.

    Raises:
        MediaTypeError: It is none.
        DeliveryError: It is broken, or one field is there twice, so that two readers could
            read two things.
    """
    if (request.header("Content-Type") or "").partition(";")[0].strip().lower() != _FORM:
        raise MediaTypeError("the body is not a form", hint=f"set Content-Type: {_FORM}")
    try:
        pairs = parse_qsl(
            request.body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(request.body),
            errors="strict",
            max_num_fields=_FIELDS,
        )
    except ValueError as error:  # UnicodeDecodeError is one
        raise DeliveryError("the form is not understood") from error
    if len(pairs) != len(dict(pairs)):
        raise DeliveryError("a field of the form is there twice")
    return dict(pairs)


def asked(request: Request) -> Asked:
    """Read a slash command.

    Raises:
        DeliveryError: It is none.
    """
    form = fields(request)
    if "text" not in form:
        raise DeliveryError("the form is no slash command: it has no text")
    return Asked(
        text=worded(form.get("command", ""), form["text"], VERBS),
        user=identity(form.get("user_id"), "user_id"),
        channel=identity(form.get("channel_id"), "channel_id"),
        name=readable(form.get("user_name")),
        place=readable(form.get("channel_name")),
        later=form.get("response_url") or None,
    )
