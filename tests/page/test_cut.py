"""A network that is really cut while a run prints: the page says so, and goes on."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from browsing import Network, Printer, Reader, live_run

pytestmark = [pytest.mark.browser, pytest.mark.process]
WAYS = ["refuse", "swallow"]
LINES = "[...document.querySelectorAll('.line .text')].map((one) => one.textContent)"
SAID = "!document.getElementById('cut').hidden && document.getElementById('cut').textContent"


@asynccontextmanager
async def followed(world, browser):
    """Somebody who follows a run through a network, the run's printer, and the network."""
    network = Network(urlsplit(world.url).port)
    reader = Reader(browser, await network.open())
    run, step = live_run(world.container())
    printer = Printer(world, run, step)
    await printer.begin()
    await reader.sign_in()
    await reader.go(f"/runs/{run.id}")
    printer.print(b"line 0\nline 1\nhalf of ")
    await reader.until("document.querySelectorAll('.line').length === 2")
    try:
        yield reader, printer, network
    finally:
        await reader.go("/sign-in")
        await network.close()


async def cut(world, browser, way, seconds):
    """Cut the network until the page says so, and for so long at least."""
    async with followed(world, browser) as (reader, printer, network):
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        await network.cut(way)
        loop.call_later(seconds, over.set_result, None)
        printer.print(b"line 2\n")
        said = await reader.until(SAID)
        for number in range(3, 200):
            printer.print(b"line %d\n" % number)
        await over
        told = await reader.run(f"return {LINES}")
        await network.mend()

        await reader.until("document.querySelectorAll('.line').length >= 200")
        await reader.until("document.getElementById('cut').hidden")
        live = await reader.run("return document.getElementById('live').textContent")
        printer.print(b"line 200\n")
        printer.end()
        await reader.until("document.querySelector('h1').innerText.startsWith('failed')")
        lines = await reader.run(f"return {LINES}")

    assert said.startswith("Cut off from hookrunner for ")
    assert told == ["line 0", "line 1"]
    assert live == "live"
    assert lines == [
        "line 0",
        "line 1",
        "half of line 2",
        *(f"line {n}" for n in range(3, 201)),
    ]


@pytest.mark.parametrize("way", WAYS)
async def test_a_network_that_is_cut_costs_no_line_and_doubles_none(world, browser, way):
    await cut(world, browser, way, 0)


@pytest.mark.soak
@pytest.mark.parametrize("way", WAYS)
async def test_ten_seconds_without_a_network_cost_no_line_and_double_none(world, browser, way):
    await cut(world, browser, way, 10)


async def test_what_changed_while_the_page_was_hidden_is_there_when_it_is_seen(reader, world):
    run, step = live_run(world.container())
    printer = Printer(world, run, step)
    await printer.begin()
    await reader.go(f"/runs/{run.id}")
    printer.print(b"line 0\n")
    await reader.until("document.querySelectorAll('.line').length === 1")
    hide = "Object.defineProperty(document, 'hidden', { value: %s, configurable: true });"
    hide += "document.dispatchEvent(new Event('visibilitychange'))"

    await reader.run(hide % "true")
    printer.print(b"line 1\n")
    printer.end()
    assert await reader.run(f"return {LINES}") == ["line 0"]
    await reader.run(hide % "false")

    await reader.until("document.querySelector('h1').innerText.startsWith('failed')")
    assert await reader.run(f"return {LINES}") == ["line 0", "line 1"]
