"""Since when a container is valid, or is not, and what becomes of a validation that hangs."""

import pytest

pytestmark = pytest.mark.engine


async def validated(server, site):
    _, run = await server.api(
        "POST",
        "/validations",
        body={"container": site.container},
        Accept="application/json",
    )
    run = await server.finished(run["id"])
    _, told = await server.api("GET", f"/containers/{site.id}")
    return run["steps"][-1], told


async def test_it_is_known_since_when_a_container_is_valid(make_server, make_site):
    site = make_site("valid", project="valid")
    server = await make_server(projects="{valid: {timeout: 2s}}")
    await server.knows(site)
    script = site.directory / "validate.sh"

    def validation(text):
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)

    validation("exit 0")
    _, first = await validated(server, site)
    _, second = await validated(server, site)
    validation("exit 1")
    _, bad = await validated(server, site)
    validation("sleep 600")
    hung, worse = await validated(server, site)
    server.kill()
    await server.start()
    await server.knows(site)
    _, kept = await server.api("GET", f"/containers/{site.id}")

    assert (first["valid"], second["valid"], bad["valid"], worse["valid"]) == (
        True,
        True,
        False,
        False,
    )
    assert first["valid_since"] == second["valid_since"]
    assert bad["valid_since"] > second["valid_since"]
    assert worse["valid_since"] == bad["valid_since"] == kept["valid_since"]
    assert hung["status"] == "timed_out"
    assert "2 s" in hung["reason"]
    assert "sleep 600" not in site.docker("top", site.id)
