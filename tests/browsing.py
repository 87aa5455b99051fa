"""Somebody at a browser, a run that prints as it is told, and a network that can be cut."""

import asyncio
import shutil
import time
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from hookrunner.adapters.store import Changes
from hookrunner.model import Action, Chunk, Run, Status, Step, Stream, Trigger
from hookrunner.units import new_id

DEADLINE = 60.0


def start_browser(directory):
    """A browser without a window; the test is skipped where there is none."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("no chromium and chromedriver: apt-get install chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for one in ("headless=new", "no-sandbox", "disable-gpu", "disable-dev-shm-usage"):
        options.add_argument(f"--{one}")
    options.add_argument("--window-size=1440,900")
    options.add_argument(f"--user-data-dir={directory}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))


class Reader:
    """Somebody at the browser; every call runs in a thread, so that the server goes on."""

    def __init__(self, driver, url):
        self.driver, self.url = driver, url

    async def go(self, path):
        await asyncio.to_thread(self.driver.get, self.url + path)

    async def run(self, script, *arguments):
        return await asyncio.to_thread(self.driver.execute_script, script, *arguments)

    async def until(self, script, *arguments):
        """Wait until a script gives something true; give it."""
        deadline = time.monotonic() + DEADLINE
        while not (found := await self.run(f"return {script}", *arguments)):
            if time.monotonic() > deadline:
                text = await self.run("return document.body.innerText")
                pytest.fail(f"waited for {script}; the page says:\n{text}")
            await asyncio.sleep(0.05)
        return found

    async def sign_in(self):
        await asyncio.to_thread(self.driver.delete_all_cookies)
        await self.go("/sign-in")
        await self.run(
            "document.getElementById('token').value = arguments[0];"
            "document.querySelector('.sign form').requestSubmit()",
            "hr_the-admin-of-the-tests",
        )
        await self.until("document.querySelector('nav a[aria-current]')?.innerText === 'Now'")

    async def complaints(self):
        """What the browser's console says, refused scripts included."""
        logs = await asyncio.to_thread(self.driver.get_log, "browser")
        return [one["message"] for one in logs if one["level"] in {"SEVERE", "WARNING"}]


def live_run(container):
    """A run whose step prints whatever the test lets it; nothing is executed."""
    at = datetime.now(UTC)
    run = Run(
        id=new_id(at),
        trigger=Trigger.manual,
        action=Action.update,
        created_at=at,
        status=Status.running,
        requested_by="token admin",
    )
    step = Step(
        id=new_id(at),
        run=run.id,
        number=1,
        engine="local",
        container=container.name,
        container_id=container.id,
        project=container.project,
        image=container.image,
        action=Action.update,
        trigger=Trigger.manual,
        created_at=at,
        started_at=at,
        timeout=600.0,
        output_limit=1 << 20,
        status=Status.running,
    )
    return run, step


class Printer:
    """Prints as a step does, and ends."""

    def __init__(self, world, run, step):
        self.services, self.run, self.step = world.services, run, step
        self.writer = self.services.following._spool.writer(run.id, step.id, limit=1 << 20)
        self.offset = 0

    async def begin(self):
        await self.services.store.save(Changes(runs=(self.run,), steps=(self.step,)))
        self.services.dispatcher._live.add(self.run, [self.step])
        self.services.dispatcher._queue.running[self.step.id] = self.step

    def print(self, data, stream=Stream.stdout):
        self.writer.append(self.offset, Chunk(stream, data), at=time.time())
        self.offset += len(data)
        self.step = replace(self.step, output_bytes=self.offset)
        self.services.dispatcher._queue.running[self.step.id] = self.step
        self.services.dispatcher._live.take([self.step])
        self.services.following._broadcast.moved(self.run.id)

    def end(self):
        self.writer.close()
        del self.services.dispatcher._queue.running[self.step.id]
        ended = replace(
            self.step,
            status=Status.failed,
            outcome="error",
            exit_code=3,
            reason="exit 3",
            output_bytes=self.offset,
        )
        self.services.dispatcher._live.take([ended])


class Network:
    """Passes bytes on between a browser and a server, until it is cut.

    Args:
        port: The server's, on this machine.
    """

    def __init__(self, port):
        self._port, self._way = port, None
        self._server, self._address, self._writers = None, None, set()

    async def open(self):
        """Listen; give the URL."""
        self._server = await asyncio.start_server(self._pass, "127.0.0.1", self._address)
        self._address = self._server.sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{self._address}"

    async def cut(self, way):
        """Cut it.

        Args:
            way: ``refuse``: connections are reset, and new ones refused. ``swallow``: nothing
                is said any more, on old connections for good, as behind a router that forgot
                them; new ones are accepted and stay silent.
        """
        self._way = way
        if way == "refuse":
            self._server.close()
            for writer in list(self._writers):
                writer.transport.abort()

    async def mend(self):
        """Let new connections through again."""
        if self._way == "refuse":
            await self.open()
        self._way = None

    async def close(self):
        """End all of it."""
        self._server.close()
        for writer in list(self._writers):
            writer.transport.abort()

    async def _pass(self, reader, writer):
        if self._way == "swallow":
            self._writers.add(writer)
            return
        other, to_server = await asyncio.open_connection("127.0.0.1", self._port)
        both = {writer, to_server}
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._copy(reader, to_server))
                group.create_task(self._copy(other, writer))
        finally:
            if writer in self._writers:  # else it was swallowed, and nobody is told
                for one in both:
                    one.transport.abort()
                self._writers -= both

    async def _copy(self, reader, writer):
        try:
            while data := await reader.read(1 << 16):
                if self._way == "swallow":
                    await asyncio.Event().wait()
                writer.write(data)
                await writer.drain()
            writer.write_eof()
        except OSError:
            return
