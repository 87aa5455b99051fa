"""The server's own certificate and key, which are renewed while they are in use."""

import asyncio
import ssl
from pathlib import Path

import structlog

from hookrunner.config import Tls
from hookrunner.errors import ConfigError

log = structlog.get_logger()

_LOOK = 60.0
"""Seconds between looks at whether the files changed: renewed days before the end, it is not
urgent."""
_Seen = tuple[tuple[int, int, int], ...]


class Certificate:
    """A certificate with its key, as it is on the disk, or the last that was good.

    Args:
        tls: Where they are.

    Attributes:
        context: For listening sockets; stays the same whatever is renewed.
        error: Why what is on the disk now is not in use, or None.

    Raises:
        ConfigError: They cannot be read, or do not belong together.
    """

    def __init__(self, tls: Tls) -> None:
        self._tls = tls
        self._seen = _look(tls)
        self._current = _load(tls)
        self.context = _load(tls)
        self.context.sni_callback = self._choose
        self.error: str | None = None

    def renew(self, tls: Tls | None = None) -> bool:
        """Take what is on the disk, if it changed and is good; tell whether it is in use now.

        Args:
            tls: Where it is from now on.
        """
        tls = tls or self._tls
        seen = _look(tls)
        if seen == self._seen and tls == self._tls:
            return False
        self._tls, self._seen = tls, seen
        try:
            self._current = _load(tls)
        except ConfigError as error:
            self.error = str(error)
            return False
        self.error = None
        return True

    async def keep_renewed(self) -> None:
        """Take up what is renewed, for ever; what is not good is in health."""
        while True:
            await asyncio.sleep(_LOOK)
            before = self.error
            if await asyncio.to_thread(self.renew):
                log.info("certificate renewed")
            elif self.error is not None and self.error != before:
                log.error("the certificate stays as it was", error=self.error)

    def _choose(
        self, connection: ssl.SSLObject | ssl.SSLSocket, _name: str | None, _: ssl.SSLContext
    ) -> None:
        """Use the current pair for a connection; OpenSSL asks for those without a name too."""
        connection.context = self._current


def _load(tls: Tls) -> ssl.SSLContext:
    """Make a context: TLS 1.2 with forward secrecy, or 1.3, as OpenSSL's own choice is."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise ConfigError(
            f"`tls`: {tls.certificate} and {tls.key} cannot be used: {reason}",
            hint="both are PEM files that hookrunner's user may read; the certificate comes"
            " with its chain, and the key without a password",
        ) from error
    return context


def _no_password() -> str:
    raise ValueError("the key has a password")


def _look(tls: Tls) -> _Seen:
    """What changes when somebody writes the files: a missing one is a change too."""
    found = []
    for name in (tls.certificate, tls.key):
        try:
            status = Path(name).stat()
        except OSError:
            found.append((0, 0, 0))
        else:
            found.append((status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(found)
