"""What every forge's module offers."""

from collections.abc import Callable, Sequence

import msgspec

from hookrunner.errors import SignatureError
from hookrunner.forges.request import Request
from hookrunner.model import Decoded


def _no_test(_request: Request) -> str | None:
    return None


class Forge(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of git server: how to tell, prove and read what it sends.

    Attributes:
        name: A key of `hookrunner.forges.FORGES`; the word for ``forge:`` in a source.
        recognises: Whether the headers look like this forge's. It believes nothing:
            whoever sends a request chooses its headers. Raises nothing.
        verify: Returns the index of the secret that the request proves to know. Raises
            `SignatureError`, or another `DeliveryError` where the body's kind decides
            what was signed. `prove` must have passed before `decode` is called.
        verify_key: A further proof, by a key of the server's own that everybody may know:
            the source's ``public_key``, or None for the one that the forge is known by.
            Raises `SignatureError`.
        key_is_enough: A source of this forge may have a ``public_key`` and no secret, or
            both, of which one has to fit.
        needs: What has to be installed to check such a key: the package, and the extra that
            brings it.
        decode: Reads the pushes out of a proven request. Raises nothing but
            `DeliveryError`. Event headers are not signed, so what the body looks like
            has to agree with them.
        push_event: The header that names the event, and what it says of a push; None
            where the body alone tells.
        weakness: What the proof leaves open, for people; None where it is a signature
            of the body with the secret.
        unsigned_test: Why a request that proves nothing is answered with 200 all the
            same: the forge's own test of the connection, which it does not sign. Such a
            request is neither decoded nor recorded. None for any other.
    """

    name: str
    recognises: Callable[[Request], bool]
    verify: Callable[[Request, Sequence[bytes]], int]
    decode: Callable[[Request], Decoded]
    verify_key: Callable[[Request, bytes | None], None] | None = None
    key_is_enough: bool = False
    needs: tuple[str, str] | None = None
    push_event: tuple[str, str] | None = None
    weakness: str | None = None
    unsigned_test: Callable[[Request], str | None] = _no_test

    def prove(
        self, request: Request, secrets: Sequence[bytes], public_key: bytes | None
    ) -> int:
        """Check all that proves where a request is from.

        Returns:
            The index in `secrets` of the one that fits; 0 where the key is enough.

        Raises:
            SignatureError: Nothing does, or not all.
            DeliveryError: What was signed cannot be told.
        """
        if self.verify_key is None or (self.key_is_enough and public_key is None):
            return self.verify(request, secrets)
        if not self.key_is_enough:
            found = self.verify(request, secrets)
            self.verify_key(request, public_key)
            return found
        try:
            self.verify_key(request, public_key)
        except SignatureError:
            if not secrets:
                raise
            return self.verify(request, secrets)
        return 0
