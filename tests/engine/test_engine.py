"""The engine adapter against a real engine."""

import asyncio
import contextlib
import hashlib
import io
import json
import random
import tarfile
from datetime import UTC, datetime, timedelta

import pytest
from gates import GateProcess

from hookrunner.adapters.engine import Engine
from hookrunner.core.engine_api import RECORDS
from hookrunner.errors import ContainerGoneError, EngineError
from hookrunner.model import ExecState, Stream

pytestmark = [pytest.mark.engine, pytest.mark.through_gate]

PREPARE = """
cd /opt
mkdir linked twice dangling loop directory plain
ln -s /usr/local/bin/container linked
ln -s ../linked/container twice
ln -s /nowhere dangling/container
ln -s container loop/container
mkdir directory/container
touch plain/container
exec sleep infinity
"""
PREPARED = ("test", "-e", "/opt/plain/container")
GREET = ("sh", "-c", 'echo "$COLOUR $HOOKRUNNER_REPOSITORY $(id -un)"; echo oops >&2; exit 42')
MUCH = ("sh", "-c", "seq -f %09.0f 1000000 | tee /dev/stderr")
ZEROS = ("sh", "-c", "head -c 3000000 /dev/zero; echo no >&2; exit 3")
SLOW = ("sh", "-c", "echo begun; exec sleep 5")
SLOWER = ("sh", "-c", "echo begun; exec sleep 60")
TRUE, NOWHERE = ("true",), ("/nowhere/program",)
CALLS = {"--gitref": 78, "--update": 1, "--validate": 0, "--monitor": 64}
SAID = [
    *(PREPARED, MUCH, ZEROS, SLOW, SLOWER, TRUE, NOWHERE),
    *(("container", call) for call in CALLS),
]


@pytest.fixture(scope="module")
def url(engine_url, engine_way, tmp_path_factory):
    """Where the engine is reached: at its own address, or at a gate's."""
    if engine_way == "direct":
        yield engine_url
        return
    commands = {str(number): {"gitref": [*argv]} for number, argv in enumerate(SAID)}
    commands["greet"] = {"gitref": [*GREET], "user": "nobody"}
    gate = GateProcess(tmp_path_factory.mktemp("gate"), engine_url, commands=commands)
    yield gate.start().url
    gate.stop()
    assert "Traceback" not in gate.log()


@pytest.fixture
async def engine(url):
    async with Engine.connect("local", url, streams=4) as engine:
        yield engine


@pytest.fixture(scope="module")
def container(start_container):
    """A running container that no test changes, with links and files to look at."""
    return start_container(
        "still",
        labels={"hookrunner.project": "bind"},
        env={"COLOUR": "blue"},
        command=("sh", "-c", PREPARE),
    )


async def until(condition, what):
    """Wait until an async condition gives something true, and give that."""
    seen = None
    try:
        async with asyncio.timeout(15):
            while not (seen := await condition()):  # noqa: ASYNC110 - only the engine knows
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"{what} did not happen; last seen: {seen!r}")
    return seen


async def execute(engine, container_id, *argv, **options):
    """Run a command to its end, and give its code, stdout and stderr."""
    exec_id = await engine.create_exec(container_id, argv, **({"environment": {}} | options))
    output = {Stream.stdout: bytearray(), Stream.stderr: bytearray()}
    async with engine.start_exec(exec_id) as chunks:
        async for chunk in chunks:
            output[chunk.stream] += chunk.data

    async def ended():
        state = await engine.inspect_exec(exec_id)
        return None if state.running else state

    state = await until(ended, "the end of the exec")
    return state.exit_code, bytes(output[Stream.stdout]), bytes(output[Stream.stderr])


async def test_an_engine_answers_a_ping(engine):
    await engine.ping()


async def test_a_running_container_is_listed_as_it_is(
    engine, container, run_id, base_image, docker
):
    (found,) = await engine.list_containers([container])

    assert (found.id, found.name, found.engine) == (container, f"{run_id}-still", "local")
    assert found.image == base_image
    assert found.image_id == docker("inspect", "--format", "{{.Image}}", container)
    assert timedelta() <= datetime.now(UTC) - found.created_at < timedelta(minutes=30)
    assert found.labels == {"hookrunner.test": run_id, "hookrunner.project": "bind"}
    assert (found.state, found.health, found.metadata) == ("running", None, None)
    assert container in {each.id for each in await engine.list_containers()}


async def test_life_is_seen_in_the_list_and_in_the_events(
    engine, start_container, docker, run_id
):
    async with engine.events() as events, asyncio.timeout(60):
        container_id = start_container(
            "life",
            volumes=[f"{run_id}-data:/srv/data", "/usr/share:/srv/share:ro"],
            options=["--health-cmd=true", "--health-interval=1s"],
        )

        async def healthy():
            (found,) = await engine.list_containers([container_id])
            return found if found.health == "healthy" else None

        found = await until(healthy, "health")
        assert found.mounts == {"/srv/data": f"{run_id}-data", "/srv/share": "/usr/share"}

        docker("pause", container_id)
        (paused,) = await engine.list_containers([container_id])
        assert paused.state == "paused"
        with pytest.raises(ContainerGoneError, match="paused"):
            await engine.create_exec(container_id, TRUE, environment={})
        docker("unpause", container_id)
        docker("rename", container_id, f"{run_id}-renamed")
        (renamed,) = await engine.list_containers([container_id])
        assert renamed.name == f"{run_id}-renamed"
        docker("kill", container_id)
        assert await engine.list_containers([container_id]) == []
        with pytest.raises(ContainerGoneError):
            await engine.create_exec(container_id, TRUE, environment={})
        docker("rm", container_id)
        docker("volume", "rm", f"{run_id}-data")

        actions = []
        async for event in events:
            if event.container_id == container_id:
                actions.append((event.action, event.at))
            if actions and actions[-1][0] == "destroy":
                break

    names = [action for action, _ in actions]
    assert [name for name in names if name != "health_status"] == [
        *("start", "pause", "unpause", "rename", "die", "destroy")
    ]
    assert "health_status" in names
    assert abs(actions[-1][1] - datetime.now(UTC).timestamp()) < 60
    async with engine.events(since=actions[0][1]) as events, asyncio.timeout(10):
        async for event in events:
            if event.container_id == container_id and event.action == "destroy":
                break
    with pytest.raises(ContainerGoneError):
        await engine.inspect_container(container_id)
    with pytest.raises(ContainerGoneError):
        await engine.find_program(container_id, ["/usr/local/bin/container"])


async def test_an_image_tells_labels_path_and_layers(engine, docker, run_id):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("file"))
    changes = [f"--change=LABEL hookrunner.test={run_id}", "--change=ENV PATH=/opt/bin:/bin"]
    with_path = docker("import", *changes, "-", f"{run_id}:path", stdin=archive.getvalue())
    without = docker("import", changes[0], "-", f"{run_id}:bare", stdin=archive.getvalue())

    for one in (with_path, without):  # a gate shows the images of containers alone
        docker("create", f"--label=hookrunner.test={run_id}", one, "nothing")

    image = await engine.image(with_path)
    bare = await engine.image(without)

    assert image.id == with_path
    assert image.labels == {"hookrunner.test": run_id}
    assert image.search_path == ("/opt/bin", "/bin")
    assert bare.search_path[1] == "/usr/local/bin"
    assert len(image.layers) == 1
    assert image.layers[0].startswith("sha256:")


@pytest.mark.both_engines
async def test_an_image_that_is_not_there_is_an_engine_error(engine):
    with pytest.raises(EngineError) as caught:
        await engine.image("sha256:" + "0" * 64)

    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["/nowhere/container", "/usr/local/bin/container", "/bin/sh"], 1),
        (["/opt/linked/container"], 0),
        (["/opt/twice/container"], 0),
        (["/bin/sh"], 0),
        ([f"/opt/{one}/container" for one in ("dangling", "directory", "plain")], None),
        (["/opt/loop/container", "/etc/passwd/container", "/bin/sh"], 2),
        ([], None),
    ],
    ids=["second", "link", "two links", "shell", "none", "cannot be looked at", "nothing"],
)
async def test_a_program_is_found_without_running_anything(
    engine, container, docker, names, found
):
    async def prepared():
        return (await execute(engine, container, *PREPARED))[0] == 0

    def execs():
        return docker("inspect", "--format", "{{.ExecIDs}}", container)

    await until(prepared, "the container's preparation")
    before = execs()

    program = await engine.find_program(container, names)

    assert program == (names[found] if found is not None else None)
    assert execs() == before


@pytest.mark.both_engines
async def test_an_exec_gives_code_and_both_streams(engine, container):
    told = {"HOOKRUNNER_REPOSITORY": "a b/c"}

    result = await execute(engine, container, *GREET, environment=told, user="nobody")

    assert result == (42, b"blue a b/c nobody\n", b"oops\n")


@pytest.mark.both_engines
async def test_ten_megabytes_come_whole(engine, container):
    code, out, err = await execute(engine, container, *MUCH)

    expected = hashlib.sha256(b"".join(b"%09d\n" % i for i in range(1, 1000001))).digest()
    assert code == 0
    assert hashlib.sha256(out).digest() == expected
    assert hashlib.sha256(err).digest() == expected


@pytest.mark.both_engines
async def test_an_exec_that_was_not_started_has_neither_run_nor_code(engine, container):
    exec_id = await engine.create_exec(container, TRUE, environment={})

    assert await engine.inspect_exec(exec_id) == ExecState(running=False, exit_code=None)


async def test_an_exec_starts_once(engine, container):
    exec_id = await engine.create_exec(container, TRUE, environment={})
    async with engine.start_exec(exec_id) as chunks:
        assert [chunk async for chunk in chunks] == []

    async with engine.start_exec(exec_id) as chunks:
        said = b"".join([chunk.data async for chunk in chunks])
    assert b"has already run" in said  # newer engines may refuse instead


@pytest.mark.both_engines
async def test_an_exec_that_nobody_made_is_gone(engine):
    with pytest.raises(ContainerGoneError):
        await engine.inspect_exec("0" * 64)
    with pytest.raises(ContainerGoneError):
        async with engine.start_exec("0" * 64):
            pass


@pytest.mark.both_engines
async def test_a_program_that_is_not_there_ends_with_126_or_127(engine, container):
    code, _ = await engine.run(container, NOWHERE, timeout=20)

    assert code in {126, 127}


async def test_a_short_command_gives_its_stdout(engine, container):
    code, output = await engine.run(container, ["container", "--metadata"], timeout=20)

    assert code == 0
    assert json.loads(output)["project"] == "bind"


@pytest.mark.both_engines
async def test_a_short_commands_stdout_is_bounded_and_its_code_is_true(engine, container):
    assert await engine.run(container, ZEROS, timeout=20, limit=1000) == (3, bytes(1000))


@pytest.mark.both_engines
async def test_a_short_command_that_takes_too_long_has_no_code(engine, container):
    assert await engine.run(container, SLOW, timeout=1) == (None, b"begun\n")


async def test_a_short_command_whose_caller_is_cancelled_leaves_no_exec_that_never_starts(
    engine, start_container, docker, engine_way
):
    container_id = start_container(f"cancelled-{engine_way}")
    chance = random.Random(11)  # noqa: S311 - repeatable

    for _ in range(20):
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(chance.uniform(0, 0.06)):
                await engine.run(container_id, TRUE, timeout=20)

    async def no_exec_is_left():
        return docker("inspect", "--format", "{{.ExecIDs}}", container_id) == "[]"

    await until(no_exec_is_left, "the end of all execs")


@pytest.mark.both_engines
async def test_the_exec_of_a_container_that_is_killed_ends(engine, start_container, docker):
    container_id = start_container("killed")
    exec_id = await engine.create_exec(container_id, SLOWER, environment={})

    async with engine.start_exec(exec_id) as chunks, asyncio.timeout(20):
        assert (await anext(chunks)).data == b"begun\n"
        docker("rm", "--force", container_id)
        assert [chunk async for chunk in chunks] == []

    with pytest.raises(ContainerGoneError):
        await engine.inspect_exec(exec_id)


@pytest.mark.parametrize(("call", "code"), CALLS.items())
async def test_the_base_images_container_script_knows_its_calls(engine, container, call, code):
    assert (await engine.run(container, ["container", call], timeout=20))[0] == code


async def test_a_small_file_is_read_also_where_nothing_runs_any_more(
    engine, start_container, docker, engine_way
):
    first, second, third = RECORDS
    made = f"mkdir -p {first} $(dirname {second}); cd $(dirname {second})"
    container_id = start_container(
        f"kept-{engine_way}", command=("sh", "-c", f"{made}; echo kept >last; cp last {first}")
    )
    long_id = start_container(
        f"long-{engine_way}", command=("sh", "-c", f"{made}; truncate -s 9000 last")
    )
    docker("wait", container_id, long_id)

    assert await engine.read_file(container_id, second) == b"kept\n"
    with pytest.raises(ContainerGoneError):
        await engine.read_file(container_id, third)
    with pytest.raises(EngineError):
        await engine.read_file(long_id, second)
    with pytest.raises(EngineError):
        await engine.read_file(container_id, first)


async def test_processes_and_starts_are_told_without_running_anything(
    engine, start_container, docker
):
    container_id = start_container("listed", command=("sh", "-c", "setsid sleep 100 & wait"))
    first = await engine.started_at(container_id)

    async def both():
        service, found = await engine.processes(container_id)
        sessions = {process.session for process in found if process.pid != service}
        return (service, found) if sessions - {service} else None

    service, found = await until(both, "the child in a session of its own")
    assert {process.pid for process in found} > {service}
    assert all(0 <= process.age < 600 for process in found)
    docker("restart", "--time", "0", container_id)
    assert await engine.started_at(container_id) != first
    docker("rm", "--force", container_id)
    with pytest.raises(ContainerGoneError):
        await engine.processes(container_id)
