"""Tell systemd how the program is doing.

Source: sd_notify(3), https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html
"""

import contextlib
import os
import socket


def notify(*lines: str) -> None:
    """Send lines such as ``READY=1``; nothing happens where systemd did not start us."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender,
    ):
        sender.sendto("\n".join(lines).encode(), address)


def watchdog_interval() -> float | None:
    """Seconds within which systemd wants a ``WATCHDOG=1``; None where it wants none.

    Source: sd_watchdog_enabled(3),
    https://www.freedesktop.org/software/systemd/man/latest/sd_watchdog_enabled.html
    """
    told = os.environ.get("WATCHDOG_USEC", "")
    is_for_us = os.environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
    return int(told) / 1e6 if is_for_us and told.isdecimal() and int(told) else None


_FIRST = 3


def passed_sockets() -> list[socket.socket]:
    """Take the listening sockets that systemd made for us; none where it did not.

    Source: sd_listen_fds(3),
    https://www.freedesktop.org/software/systemd/man/latest/sd_listen_fds.html
    """
    is_for_us = os.environ.pop("LISTEN_PID", "") == str(os.getpid())
    count = os.environ.pop("LISTEN_FDS", "")
    os.environ.pop("LISTEN_FDNAMES", None)
    if not is_for_us or not count.isdecimal():
        return []
    found = [socket.socket(fileno=_FIRST + index) for index in range(int(count))]
    for one in found:
        one.set_inheritable(False)
        one.setblocking(False)
    return found
