"""An engine that records what reaches it, and a gate in front of it."""

import asyncio
import json
import re
import threading
from contextlib import suppress

import pytest
from hostile_requests import ID, STRANGER

CONTAINERS = {
    ID: {"Id": ID, "Name": "/www-1", "Image": "sha256:" + ID, "Config": {"Labels": {}}},
    STRANGER: {"Id": STRANGER, "Name": "/stranger", "Image": "sha256:" + STRANGER},
}


class Recorder:
    """An engine that knows two containers, and notes each request's first line and body."""

    def __init__(self, path):
        self.path = path
        self.url = f"unix://{path}"
        self.asked = []
        self.answers = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self):
        self._thread.start()
        self._run(self._listen())
        return self

    def stop(self):
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _listen(self):
        self._connections = set()
        self._server = await asyncio.start_unix_server(self._serve, self.path)

    async def _close(self):
        self._server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._connections.add(asyncio.current_task())
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while head := await reader.readuntil(b"\r\n\r\n"):
                    line = head.partition(b"\r\n")[0].decode()
                    length = re.search(rb"(?i)\r\ncontent-length: (\d+)\r\n", head)
                    body = await reader.readexactly(int(length[1])) if length else b""
                    self.asked.append((line.removesuffix(" HTTP/1.1"), head, body))
                    writer.write(self._answer(line.split(" ")[1]))
                    await writer.drain()
        finally:
            self._connections.discard(asyncio.current_task())
            writer.close()

    def _answer(self, target):
        path = target.partition("?")[0]
        container = re.search("/containers/([^/]+)/json$", path)
        found = self.answers.get(re.sub("^/v[0-9.]+", "", path))
        if found is None and container:
            name = container[1]
            found = next(
                (one for one in CONTAINERS.values() if name in {one["Id"], one["Name"][1:]}),
                None,
            )
            if found is None:
                return self._http(b'{"message":"No such container"}', "404 Not Found")
        data = found if isinstance(found, bytes) else json.dumps(found or []).encode()
        return self._http(data)

    def _http(self, data, status="200 OK"):
        head = f"HTTP/1.1 {status}\r\nApi-Version: 1.44\r\nContent-Length: {len(data)}\r\n\r\n"
        return head.encode() + data


@pytest.fixture
def recorder(tmp_path):
    found = Recorder(tmp_path / "recorder.sock").start()
    yield found
    found.stop()
