"""Mattermost: slash commands, with a token that is sent as it is.

Nothing is signed, and nothing says when it was sent: whoever has the token may say anything.

Source:
    https://developers.mattermost.com/integrate/slash-commands/custom/
"""

from collections.abc import Sequence

from hookrunner.chat.form import asked, fields
from hookrunner.chat.markdown import escape_markdown
from hookrunner.chat.message import Markup, fenced
from hookrunner.chat.platform import Platform, proving
from hookrunner.chat.slack import message, target
from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges import Request
from hookrunner.forges.signature import verify_token

_KEY = "chat.mattermost.secret_file has to hold the token of the slash command"
_SCHEME = b"token "


def _verify(request: Request, secrets: Sequence[bytes]) -> int:
    """Check the token: of the header, and of the form only where there is no header."""
    with proving(_KEY):
        if request.has("Authorization"):
            claimed = request.proof("Authorization")
            if not claimed.lower().startswith(_SCHEME):
                raise SignatureError("the header Authorization is not `Token` and the token")
            return verify_token(claimed[len(_SCHEME) :].strip(), secrets=secrets)
        return verify_token(_token(request), secrets=secrets)


def _token(request: Request) -> bytes:
    """The token of the form; of what is no form it is empty, which proves nothing."""
    try:
        return fields(request).get("token", "").encode("utf-8", "replace")
    except DeliveryError:
        return b""


MATTERMOST = Platform(
    name="mattermost",
    title="Mattermost",
    key=_KEY,
    markup=Markup(prose=escape_markdown, block=fenced, limit=16383),
    verify=_verify,
    decode=asked,
    said=message,
    late=message,
    target=target,
    patience=2.0,  # of 3
    lasts=1740.0,  # of 30 min
)
