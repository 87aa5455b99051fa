"""Proof by a key whose other half everybody may know."""

from hookrunner.errors import SignatureError

NEEDS = ("cryptography", "crypto")
"""The package, and the extra that brings it."""


def verify_ed25519(message: bytes, *, signatures: list[bytes], public_key: bytes) -> None:
    """Check an ed25519 signature.

    Args:
        message: What was signed.
        signatures: Those that the request has, of which one has to fit.
        public_key: 32 bytes.

    Raises:
        SignatureError: None does, or it cannot be checked here.

    Source:
        RFC 8032
    """
    # Installed only where it is asked for: `NEEDS` says so.
    try:
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import (  # noqa: PLC0415
            Ed25519PublicKey,
        )
    except ImportError as error:
        raise SignatureError(
            "an ed25519 signature cannot be checked: the package cryptography is missing",
            hint="pip install 'hookrunner[crypto]', or systemd/install --upgrade --with crypto",
        ) from error
    for signature in signatures:
        try:
            Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            continue
        return
    raise SignatureError("the signature is not of that key, or not of this body")
