"""What is known of a container, while it stops and starts."""

import pytest

pytestmark = pytest.mark.engine


async def test_a_dirty_container_is_dirty_when_it_starts_again(make_site, make_server, until):
    site, server = make_site("restarted"), await make_server()
    await server.knows(site)
    site.script("exit 65")
    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"])

    async def listed():
        _, found = await server.api("GET", "/containers")
        return next((c for c in found["items"] if c["name"] == site.container), None)

    async def gone():
        return await listed() is None

    before = await listed()
    site.docker("stop", "--time", "0", site.id)
    await until(gone)
    site.docker("start", site.id)
    after = await until(listed)

    assert run["steps"][0]["outcome"] == "invalid"
    assert (before["dirty"], before["behind"]) == (True, True)
    assert (after["dirty"], after["behind"]) == (True, True)
