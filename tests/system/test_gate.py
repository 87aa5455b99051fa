"""A server whose only way to the engine is a gate: what it can do, and what it cannot."""

import asyncio
import json
import re
import subprocess
from pathlib import Path

import pytest

from hookrunner.adapters.engine import Engine
from hookrunner.errors import ContainerGoneError, EngineError, EngineUnavailableError
from hookrunner.gate import table
from hookrunner.model import ExecState

pytestmark = pytest.mark.engine
WAITS = "echo begun; while [ ! -e /srv/go ]; do sleep 0.05; done; echo ended; exit 75"
CANARY = "hunter2-of-the-environment"


async def test_a_restarted_gate_knows_the_execs_that_it_made_and_the_step_ends_as_it_ended(
    make_site, make_server, make_gate, engine_url, until
):
    site, gate = make_site("restarted"), make_gate(engine_url)
    site.script(WAITS)
    server = await make_server(engine=gate.url)
    await server.knows(site)
    _, answer = await server.deliver(site.push())

    async def begun():
        _, run = await server.api("GET", f"/runs/{answer['run']}")
        return run["steps"] and run["steps"][0]["output_bytes"]

    await until(begun)
    gate.kill()
    gate.start()
    (site.directory / "go").touch()

    async def ended():
        _, run = await server.api("GET", f"/runs/{answer['run']}")
        return run["steps"][0]["status"] not in {"queued", "running"} and run

    run = await until(ended, seconds=60)
    assert (run["steps"][0]["outcome"], run["steps"][0]["exit_code"]) == ("retry", 75)


async def test_execs_of_others_are_not_there_and_those_made_here_outlive_a_restart(
    start_container, make_gate, engine_url, docker
):
    gate = make_gate(engine_url)
    container = start_container("execs")
    async with (
        Engine.connect("direct", engine_url, streams=1) as direct,
        Engine.connect("before", gate.url, streams=1) as before,
        Engine.connect("after", gate.url, streams=1) as after,
    ):
        foreign = await direct.create_exec(container, table.METADATA.argv, environment={})
        made = await before.create_exec(container, table.METADATA.argv, environment={})
        gate.kill()
        gate.start()

        assert await after.inspect_exec(made) == ExecState(running=False, exit_code=None)
        async with after.start_exec(made) as chunks:
            said = b"".join([chunk.data async for chunk in chunks])
        assert json.loads(said)["project"] == "bind"
        with pytest.raises(ContainerGoneError):
            await after.inspect_exec(foreign)
        with pytest.raises(ContainerGoneError):
            async with after.start_exec(foreign):
                pass
        assert await direct.inspect_exec(foreign) == ExecState(running=False, exit_code=None)
    docker("rm", "--force", container)


async def test_what_the_gates_file_does_not_allow_is_not_there(
    start_container, make_gate, engine_url, docker, run_id
):
    gate = make_gate(
        engine_url,
        containers=[f"{run_id}-seen*", {"label": "hookrunner.test.shown=y*"}],
    )
    options = {"env": {"PASSWORD": CANARY, "CONTAINER_DEPLOYED_BY": "ada"}}
    async with Engine.connect("gated", gate.url, streams=2) as engine:
        async with engine.events() as events, asyncio.timeout(60):
            hidden = start_container("kept-out", **options)
            seen = start_container("seen", **options)
            shown = start_container("other", labels={"hookrunner.test.shown": "yes"}, **options)
            docker("exec", seen, "true")  # no event that is passed on
            docker("stop", "--time", "0", hidden, seen)
            docker("stop", "--time", "0", shown)
            told = []
            async for event in events:
                told.append((event.container_id, event.action))
                if told[-1] == (shown, "die"):
                    break
            docker("start", hidden, seen, shown)

        assert {one for one, _ in told} == {seen, shown}
        assert (seen, "die") in told
        assert "exec_start" not in {action for _, action in told}
        listed = {one.id for one in await engine.list_containers()}
        assert {seen, shown} <= listed
        assert hidden not in listed
        for ask in (
            lambda: engine.inspect_container(hidden),
            lambda: engine.processes(hidden),
            lambda: engine.run(hidden, table.METADATA.argv, timeout=20),
            lambda: engine.find_program(hidden, ["/bin/sh"]),
        ):
            with pytest.raises(ContainerGoneError):
                await ask()
        code, _ = await engine.run(seen, table.METADATA.argv, timeout=20)
        assert code == 0
        told = json.dumps(await engine.inspect_container(seen))
        assert CANARY not in told
        assert "CONTAINER_DEPLOYED_BY=ada" in told
        image = docker("inspect", "--format", "{{.Image}}", seen)
        assert (await engine.image(image)).search_path
        docker("rm", "--force", seen, shown)
        with pytest.raises(EngineError) as caught:
            await engine.image(image)
        assert caught.value.status == 404
    docker("rm", "--force", hidden)
    assert gate.log().count("-kept-out may not be seen") >= 4
    assert "no container that may be seen uses the image" in gate.log()


async def test_what_is_refused_is_an_error_that_says_why_and_is_logged(
    start_container, make_gate, engine_url, docker
):
    gate = make_gate(engine_url)
    container = start_container("refused")
    async with Engine.connect("gated", gate.url, streams=1) as engine:
        with pytest.raises(EngineError, match="gate refuses this: this command is not") as no:
            await engine.run(container, ["sh", "-c", "id"], timeout=20)
        assert no.value.status == 403
        with pytest.raises(EngineError, match="may not run as user root"):
            await engine.run(container, table.METADATA.argv, user="root", timeout=20)
        with pytest.raises(EngineError, match="none of this command's"):
            await engine.run(
                container, table.METADATA.argv, environment={"PATH": "/"}, timeout=20
            )
        with pytest.raises(EngineError, match="no plain absolute path"):
            await engine.read_file(container, "/run/../etc/shadow")
    docker("rm", "--force", container)
    lines = [json.loads(line) for line in gate.log().splitlines() if '"refused"' in line]
    assert len(lines) == 4
    assert {line["uid"] for line in lines} == {0}
    assert all(line["pid"] and line["reason"] and line["target"] for line in lines)


async def test_a_command_that_only_the_server_knows_fails_with_the_gates_reason(
    make_site, make_server, make_gate, engine_url
):
    gate = make_gate(engine_url, actions=["update"])
    site = make_site("unknown")
    projects = f"{{{site.project}: {{update: [sh, /srv/update.sh]}}}}"
    server = await make_server(engine=gate.url, projects=projects)
    await server.knows(site)

    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"])

    step = run["steps"][0]
    assert (step["status"], step["outcome"]) == ("failed", "error")
    assert "hookrunner gate refuses this" in step["reason"]


async def test_an_engine_that_is_away_behind_a_gate_is_an_engine_that_is_away(
    make_site, make_server, make_gate, engine_url, tmp_path
):
    link = tmp_path / "engine.sock"
    gate = make_gate(f"unix://{link}")
    site, server = make_site("away"), await make_server(engine=gate.url)
    async with Engine.connect("gated", gate.url, streams=1) as engine:
        with pytest.raises(EngineUnavailableError):
            await engine.ping()

    _, health = await server.ask("/healthz")
    status, answer = await server.deliver(site.push())
    link.symlink_to(engine_url.removeprefix("unix://"))
    run = await server.finished(answer["run"], seconds=60)

    assert "degraded" in health
    assert status == 202
    assert run["steps"][0]["outcome"] == "updated"


def peak(process):
    """The most memory that a process had, in MiB."""
    text = Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


@pytest.mark.parametrize(
    "megabytes",
    [pytest.param(32, id="short"), pytest.param(500, marks=pytest.mark.soak, id="soak")],
)
async def test_a_long_output_passes_whole_in_little_memory(  # noqa: PLR0917
    start_container, make_gate, engine_url, docker, measured, megabytes
):
    count = megabytes * 2**20
    argv = ["sh", "-c", f"head -c {count} /dev/zero"]
    gate = make_gate(engine_url, commands={"much": {"gitref": argv}})
    container = start_container("much")
    clock = asyncio.get_running_loop().time
    seconds = {"direct": [], "gate": []}
    async with (
        Engine.connect("direct", engine_url, streams=1) as direct,
        Engine.connect("gated", gate.url, streams=1) as gated,
    ):
        await gated.run(container, table.METADATA.argv, timeout=20)
        before = peak(gate.process)
        for way, engine in [("direct", direct), ("gate", gated)] * (3 if count > 2**28 else 1):
            exec_id = await engine.create_exec(container, argv, environment={})
            start, size = clock(), 0
            async with engine.start_exec(exec_id) as chunks:
                async for chunk in chunks:
                    size += len(chunk.data)
            seconds[way].append(clock() - start)
            assert size == count
    docker("rm", "--force", container)
    grown = peak(gate.process) - before
    best = {way: megabytes / min(some) for way, some in seconds.items()}
    measured(
        f"{megabytes} MiB of output: {best['direct']:.0f} MiB/s direct,"
        f" {best['gate']:.0f} MiB/s through a gate, which grew by {grown:.1f} MiB"
    )
    assert grown < 16


def test_the_docker_command_sees_what_the_server_sees(
    start_container, make_gate, engine_url, docker
):
    gate = make_gate(engine_url)
    container = start_container("shown")

    def gated(*words):
        command = ["docker", "--host", gate.url, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr

    assert container[:12] in gated("ps", "--quiet")
    for words in (["top"], ["exec", "-i"], ["rm", "--force"], ["logs"], ["stop"]):
        assert "gate refuses this" in gated(*words, container, *(["id"] * (words[0] == "exec")))
    assert "gate refuses this" in gated("run", "--privileged", "debian:bookworm-slim")
    docker("rm", "--force", container)
