"""An engine's socket at a TCP port, with TLS or without."""

import asyncio
import ssl
import threading
from contextlib import suppress


class Relay:
    """A port that leads to a socket.

    Args:
        certificates: A directory with what docker's own variables name: whoever connects has
            to speak TLS, and to show a certificate that ``ca.pem`` signed.
    """

    def __init__(self, path, certificates=None):
        self._path = path
        self._context = None
        if certificates is not None:
            self._context = ssl.create_default_context(
                ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.pem"
            )
            self._context.verify_mode = ssl.CERT_REQUIRED
            self._context.load_cert_chain(certificates / "cert.pem", certificates / "key.pem")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._tasks = set()

    def __enter__(self):
        self._thread.start()
        self._server = self._run(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._context)
        )
        self.url = f"tcp://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    def __exit__(self, *_):
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _close(self):
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader, writer):
        self._tasks.add(asyncio.current_task())
        there, back = await asyncio.open_unix_connection(self._path)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, back))
                group.create_task(_copy(there, writer))
        finally:
            self._tasks.discard(asyncio.current_task())
            back.transport.abort()
            writer.transport.abort()


async def _copy(reader, writer):
    with suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
        writer.close()
