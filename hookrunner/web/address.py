"""Where a request comes from, also behind proxies that are trusted."""

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal

from aiohttp import web

from hookrunner.config import Network
from hookrunner.config.values import UNIX

_IPV6_PREFIX = 64
"""Bits of an IPv6 address that one customer gets at least, so that all of it counts as one.

Source: RFC 6177 section 2
"""


_REMEMBERED = 256
"""How many peers' addresses are remembered once they were read: a forge has few."""


def client_address(request: web.Request, trusted: Sequence[Network | Literal["unix"]]) -> str:
    """The address of whoever sent a request.

    Each proxy adds to ``X-Forwarded-For`` whom it got the request from, at the end. So it is
    read from the end, for as long as the one before is trusted: what stands further in front
    anybody can have written.

    Args:
        trusted: The configuration's `trusted_proxies`.

    Returns:
        An address, or ``unix`` for the other end of a Unix socket.
    """
    address = peer_address(request.transport)
    told = [
        one for line in request.headers.getall("X-Forwarded-For", ()) for one in line.split(",")
    ]
    while told and _is_trusted(address, trusted):
        one = _parse(told.pop())
        if one is None:
            break
        address = one
    return address


def peer_address(transport: object) -> str:
    """The address at the other end of a connection, or ``unix``."""
    ask = getattr(transport, "get_extra_info", None)
    peer = ask("peername") if ask is not None else None
    if isinstance(peer, tuple):
        return _peer(str(peer[0])) or UNIX
    return UNIX


@lru_cache(_REMEMBERED)
def _peer(text: str) -> str | None:
    return _parse(text)


def owner_of(address: str) -> str:
    """By what an address counts as one sender: all of an IPv6 customer's are one."""
    if ":" not in address:
        return address
    return str(ipaddress.ip_network(f"{address}/{_IPV6_PREFIX}", strict=False))


def _parse(text: str) -> str | None:
    """An address as Python writes it; an IPv4 one within IPv6 is IPv4, a zone is dropped."""
    text = text.strip().partition("%")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    inner = getattr(found, "ipv4_mapped", None)
    return str(inner or found)


def _is_trusted(address: str, trusted: Sequence[Network | Literal["unix"]]) -> bool:
    if address == UNIX:
        return UNIX in trusted
    parsed = ipaddress.ip_address(address)
    return any(not isinstance(one, str) and parsed in one for one in trusted)


def is_from_proxy(request: web.Request, trusted: Sequence[Network | Literal["unix"]]) -> bool:
    """Whether the other end of the connection is a trusted proxy."""
    return _is_trusted(peer_address(request.transport), trusted)
