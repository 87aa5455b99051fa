"""Requests to others: forges, and whoever is told of things. Redirects are never followed.

A URL's beginning is always the operator's; what a redirect names would be somebody else's.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Self
from urllib.parse import urlsplit

import aiohttp

from hookrunner import __version__
from hookrunner.errors import OutgoingError
from hookrunner.model import Answer, Outgoing

_TIMEOUT = 15.0
"""Seconds that an exchange may take: GitHub gives up on its own after 10."""
_READ = 4096
"""Bytes of an answer that are looked at: the reason of a refusal is at its beginning."""


class Sender:
    """Sends requests.

    Args:
        session: Closed by who opened it.
    """

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    @classmethod
    @asynccontextmanager
    async def open(cls) -> AsyncIterator[Self]:
        """Open what sends, and close it at the end."""
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"hookrunner/{__version__}"},
        ) as session:
            yield cls(session)

    async def send(self, request: Outgoing) -> Answer:
        """Send a request, and read the beginning of its answer.

        Raises:
            OutgoingError: There is none.
        """
        host = urlsplit(request.url).hostname
        try:
            async with self._session.request(
                request.method,
                request.url,
                data=request.body,
                headers={**request.headers, **request.secret},
                allow_redirects=False,
            ) as response:
                body = await response.content.read(_READ)
                return Answer(
                    status=response.status,
                    text=body.decode("utf-8", "replace"),
                    retry_after=_seconds(response.headers.get("Retry-After", "")),
                    location=response.headers.get("Location"),
                )
        except (TimeoutError, aiohttp.ClientError, OSError, ValueError) as error:
            why = str(error) or type(error).__name__
            raise OutgoingError(f"{host} does not answer: {why}") from error


def _seconds(text: str) -> float | None:
    return (
        float(text) if text.isascii() and text.isdigit() and len(text) < len("100000") else None
    )
