"""Who is at the other end of a Unix socket, by the kernel's word."""

import asyncio
import socket
import struct
from typing import NamedTuple

_CREDENTIALS = struct.Struct("3i")


class Peer(NamedTuple):
    """The process that connected, and the user that it ran as then."""

    pid: int
    uid: int


def peer_of(transport: asyncio.BaseTransport | None) -> Peer | None:
    """Tell who is at the other end; None where it is no Unix socket, or gone.

    Source:
        unix(7), SO_PEERCRED, https://man7.org/linux/man-pages/man7/unix.7.html
    """
    connection = transport.get_extra_info("socket") if transport is not None else None
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(told)
    return Peer(pid, uid)
