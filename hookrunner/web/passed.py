"""The listening sockets that systemd made, told apart by their addresses."""

import socket
from collections.abc import Sequence

from hookrunner.config import Listen, TcpAddress, UnixAddress
from hookrunner.errors import ConfigError


def share_out(
    listens: Sequence[Listen], passed: Sequence[socket.socket]
) -> list[list[socket.socket]]:
    """Give each configured address the sockets that systemd made for it.

    An address may get none, and is then listened on by the program itself; one that is a
    name may get several.

    Returns:
        The sockets of each address, in the order of `listens`.

    Raises:
        ConfigError: A socket is of no address, so that whoever connects to it would wait for
            an answer for ever.
    """
    shares: list[list[socket.socket]] = [[] for _ in listens]
    for one in passed:
        fitting = (n for n, listen in enumerate(listens) if _fits(listen.address, one))
        number = next(fitting, None)
        if number is None:
            raise ConfigError(
                f"systemd listens on {_written(one)}, and `listen` has no such address",
                hint="let both say the same: `listen` in the configuration, and ListenStream="
                " in the socket's unit (systemctl edit hookrunner.socket), then"
                " systemctl restart hookrunner.socket hookrunner",
            )
        shares[number].append(one)
    return shares


def _fits(address: TcpAddress | UnixAddress, one: socket.socket) -> bool:
    name = one.getsockname()
    if isinstance(address, UnixAddress):
        return one.family == socket.AF_UNIX and bool(name == address.path)
    if one.family not in {socket.AF_INET, socket.AF_INET6} or name[1] != address.port:
        return False
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except OSError:
        return False
    return any(family == one.family and place[0] == name[0] for family, _, _, _, place in found)


def _written(one: socket.socket) -> str:
    name = one.getsockname()
    if not isinstance(name, tuple):
        return f"unix:{name}"
    return str(TcpAddress(str(name[0]), int(name[1])))
