"""Apprise: one line of text to any of a hundred services. The only importer of it."""

import asyncio
import logging
from typing import Any

from hookrunner.errors import ConfigError, OutgoingError

_HINT = "pip install 'hookrunner[notify]', or systemd/install --upgrade --with notify"


def check(urls: bytes, where: str) -> None:
    """Make sure that Apprise is there, and knows what the URLs are of.

    Args:
        urls: One a line; each has a password in it, so none is ever shown.
        where: The place in the configuration.

    Raises:
        ConfigError: It is not, or does not.
    """
    _made(urls, where)


def _made(urls: bytes, where: str) -> Any:
    try:
        import apprise  # noqa: PLC0415 - an extra, and slow to load
    except ImportError as error:
        raise ConfigError(
            f"`{where}` needs the package apprise, which is not installed", hint=_HINT
        ) from error
    logging.getLogger("apprise").setLevel(logging.CRITICAL + 1)  # its messages have the URLs
    all_of_them = apprise.Apprise()
    for number, line in enumerate(urls.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not all_of_them.add(line.strip()):
            raise ConfigError(
                f"`{where}`: line {number} of the secret is no URL that Apprise knows",
                hint="https://appriseit.com/services/ has their forms",
            )
    return all_of_them


async def send(urls: bytes, where: str, *, title: str, text: str) -> None:
    """Send a message to all of the URLs, in a thread.

    Raises:
        OutgoingError: One of them did not take it; which, Apprise does not tell.
    """

    def work() -> bool:
        return bool(_made(urls, where).notify(title=title, body=text))

    if not await asyncio.to_thread(work):
        raise OutgoingError("Apprise could not deliver it", hint="hookrunner notify test")
