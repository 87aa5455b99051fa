"""The page in a real browser, Debian's Chromium; axe-core looks for what keeps people out."""

import asyncio
import sys
from pathlib import Path

import pytest
from browsing import Printer, Reader, live_run
from hostile import PAYLOADS

from hookrunner.model import Stream

pytestmark = [pytest.mark.browser, pytest.mark.process]
AXE = Path(sys.prefix) / "npm/node_modules/axe-core/axe.min.js"


@pytest.fixture(scope="session")
def axe():
    """The text of axe-core, which `tests/run` installs by npm."""
    if not AXE.exists():
        pytest.skip(f"no axe-core: npm install --prefix {AXE.parents[2]} axe-core@4")
    return AXE.read_text("utf-8")


async def test_a_run_appears_prints_and_ends_without_a_reload(reader, world):
    run, step = live_run(world.container())
    printer = Printer(world, run, step)
    await reader.until("document.getElementById('live').textContent === 'live'")
    await reader.run("window.mine = 1")

    await printer.begin()

    await reader.until("document.querySelector('[data-live=running] .card')")
    printer.print(b">> Fetching\n")
    assert await reader.run("return window.mine") == 1
    await reader.go(f"/runs/{run.id}")
    for number in range(300):
        printer.print(b"\x1b[32mline %d\x1b[0m\n" % number, list(Stream)[number % 2])
    await reader.until("document.querySelectorAll('.line').length === 301")
    printer.print(b"the end, cut")
    printer.end()
    await reader.until("document.querySelector('h1').innerText.startsWith('failed')")
    text = await reader.run(
        "return [...document.querySelectorAll('.line .text')].map((one) => one.textContent)"
    )
    assert text == [">> Fetching", *(f"line {number}" for number in range(300)), "the end, cut"]
    assert (
        await reader.run("return document.querySelector('.line .f2').textContent") == "line 0"
    )
    assert await reader.run("return document.querySelectorAll('.line.stderr').length") == 150
    assert await reader.until("document.querySelector('[action$=retry]')")
    assert await reader.complaints() == []


async def test_nobody_is_kept_out(busy, browser, axe):
    reader = Reader(browser, busy.url)
    await reader.sign_in()
    _, _, told = await busy.ask("GET", "/api/v1/runs")
    _, _, came = await busy.ask("GET", "/api/v1/deliveries")
    paths = ["/", "/containers", "/containers/local/bind-1", "/runs", "/deliveries"]
    paths += [f"/runs/{told['items'][0]['id']}", f"/deliveries/{came['items'][0]['id']}"]
    for scheme in ("light", "dark"):
        await asyncio.to_thread(
            browser.execute_cdp_cmd,
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": scheme}]},
        )
        for path in [*paths, "/sign-in?code=x"]:
            await reader.go(path)
            await asyncio.to_thread(
                browser.execute_cdp_cmd, "Runtime.evaluate", {"expression": axe}
            )
            found = await asyncio.to_thread(
                browser.execute_async_script,
                "const done = arguments[0]; axe.run().then((r) => done(r.violations.map((v) =>"
                " [v.id, v.impact, v.nodes.map((n) => n.html).slice(0, 3)])))",
            )
            assert [one for one in found if one[1] in {"serious", "critical"}] == [], path
            wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not await reader.run(f"return {wide}"), path


async def test_hostile_text_does_not_run(reader, world):
    run, step = live_run(world.container())
    printer = Printer(world, run, step)
    await printer.begin()
    await reader.go(f"/runs/{run.id}")
    for bad in PAYLOADS:
        printer.print(bad.encode() + b"\n")
    await reader.until(f"document.querySelectorAll('.line').length === {len(PAYLOADS)}")

    assert await reader.run("return window.hit ?? null") is None
    assert await reader.run("return document.querySelectorAll('.text *:not(span)').length") == 0
    assert await reader.complaints() == []
