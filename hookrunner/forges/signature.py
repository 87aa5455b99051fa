"""Proof that a request came from whoever holds the secret.

Bytes in, an index out: no clock, no file, no socket. Every secret is tried, and the
comparisons take the same time wherever the values differ, so that the time taken tells a
sender neither which secret is in use nor how much of a forged proof was right.
What cannot be verified is refused: no secrets, or an empty one, fit nothing.
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

from hookrunner.errors import SignatureError

STANDARD_WINDOW = 300.0
"""Seconds that a Standard Webhooks timestamp may differ from our clock, before and after:
what all of the standard's own libraries use."""

_SHORTEST_KEY = 16
"""Bytes of the shortest key in base64: as of any other secret."""

_TIMESTAMP = re.compile(rb"[0-9]{1,15}")


def verify_hmac_sha256(
    message: bytes, *, claimed: bytes, secrets: Sequence[bytes], prefix: bytes = b""
) -> int:
    """Check a hexadecimal HMAC-SHA256.

    Args:
        message: The bytes that the forge signed, before any decoding that it did not do
            itself: a body that was decoded and encoded again has another digest.
        claimed: The header's value: `prefix` and 64 hexadecimal digits of any case.
        secrets: The secrets to accept, newest first; two while one is rotated out.
        prefix: What stands before the digits, such as ``sha256=``.

    Returns:
        The index in `secrets` of the first one that fits. Anything but 0 means that the
        forge still signs with an old secret.

    Raises:
        SignatureError: No secret fits, or `claimed` is of another form.

    Source:
        https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries
    """
    digits = claimed.removeprefix(prefix).lower()
    digests = (hmac.digest(secret, message, "sha256").hex().encode() for secret in secrets)
    found = first_fit(digits, digests, secrets)
    if found is None or not claimed.startswith(prefix):
        raise SignatureError("the signature does not match the body and the secret")
    return found


def verify_token(claimed: bytes, *, secrets: Sequence[bytes]) -> int:
    """Check a secret that was sent as it is.

    Digests are compared, so that the time taken does not tell the secret's length either.

    Args:
        claimed: What the request has for a secret.
        secrets: The secrets to accept, newest first; two while one is rotated out.

    Returns:
        The index in `secrets` of the first one that fits.

    Raises:
        SignatureError: No secret fits.
    """
    digests = (hashlib.sha256(secret).digest() for secret in secrets)
    found = first_fit(hashlib.sha256(claimed).digest(), digests, secrets)
    if found is None:
        raise SignatureError("the token is not the secret")
    return found


def verify_standard(
    body: bytes,
    *,
    identity: bytes,
    timestamp: bytes,
    claimed: bytes,
    secrets: Sequence[bytes],
    now: float,
) -> int:
    """Check a Standard Webhooks signature, and that it was made just now.

    A secret is base64, with ``whsec_`` in front or not; one without it is tried as it is
    too, since there are senders that take any text.

    Args:
        body: The body as received.
        identity: The header ``webhook-id``.
        timestamp: The header ``webhook-timestamp``, Unix time in seconds.
        claimed: The header ``webhook-signature``: ``v1,`` and base64, or several of it
            with spaces between, one for each secret that the sender has. Those of other
            versions are left alone.
        secrets: The secrets to accept, newest first; two while one is rotated out.
        now: Unix time in seconds.

    Returns:
        The index in `secrets` of the first one that fits.

    Raises:
        SignatureError: No secret fits, or the request is too old or from the future.

    Source:
        https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """
    message = b".".join((identity, timestamp, body))
    found = None
    signatures = [part[3:] for part in claimed.split(b" ") if part.startswith(b"v1,")]
    for index, secret in enumerate(secrets):
        for key in _standard_keys(secret):
            expected = b64encode(hmac.digest(key, message, "sha256"))
            for signature in signatures:
                if hmac.compare_digest(signature, expected) and found is None:
                    found = index
    if found is None:
        raise SignatureError(
            "webhook-signature does not match the body and the secret",
            hint="the source's secret has to be the sender's signing secret, whsec_ included",
        )
    check_time(timestamp, now=now, window=STANDARD_WINDOW, unit=1.0)
    return found


def sign_standard(body: bytes, *, identity: str, at: int, secret: bytes) -> dict[str, str]:
    """Sign a request as Standard Webhooks are; give the headers.

    Args:
        identity: Stays the same however often it is sent.
        at: Unix time in seconds.
        secret: As `verify_standard` takes it.

    Raises:
        SignatureError: It is ``whsec_`` and no base64 behind that.
    """
    keys = _standard_keys(secret)
    if not keys:
        raise SignatureError("the secret is `whsec_` and no base64 of 16 bytes or more")
    message = b".".join((identity.encode(), str(at).encode(), body))
    signature = b64encode(hmac.digest(keys[0], message, "sha256")).decode()
    return {
        "webhook-id": identity,
        "webhook-timestamp": str(at),
        "webhook-signature": f"v1,{signature}",
    }


def check_time(timestamp: bytes, *, now: float, window: float, unit: float) -> None:
    """Make sure that a request that is proved was not kept and sent again later.

    Args:
        timestamp: When the sender sent it: digits, Unix time.
        now: Unix time in seconds.
        window: Seconds that it may differ, before and after.
        unit: Seconds that `timestamp` counts in.

    Raises:
        SignatureError: It differs more, or is no number.
    """
    if not _TIMESTAMP.fullmatch(timestamp):
        raise SignatureError("the timestamp is not a number")
    if abs(now - int(timestamp) * unit) > window:
        raise SignatureError(
            f"the timestamp differs by more than {window / 60:g} min from this clock",
            hint="an old request sent again, or one of the two clocks is wrong",
        )


def basic_password(claimed: bytes) -> bytes:
    """The password of a Basic ``Authorization``, whoever the user is said to be.

    Args:
        claimed: The header's value.

    Raises:
        SignatureError: It is of another form.

    Source:
        RFC 7617
    """
    scheme, _, encoded = claimed.partition(b" ")
    try:
        decoded = b64decode(encoded.strip(b" "), validate=True)
    except ValueError:
        decoded = b""
    _, colon, password = decoded.partition(b":")
    if scheme.lower() != b"basic" or not colon:
        raise SignatureError("the header Authorization is not Basic, user and password")
    return password


def _standard_keys(secret: bytes) -> list[bytes]:
    encoded = secret.removeprefix(b"whsec_")
    keys = [secret] if secret and encoded == secret else []
    try:
        decoded = b64decode(encoded, validate=True)
    except ValueError:
        return keys
    return [decoded, *keys] if len(decoded) >= _SHORTEST_KEY else keys


def first_fit(
    claimed: bytes, expected: Iterable[bytes], secrets: Sequence[bytes]
) -> int | None:
    """The index of the first of `secrets` whose expected value is `claimed`, or None.

    Args:
        expected: What each secret would have made.
    """
    found = None
    for index, (value, secret) in enumerate(zip(expected, secrets, strict=True)):
        if hmac.compare_digest(claimed, value) and secret and found is None:
            found = index
    return found
