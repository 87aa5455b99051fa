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


async def test_after_several_updates_a_container_is_validated_once_and_never_before_another(
    make_server, make_site, until
):
    site, server = make_site("after"), await make_server()
    script = site.directory / "validate.sh"
    script.write_text("#!/bin/sh\ntouch /srv/validating; [ -e /srv/good ] || sleep 600\n")
    script.chmod(0o755)
    site.script("until [ -e /srv/go ]; do sleep 0.1; done; git -C /srv/data pull -q")
    await server.knows(site)

    async def routine():
        _, found = await server.api("GET", f"/runs?container={site.container}")
        return [run for run in found["items"] if run["trigger"] == "schedule"]

    async def hangs():
        return (site.directory / "validating").exists()

    first, second = site.push(), site.push()
    for body in (first, second):
        await server.deliver(body)
    (site.directory / "go").touch()
    await until(hangs)
    [hung] = await routine()
    _, answer = await server.deliver(site.push())
    update = await server.finished(answer["run"])
    (site.directory / "good").touch()
    server.kill()
    await server.start()

    async def validated():
        found = await routine()
        return found if len(found) > 1 and found[0]["finished_at"] else None

    last, stopped = await until(validated)
    [step] = stopped["steps"]
    _, told = await server.api("GET", f"/containers/{site.id}")
    assert (stopped["id"], step["status"]) == (hung["id"], "cancelled")
    assert step["reason"] == "an update goes first"
    assert update["steps"][0]["outcome"] == "updated"
    assert last["created_at"] > update["finished_at"]
    assert (last["reason"], last["requested_by"]) == (
        f"after the update of {site.container}",
        "hookrunner",
    )
    assert (told["valid"], told["last_step"]["run"]) == (True, update["id"])
