"""The machine's clock is set, two hours ahead or back: nothing that is due depends on it."""

import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.engine
JUMPS = ["+2h", "-2h"]
LONG = (
    "touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.05; done; git -C /srv/data pull -q"
)
RETRY = 30.0


class Clock:
    """A server's clock, without the monotonic one: that no machine sets."""

    def __init__(self, path: Path):
        found = sorted(Path("/usr/lib").rglob("libfaketimeMT.so.1"))
        if not found:
            pytest.skip("no libfaketime: apt-get install faketime")
        self._path = path
        self.jump("+0")
        self.env = {
            "LD_PRELOAD": str(found[0]),
            "FAKETIME_TIMESTAMP_FILE": str(path),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def jump(self, by):
        fresh = self._path.with_suffix(".new")
        fresh.write_text(f"{by}\n")
        fresh.replace(self._path)


@pytest.fixture
def clock(tmp_path):
    return Clock(tmp_path / "faketime")


def exists(site, name):
    async def look():
        return (site.directory / name).exists()

    return look


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_jump_of_the_clock_changes_no_timeout(  # noqa: PLR0917 - fixtures
    make_site, make_server, clock, run_id, jump, until
):
    patient, slow = make_site("patient"), make_site("slow")
    server = await make_server(projects=f'{{"{run_id}-slow": {{timeout: 6s}}}}', env=clock.env)
    patient.script(LONG)
    slow.script("echo '>> Sleeping'; touch /srv/started; exec sleep 1000")
    await server.knows(patient, slow)
    _, one = await server.deliver(patient.push())
    _, other = await server.deliver(slow.push())
    await until(exists(patient, "started"))
    await until(exists(slow, "started"))

    started = time.monotonic()
    clock.jump(jump)
    [late] = (await server.finished(other["run"]))["steps"]
    took = time.monotonic() - started
    (patient.directory / "go").touch()
    [step] = (await server.finished(one["run"]))["steps"]

    assert late["status"] == "timed_out"
    assert 4 < took < 30
    assert step["exit_code"] == 0
    for seen in (step, late, late["phases"][0]):
        assert 0 <= seen["seconds"] < 60


@pytest.mark.parametrize("jump", JUMPS)
async def test_a_jump_of_the_clock_while_hookrunner_is_down_ends_no_step(
    make_site, make_server, clock, jump, until
):
    site, server = make_site("adopted"), await make_server(env=clock.env)
    site.script(LONG)
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    await until(exists(site, "started"))

    server.kill()
    clock.jump(jump)
    await server.start()
    await server.knows(site)
    _, run = await server.api("GET", f"/runs/{answer['run']}")
    (site.directory / "go").touch()

    assert run["status"] == "running"
    [step] = (await server.finished(answer["run"]))["steps"]
    assert (step["exit_code"], step["reason"]) == (0, None)
    assert step["seconds"] >= 0


async def test_the_newest_push_is_the_one_that_came_last_also_by_a_clock_set_back(
    make_site, make_server, clock, until
):
    site, server = make_site("order"), await make_server(env=clock.env)
    site.script(LONG)
    await server.knows(site)

    def push():  # with no word of what was before, so that only the order of arrival tells
        return site.push() | {"before": "0" * 40}

    await server.deliver(push())
    await until(exists(site, "started"))
    _, second = await server.deliver(push())
    clock.jump("-2h")
    _, third = await server.deliver(push())
    server.kill()
    clock.jump("-4h")
    await server.start()
    _, fourth = await server.deliver(push())
    (site.directory / "go").touch()

    ran = await server.finished(fourth["run"])
    late = await server.finished(third["run"])
    early = await server.finished(second["run"])
    assert ran["steps"][0]["status"] not in {"superseded", "queued"}
    assert late["steps"][0]["superseded_by"] == ran["steps"][0]["id"]
    assert early["steps"][0]["superseded_by"] == ran["steps"][0]["id"]
    _, runs = await server.api("GET", "/runs")
    assert [one["id"] for one in runs["items"] if one["trigger"] == "push"][:3] == [
        answer["run"] for answer in (fourth, third, second)
    ]


@pytest.mark.soak
@pytest.mark.parametrize("jump", JUMPS)
async def test_a_jump_of_the_clock_changes_no_retry(make_site, make_server, clock, jump, until):
    site, server = make_site("retry"), await make_server(env=clock.env)
    site.script("[ -e /srv/tried ] || { touch /srv/tried; exit 75; }; git -C /srv/data pull -q")
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def waits():
        _, run = await server.api("GET", f"/runs/{answer['run']}")
        return len(run["steps"]) == 2

    await until(waits)
    started = time.monotonic()
    clock.jump(jump)

    async def over():
        _, run = await server.api("GET", f"/runs/{answer['run']}")
        return run if run["finished_at"] else None

    run = await until(over, seconds=3 * RETRY)
    took = time.monotonic() - started
    assert [step["outcome"] for step in run["steps"]] == ["retry", "updated"]
    assert RETRY - 5 < took < 2 * RETRY
