"""The programs that are measured, each as shipped: processes with a configuration file."""

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.engine import UnixConnection
from bench.pushes import SECRET

PATIENCE = 120.0
"""Seconds that anything may take before the benchmark gives up."""
_MEBIBYTE = 1 << 20
_LULL = 0.5
"""Seconds between looks at whether a server is at work."""
_IDLE = 0.05
"""The share of a core below which it is not."""


def until(look: Any, what: str, *, pause: float = 0.005) -> Any:
    """Look again and again, until there is something.

    Raises:
        RuntimeError: There was nothing for long.
    """
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise RuntimeError(f"waited {PATIENCE:g} s for {what}")
        time.sleep(pause)
    return found


class Server:
    """A process that listens on a port of 127.0.0.1.

    Attributes:
        address: Where.
        ready_after: Seconds from its start until it answered.
    """

    def __init__(self, command: Sequence[str], port: int, log: Path, path: str) -> None:
        self.address = ("127.0.0.1", port)
        self._log = log
        began = time.monotonic()
        with log.open("ab") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)
        until(lambda: self._answers(path), f"{command[0]} to answer", pause=0.001)
        self.ready_after = time.monotonic() - began

    def close(self) -> None:
        """End it."""
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def cpu(self) -> float:
        """Seconds of CPU that it took so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def settle(self) -> None:
        """Wait until it has nothing left to do: `webhook` answers before it starts what it is
        to run, and what it owes would take the time of whoever is measured next."""
        took = -1.0
        while (now := self.cpu()) - took > _IDLE * _LULL:
            took = now
            time.sleep(_LULL)

    def memory(self, line: str = "VmRSS") -> float:
        """MiB that it holds, or held at most (`VmHWM`)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        [found] = [one for one in status if one.startswith(f"{line}:")]
        return int(found.split()[1]) * 1024 / _MEBIBYTE

    def forget_peak(self) -> None:
        """Let `VmHWM` begin anew."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def ask(self, path: str, **headers: str) -> bytes:
        """GET something.

        Raises:
            RuntimeError: It was refused.
        """
        connection = http.client.HTTPConnection(*self.address)
        try:
            return _answer(connection, "GET", path, None, headers)
        finally:
            connection.close()

    def _answers(self, path: str) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(self._log.read_text()[-2000:])
        with contextlib.suppress(OSError):
            connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
            try:
                connection.request("GET", path)
                return connection.getresponse().status < http.client.INTERNAL_SERVER_ERROR
            finally:
                connection.close()
        return False


class Hookrunner(Server):
    """``hookrunner serve`` with one source, its defaults, and what is given here.

    Args:
        directory: Where configuration, log and state are; an old state is used again.
        projects: The key of that name.
        more: Other keys.
    """

    def __init__(
        self,
        directory: Path,
        *,
        projects: Mapping[str, object] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.state = directory / "state"
        (directory / "secret").write_text(SECRET + "\n")
        port = _free_port()
        keys: dict[str, object] = {
            "listen": f"127.0.0.1:{port}",
            "state": str(self.state),
            "engines": {"local": os.environ["DOCKER_HOST"]},
            "discover": "labelled",
            "projects": dict(projects or {}),
            "sources": {
                "bench": {
                    "secret_file": str(directory / "secret"),
                    "repositories": ["ops/*"],
                    "stream": True,
                }
            },
            **(more or {}),
        }
        self._keys = keys
        self._config = directory / "hookrunner.yaml"
        self._config.write_text(json.dumps(keys))
        super().__init__(
            ["hookrunner", "serve", "--config", str(self._config)],
            port,
            directory / "log",
            "/readyz",
        )

    def change(self, **keys: object) -> None:
        """Put other keys of the configuration in force, without waiting until they are."""
        self._keys |= keys
        self._config.write_text(json.dumps(self._keys))
        self.process.send_signal(signal.SIGHUP)

    def api(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        """Ask over the control socket; the decoded answer, or its bytes."""
        connection = UnixConnection(str(self.state / "hookrunner.sock"))
        try:
            data = _answer(connection, method, f"/api/v1{path}", body, headers)
        finally:
            connection.close()
        return json.loads(data) if data[:1] in {b"{", b"["} else data

    def cli(self, *words: str) -> str:
        """Run a command of hookrunner's; its stdout."""
        done = subprocess.run(
            ["hookrunner", *words, "--config", str(self._config)],
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def containers(self) -> list[dict[str, Any]]:
        """Those that it knows, all pages of them."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.api("GET", f"/containers?limit=500{cursor}")
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = f"&cursor={page['next']}"

    def knows(self, count: int) -> None:
        """Wait until it knows so many containers, and what each of them serves."""

        def look() -> bool:
            found = self.containers()
            return len(found) == count and all(one["current_gitref"] for one in found)

        until(look, f"{count} containers")


class Webhook(Server):
    """Debian's ``webhook``, which runs a command for each request whose signature holds.

    Args:
        directory: Where its file and log are.
        command: What it runs.
        waits: Its answer comes when the command has ended, with the command's output.
    """

    def __init__(self, directory: Path, command: Sequence[str], *, waits: bool) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        hooks = directory / "hooks.json"
        hooks.write_text(
            json.dumps(
                [
                    {
                        "id": "bench",
                        "execute-command": command[0],
                        "pass-arguments-to-command": [
                            {"source": "string", "name": word} for word in command[1:]
                        ],
                        "include-command-output-in-response": waits,
                        "trigger-rule": {
                            "match": {
                                "type": "payload-hmac-sha256",
                                "secret": SECRET,
                                "parameter": {
                                    "source": "header",
                                    "name": "X-Hub-Signature-256",
                                },
                            }
                        },
                    }
                ]
            )
        )
        port = _free_port()
        super().__init__(
            ["webhook", "-hooks", str(hooks), "-ip", "127.0.0.1", "-port", str(port)],
            port,
            directory / "log",
            "/",
        )


@contextlib.contextmanager
def running(*servers: Server) -> Iterator[None]:
    """End them afterwards."""
    try:
        yield
    finally:
        for server in servers:
            server.close()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def _answer(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: object,
    headers: Mapping[str, str],
) -> bytes:
    data = None if body is None else json.dumps(body)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if data is not None:
        sent["Content-Type"] = "application/json"
    connection.request(method, path, data, sent)
    answer = connection.getresponse()
    found = answer.read()
    if not http.client.OK <= answer.status < http.client.MULTIPLE_CHOICES:
        raise RuntimeError(f"{method} {path}: {answer.status} {found.decode(errors='replace')}")
    return found
