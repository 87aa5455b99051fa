"""The engine by hand: the command ``docker``, and its API over a connection that is kept."""

import http.client
import json
import os
import socket
import subprocess
import threading
from collections.abc import Mapping, Sequence
from typing import Any

PIECE = 1 << 18
"""Bytes asked for at once of a stream."""


def docker(*arguments: str) -> str:
    """Run the command ``docker``; its stdout.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout.strip()


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self._path = path

    def connect(self) -> None:
        """Connect."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self._path)


class RawEngine:
    """The engine's API with as little in between as there can be: a connection a thread."""

    def __init__(self) -> None:
        self._path = os.environ["DOCKER_HOST"].removeprefix("unix://")
        self._local = threading.local()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask something; the decoded answer.

        Raises:
            RuntimeError: The engine refuses.
        """
        answer = self._send(method, path, body)
        data = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"{method} {path}: {answer.status} {data.decode()}")
        return json.loads(data) if data else None

    def execute(
        self, container: str, argv: Sequence[str], environment: Mapping[str, str]
    ) -> int:
        """Execute a command and read its stream to the end; how many bytes came."""
        body = {
            "Cmd": list(argv),
            "Env": [f"{name}={value}" for name, value in environment.items()],
            "AttachStdout": True,
            "AttachStderr": True,
        }
        made = self.ask("POST", f"/containers/{container}/exec", body)["Id"]
        answer = self._send("POST", f"/exec/{made}/start", {"Detach": False, "Tty": False})
        count = 0
        while piece := answer.read1(PIECE):
            count += len(piece)
        return count

    def connection(self) -> UnixConnection:
        """A connection of one's own."""
        return UnixConnection(self._path)

    def _send(self, method: str, path: str, body: object) -> http.client.HTTPResponse:
        connection = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._local.connection = self.connection()
        connection.request(
            method,
            f"/v1.41{path}",
            None if body is None else json.dumps(body),
            {"Content-Type": "application/json"},
        )
        answer: http.client.HTTPResponse = connection.getresponse()
        return answer
