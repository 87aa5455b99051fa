"""Slack: slash commands, signed, with a URL for later answers.

Source:
    https://docs.slack.dev/interactivity/implementing-slash-commands
    https://docs.slack.dev/authentication/verifying-requests-from-slack
    https://docs.slack.dev/messaging/formatting-message-text
"""

from collections.abc import Sequence

from hookrunner.chat.form import asked, fields
from hookrunner.chat.message import Markup, fenced
from hookrunner.chat.platform import JSON, WINDOW, Platform, below, proving
from hookrunner.errors import DeliveryError
from hookrunner.forges import Request
from hookrunner.forges.signature import check_time, verify_hmac_sha256

_TIME, _SIGNATURE = "X-Slack-Request-Timestamp", "X-Slack-Signature"
_KEY = "chat.slack.secret_file has to hold the Signing Secret of the app"


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    with proving(_KEY):
        at = request.proof(_TIME)
        message = b"v0:" + at + b":" + request.body
        claimed = request.proof(_SIGNATURE)
        found = verify_hmac_sha256(message, claimed=claimed, secrets=secrets, prefix=b"v0=")
    check_time(at, now=request.received_at, window=WINDOW, unit=1.0)
    return found


def _is_test(request: Request) -> bool:
    """Whether it only looks whether the certificate is good, which it does now and then."""
    try:
        form = fields(request)
    except DeliveryError:
        return False
    return form.get("ssl_check") == "1" and "command" not in form


def _escaped(text: str) -> str:
    """Escape the three characters that begin everything that Slack makes more of."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def message(text: str, is_public: bool) -> JSON:
    """An answer, at once or later; Mattermost takes it too."""
    kind = "in_channel" if is_public else "ephemeral"
    return {"response_type": kind, "text": text, "replace_original": False}


def target(url: str, base: str) -> tuple[str, str] | None:
    """Where a later answer goes: what the request names, if it lies below the base."""
    return ("POST", url) if below(url, base) else None


SLACK = Platform(
    name="slack",
    title="Slack",
    key=_KEY,
    markup=Markup(
        prose=lambda text: _escaped(text.replace("`", "'")),
        block=lambda text: fenced(_escaped(text)),
        limit=4000,  # longer ones are cut in pieces, or are no longer shown whole
    ),
    verify=_verify,
    decode=asked,
    is_test=_is_test,
    said=message,
    late=message,
    target=target,
    patience=2.0,  # of 3
    lasts=1740.0,  # of 30 min
)
