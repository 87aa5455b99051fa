"""Signed pushes, as a forge sends them."""

import contextlib
import hashlib
import hmac
import http.client
import itertools
import json
import os
import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

SECRET = "a secret of the benchmark, long enough"
_COMMITS = 3
_MESSAGE = "Say what this commit is for, in a paragraph as people write it. " * 4
_NUMBERS = itertools.count(1)


class Push:
    """One push in GitHub's form, some 3 KB, of commits that nobody has.

    Attributes:
        after: Its last commit.
        body: Its bytes.
        headers: What proves them.
    """

    def __init__(self, repository: str, *, after: str = "") -> None:
        number = next(_NUMBERS)
        before = f"{number:040x}"
        self.after = after or f"{number + 1:040x}"
        self.body = json.dumps(
            {
                "ref": "refs/heads/main",
                "before": before,
                "after": self.after,
                "repository": {
                    "full_name": repository,
                    "clone_url": f"https://git.example.net/{repository}.git",
                    "default_branch": "main",
                },
                "pusher": {"name": "ada"},
                "commits": [
                    {
                        "id": self.after,
                        "message": _MESSAGE,
                        "author": {"name": "Ada", "email": "ada@example.net"},
                        "added": [],
                        "removed": [],
                        "modified": [f"zones/{part}.example.net" for part in range(12)],
                    }
                    for _ in range(_COMMITS)
                ],
            }
        ).encode()
        proof = hmac.new(SECRET.encode(), self.body, hashlib.sha256).hexdigest()
        self.headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": f"{number:032x}",
            "X-Hub-Signature-256": f"sha256={proof}",
        }

    @property
    def head(self) -> bytes:
        """The headers as they are sent."""
        return "".join(f"{name}: {value}\r\n" for name, value in self.headers.items()).encode()

    @property
    def wire(self) -> bytes:
        """All that is sent but for the first lines."""
        return b"%sContent-Length: %d\r\n\r\n%s" % (self.head, len(self.body), self.body)

    def send(self, address: tuple[str, int], path: str) -> bytes:
        """Send it over a connection of its own, as forges do, and read the answer to its end.

        Raises:
            RuntimeError: It was not taken.
        """
        connection = http.client.HTTPConnection(*address)
        try:
            return self.send_over(connection, path)
        finally:
            connection.close()

    def send_over(self, connection: http.client.HTTPConnection, path: str) -> bytes:
        """Send it over a connection that is kept; what it raises, `send` says."""
        connection.request("POST", path, self.body, self.headers)
        answer = connection.getresponse()
        data = answer.read()
        if answer.status not in {http.client.OK, http.client.ACCEPTED}:
            raise RuntimeError(f"{path}: {answer.status} {data.decode(errors='replace')}")
        return data


def send_all(
    pushes: Sequence[Push], address: tuple[str, int], path: str, *, connections: int
) -> None:
    """Send many in order, as many at once as there are connections, which are kept.

    It does as little as can be: what it takes of the machine, the server does not get.

    Raises:
        RuntimeError: One was not taken.
    """
    with contextlib.ExitStack() as stack:
        sockets = [
            stack.enter_context(socket.create_connection(address)) for _ in range(connections)
        ]
        for at in range(0, len(pushes), connections):
            some = list(zip(sockets, pushes[at : at + connections], strict=False))
            for one, push in some:
                one.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\n%s" % (path.encode(), push.wire))
            for one, _ in some:
                if not (answer := _answer(one)).startswith(b"HTTP/1.1 20"):
                    raise RuntimeError(f"{path}: {answer.decode(errors='replace')}")


def _answer(connection: socket.socket) -> bytes:
    answer = b""
    while True:
        answer += connection.recv(1 << 16)
        head, end, body = answer.partition(b"\r\n\r\n")
        told = re.search(rb"\r\nContent-Length: (\d+)", head) if end else None
        if told and len(body) >= int(told[1]):
            return answer


def stock(path: Path, repository: str, count: int) -> None:
    """Write many pushes, each ready to be sent as it stands, for wrk.

    They are on the disk in the end: else the first sync of whoever is measured next would
    wait for these tens of megabytes too, 0.1 s and more.
    """
    with path.open("wb") as file:
        for push in itertools.islice(_endless(repository), count):
            head = push.head
            file.write(b"%d %d\n" % (len(head), len(push.body)) + head + push.body)
        file.flush()
        os.fsync(file.fileno())


def _endless(repository: str) -> Iterator[Push]:
    while True:
        yield Push(repository)
