"""Senders, written from their documentation and source code, apart from what reads them.

The hosted ones cannot be had here, so these headers and ``deliveries/*/*.json`` are fakes of
what they send; each file says which page it was written from.
"""

import base64
import hashlib
import hmac
import itertools
import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote, quote_plus

from nacl.signing import SigningKey
from standardwebhooks import Webhook

from hookrunner.forges import Request

DELIVERIES = Path(__file__).parent / "forges" / "deliveries"
SECRET = b"sixteen bytes or more"
INSTANCE = SigningKey(bytes(range(32)))
"""What an instance of SourceHut signs with; PyNaCl is other code than what checks it."""

NOW = 1_700_000_000
"""Unix time at which everything here is sent."""
ID = "44840d80-36a8-11e7-89d0-954e94e187c2"
NONCE = "0123456789abcdef"


def _hex(secret, message):
    return hmac.new(secret, message, hashlib.sha256).hexdigest() if secret else ""


def _base64(secret, message):
    return base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()


def _gogs(event, signature):
    return {
        "X-Gogs-Delivery": ID,
        "X-Gogs-Event": event,
        "X-Gogs-Signature": signature,
        "X-Github-Delivery": ID,
        "X-Github-Event": event,
    }


def _gitea(event, signature):
    return _gogs(event, signature) | {
        "X-Gitea-Delivery": ID,
        "X-Gitea-Event": event,
        "X-Gitea-Event-Type": event,
        "X-Gitea-Signature": signature,
        "X-Gogs-Event-Type": event,
        "X-Hub-Signature": "sha1=0",
        "X-Hub-Signature-256": f"sha256={signature}",
    }


def _github(event, secret, _text, body):
    proof = {"X-Hub-Signature-256": f"sha256={_hex(secret, body)}"} if secret else {}
    return {"X-GitHub-Event": event, "X-GitHub-Delivery": ID} | proof


def _gitlab(event, secret, _text, _body):
    proof = {"X-Gitlab-Token": secret.decode()} if secret else {}
    return {"X-Gitlab-Event": event, "webhook-id": ID, "Idempotency-Key": ID} | proof


def _forgejo(event, secret, text, _body):
    signature = _hex(secret, text)
    return _gitea(event, signature) | {
        "X-Forgejo-Delivery": ID,
        "X-Forgejo-Event": event,
        "X-Forgejo-Signature": signature,
    }


def _bitbucket(own):
    def headers(event, secret, _text, body):
        proof = {"X-Hub-Signature": f"sha256={_hex(secret, body)}"} if secret else {}
        return {"X-Event-Key": event} | own | proof

    return headers


def _azure(_event, secret, _text, _body):
    if not secret:
        return {}
    return {"Authorization": f"Basic {base64.b64encode(b'hookrunner:' + secret).decode()}"}


def _gitee(event, secret, _text, _body):
    return {
        "X-Gitee-Event": event,
        "X-Gitee-Token": (secret or b"").decode(),
        "X-Gitee-Timestamp": f"{NOW}000",
    }


def _standard(_event, secret, _text, body):
    message = f"{ID}.{NOW}.".encode() + body
    proof = {"webhook-signature": f"v1,{_base64(secret, message)}"} if secret else {}
    return {"webhook-id": ID, "webhook-timestamp": str(NOW)} | proof


def _sourcehut(event, _secret, _text, body):
    nonce = hashlib.sha256(body).hexdigest()[:16]
    signature = INSTANCE.sign(body + nonce.encode()).signature
    return {
        "X-Webhook-Event": event,
        "X-Webhook-Delivery": ID,
        "X-Payload-Nonce": nonce,
        "X-Payload-Signature": base64.b64encode(signature).decode(),
    }


HEADERS = {
    "github": _github,
    "gitlab": _gitlab,
    "gogs": lambda event, secret, text, _: _gogs(event, _hex(secret, text)),
    "gitea": lambda event, secret, text, _: _gitea(event, _hex(secret, text)),
    "forgejo": _forgejo,
    "bitbucket-cloud": _bitbucket(
        {"X-Hook-UUID": ID, "X-Request-UUID": ID, "X-Attempt-Number": "1"}
    ),
    "bitbucket-dc": _bitbucket({"X-Request-Id": ID}),
    "azure-devops": _azure,
    "gerrit": lambda *_: {},
    "gitee": _gitee,
    "sourcehut": _sourcehut,
    "standard-webhooks": _standard,
    "generic": lambda _e, secret, _t, body: {
        "X-Hub-Signature-256": f"sha256={_hex(secret, body)}"
    },
}
"""Of each forge the headers of an event, for a secret, the JSON text and the body."""

IN_PATH = {"gerrit", "sourcehut"}
"""Whose secret is in the path."""

EVENTS = {
    "gitlab": "Push Hook",
    "gitee": "Push Hook",
    "sourcehut": "GIT_POST_RECEIVE",
    "bitbucket-cloud": "repo:push",
    "bitbucket-dc": "repo:refs_changed",
}
"""What a push is called where it is not called push."""


def send(forge, payload, *, event="push", secret=SECRET, form=False, change=None):
    """One request as the forge sends it.

    `payload` is bytes or what becomes JSON; `change` replaces headers, None takes one away.
    """
    if event == "push":
        event = EVENTS.get(forge, event)
    text = payload if isinstance(payload, bytes) else json.dumps(payload, indent=2).encode()
    body = b"payload=" + quote_plus(text).encode() if form else text
    kind = "application/x-www-form-urlencoded" if form else "application/json"
    headers = {"Content-Type": kind} | HEADERS[forge](event, secret, text, body)
    headers |= change or {}
    return Request(
        headers=tuple((k, v) for k, v in headers.items() if v is not None),
        body=body,
        path_secret=secret.decode() if forge in IN_PATH and secret else None,
        received_at=NOW,
    )


def as_sent(forge, payload, event, *, secret, form=False):
    """A request for a server: of now, and with an id of its own.

    Returns:
        Body, headers, and the end of the path that has the secret, or nothing.
    """
    number = str(uuid.uuid4())
    if isinstance(payload, dict):
        payload = payload | {key: number for key in ("id", "delivery") if key in payload}
    request = send(forge, payload, event=event, secret=secret, form=form)
    headers = {k: number if v in {ID, NONCE} else v for k, v in request.headers}
    if forge == "standard-webhooks":
        headers |= standard_headers(request.body, secret, number)
    end = f"/{quote(request.path_secret, safe='')}" if request.path_secret else ""
    return request.body, headers, end


def standard_headers(body, secret, number, *, seconds=0):
    """What the standard's own library signs, so many seconds from now."""
    at = datetime.fromtimestamp(int(datetime.now(UTC).timestamp()) + seconds, UTC)
    webhook = Webhook(base64.b64encode(secret).decode())
    return {
        "webhook-id": number,
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": webhook.sign(number, at, body.decode()),
    }


def push_body(repository, before, after):
    """What a forge says of a push."""
    return {
        "ref": "refs/heads/main",
        "before": before,
        "after": after,
        "repository": {
            "full_name": repository,
            "clone_url": f"https://git.example.net/{repository}.git",
            "default_branch": "main",
        },
        "pusher": {"name": "ada"},
        "commits": [{"id": after, "added": [], "modified": ["file"], "removed": []}],
    }


def invented_pushes(repository="ops/invented"):
    """Pushes of commits that nobody has, one after the other for ever."""
    for number in itertools.count(1):
        yield push_body(repository, f"{number:040x}", f"{number + 1:040x}")
