"""What systemd gives the server, and gets of it: sockets, signs of life."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import urllib.request

import pytest

from hookrunner.adapters.store import Store
from hookrunner.adapters.systemd import watchdog_interval
from hookrunner.config import loads
from hookrunner.errors import ConfigError
from hookrunner.service.pulse import Pulse
from hookrunner.web.passed import share_out

DEADLINE = 30.0


def listening(text):
    return loads(f"listen: {text}", name="x").listen


@pytest.fixture
def bound():
    """A function: a listening socket, and its address as the configuration has it."""
    with contextlib.ExitStack() as stack:

        def make(host="127.0.0.1", family=socket.AF_INET):
            one = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            one.bind(host if family == socket.AF_UNIX else (host, 0))
            one.listen(64)
            name = one.getsockname()
            return one, f"unix:{name}" if family == socket.AF_UNIX else f"{host}:{name[1]}"

        yield make


def test_each_socket_goes_to_its_address(bound, tmp_path):
    first, one = bound()
    second, two = bound(str(tmp_path / "socket"), socket.AF_UNIX)

    found = share_out(listening(f'["{two}", "127.0.0.1:9", "{one}"]'), [first, second])

    assert found == [[second], [], [first]]


def test_a_socket_of_no_address_is_a_mistake_that_names_both(bound):
    one, address = bound()

    with pytest.raises(ConfigError) as caught:
        share_out(listening("127.0.0.1:9"), [one])

    assert address in str(caught.value)
    assert "systemctl edit hookrunner.socket" in caught.value.hint


@pytest.mark.parametrize(
    ("told", "found"), [("", None), ("30000000", 30.0), ("x", None), ("0", None)]
)
def test_the_watchdogs_interval_is_read(monkeypatch, told, found):
    monkeypatch.setenv("WATCHDOG_USEC", told)
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    assert watchdog_interval() == found

    monkeypatch.setenv("WATCHDOG_PID", "1")
    assert watchdog_interval() is None


@pytest.mark.process  # it waits for half a second
async def test_a_store_that_hangs_ends_the_signs_of_life(tmp_path):
    told = asyncio.Queue()
    let_go = threading.Event()
    async with Store.open(tmp_path) as store, asyncio.TaskGroup() as group:
        pulse = Pulse(store, [], notify=lambda *lines: told.put_nowait(lines), listening="x",
                      interval=0.03)  # fmt: skip
        beating = group.create_task(pulse.run())
        first = await asyncio.wait_for(told.get(), DEADLINE)

        blocked = group.create_task(store._writer.write("hang", lambda _: let_go.wait()))
        assert not await quiet_for(0.5, told)
        let_go.set()

        await blocked
        assert await asyncio.wait_for(told.get(), DEADLINE) == first
        beating.cancel()
    assert first == ("WATCHDOG=1", "STATUS=x")


async def quiet_for(seconds, queue):
    """Wait until nothing comes for so long; what was under way still does."""
    with contextlib.suppress(TimeoutError):
        while True:
            await asyncio.wait_for(queue.get(), seconds)
    return queue.qsize()


class Activated:
    """``hookrunner serve`` as systemd starts it."""

    def __init__(self, directory, listener, address):
        self.told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.told.bind(str(directory / "notify"))
        self.told.settimeout(DEADLINE)
        self.listener = listener
        self.log = directory / "log"
        (directory / "hookrunner.yaml").write_text(
            f"listen: {address}\nstate: {directory / 'state'}\n"
            f"engines: {{local: 'unix://{directory}/nobody.sock'}}\n"
        )
        self.config = directory / "hookrunner.yaml"
        self.directory = directory

    def start(self):
        number = self.listener.fileno()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *("bash", "-c", f'exec 3<&{number}; LISTEN_PID=$$ exec "$@"', "bash"),
                    *(
                        sys.executable,
                        "-m",
                        "hookrunner",
                        "serve",
                        "--config",
                        str(self.config),
                    ),
                ],
                pass_fds=[number],
                stdout=log,
                stderr=log,
                env=os.environ
                | {
                    "LISTEN_FDS": "1",
                    "NOTIFY_SOCKET": str(self.directory / "notify"),
                    "WATCHDOG_USEC": "300000",
                },
            )
        return self

    def hears(self, word):
        while word not in (lines := self.told.recv(65536).decode()):
            pass
        return lines

    def close(self):
        self.told.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE)


@pytest.mark.process
def test_who_connects_while_no_server_runs_is_answered_by_the_next(tmp_path, bound):
    listener, address = bound()
    server = Activated(tmp_path, listener, address).start()
    try:
        server.hears("READY=1")
        assert "engine local is away" in server.hears("WATCHDOG=1")
        server.process.send_signal(signal.SIGTERM)
        server.hears("STOPPING=1")
        assert server.process.wait(DEADLINE) == 0, server.log.read_text()

        with socket.create_connection(listener.getsockname(), DEADLINE) as waiting:
            waiting.sendall(b"GET /readyz HTTP/1.0\r\n\r\n")
            server.start().hears("READY=1")
            answer = waiting.recv(65536)

        assert answer.startswith(b"HTTP/1.0 200 "), server.log.read_text()
        with urllib.request.urlopen(f"http://{address}/api/v1/openapi.json") as found:
            assert json.load(found)["openapi"].startswith("3.1")
    finally:
        server.close()
