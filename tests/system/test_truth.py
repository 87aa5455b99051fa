"""The record says what happened: exit codes and output, many at a time."""

import asyncio
import hashlib
import random

import pytest

pytestmark = pytest.mark.engine
CODES = (0, 1, 2, 42, 65, 75, 124, 125, 126, 127, 137, 255)
WAYS = (
    "exit {code}",
    "echo said; exit {code}",
    "exec >&- 2>&-; sleep 0.3; exit {code}",
    "(sleep 5 &); exit {code}",
)
"""How a command ends: silent, with output, long after it closed it, while a child keeps it."""
TOGETHER = 20


@pytest.fixture
async def twenty(start_container, make_server, run_id, docker, until):
    """A server, and a project of twenty containers that run what is in `/srv/NAME.sh`."""
    project = f"{run_id}-many"
    settings = "{rollout: parallel, update: [sh, -c, 'exec sh /tmp/$NAME.sh'], timeout: 5m}"
    server = await make_server(
        projects=f'{{"{project}": {settings}}}\nmax_parallel: {TOGETHER}'
    )
    ids = [
        start_container(
            f"many{n}", labels={"hookrunner.project": project}, env={"NAME": f"many{n}"}
        )
        for n in range(TOGETHER)
    ]

    async def known():
        _, found = await server.api("GET", f"/containers?project={project}")
        return len(found["items"]) == TOGETHER

    await until(known, seconds=120)
    yield server, project, ids
    docker("rm", "--force", *ids)


async def update_all(server, project, until):
    """Update all containers of a project once; give the steps by container."""

    async def accepted():
        status, run = await server.api(
            "POST", "/updates", body={"project": project}, Accept="application/json"
        )
        return run if status == 202 else None

    run = await until(accepted)

    async def over():
        _, found = await server.api("GET", f"/runs/{run['id']}")
        return found["steps"] if found["finished_at"] else None

    return {step["container"]: step for step in await until(over, seconds=300)}


@pytest.mark.parametrize(
    "rounds", [3, pytest.param(50, marks=pytest.mark.soak)], ids=["60", "1000"]
)
async def test_every_exit_code_is_the_true_one_twenty_at_a_time(twenty, docker, until, rounds):
    server, project, ids = twenty
    names = {
        docker("inspect", "--format", "{{.Name}}", one).lstrip("/"): n
        for n, one in enumerate(ids)
    }
    wrong = []
    for turn in range(rounds):
        codes = {
            name: (CODES[(n + turn) % len(CODES)], WAYS[(n + turn) % len(WAYS)])
            for name, n in names.items()
        }
        await asyncio.gather(
            *(
                asyncio.to_thread(
                    docker,
                    *("exec", "--interactive", name, "sh", "-c"),
                    f"cat >/tmp/many{names[name]}.sh",
                    stdin=way.format(code=code).encode(),
                )
                for name, (code, way) in codes.items()
            )
        )
        steps = await update_all(server, project, until)
        wrong += [
            (name, *codes[name], step["exit_code"], step["status"], step["reason"])
            for name, step in steps.items()
            if step["exit_code"] != codes[name][0]
        ]
        assert len(steps) == TOGETHER

    assert wrong == []


def noise(seed, size, *, lines=True):
    """Bytes of all values but those of URLs with passwords, and of line ends if not wanted."""
    data = random.Random(seed).randbytes(size).replace(b"@", b"A")  # noqa: S311 - repeatable
    return data if lines else data.replace(b"\n", b"N").replace(b"\r", b"R")


OUTPUTS = {
    "nothing": lambda _: b"",
    "one byte": lambda _: b"x",
    "an open sequence": lambda _: b"\x1ehookrunner \xff\xc3",
    "64 KiB": lambda seed: noise(seed, 65536),
    "1 MiB": lambda seed: noise(seed, 2**20),
    "one line of 10 MiB": lambda seed: noise(seed, 10 * 2**20, lines=False),
}
LARGE = 64 * 2**20


async def raw(server, run, step, stream):
    status, data = await server.api(
        "GET", f"/runs/{run['id']}/output?step={step['id']}&stream={stream}"
    )
    assert status == 200, data
    return data


async def recorded(site, server, out, err):
    """Let a container print these bytes on both streams; give the step and what is recorded."""
    (site.directory / "out").write_bytes(out)
    (site.directory / "err").write_bytes(err)
    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"], seconds=300)
    [step] = run["steps"]
    return (
        step,
        await raw(server, run, step, "stdout"),
        await raw(server, run, step, "stderr"),
    )


PRINTS = "cat /srv/err >&2 & cat /srv/out; wait; git -C /srv/data pull -q"


@pytest.mark.parametrize("name", OUTPUTS)
async def test_output_is_recorded_byte_for_byte(make_site, make_server, run_id, name):
    site = make_site("bytes", project=f"{run_id}-bytes")
    server = await make_server(projects=f'{{"{run_id}-bytes": {{output_limit: 128MiB}}}}')
    site.script(PRINTS)
    await server.knows(site)
    out, err = OUTPUTS[name](1), OUTPUTS[name](2)

    step, stdout, stderr = await recorded(site, server, out, err)

    assert (step["status"], step["truncated"]) == ("succeeded", False), step
    assert step["output_bytes"] == len(out) + len(err)
    assert stdout == out
    assert stderr == err


async def test_64_mib_are_recorded_byte_for_byte_or_cut_to_the_first_and_the_last(
    make_site, make_server, run_id
):
    whole = make_site("whole", project=f"{run_id}-whole")
    cut = make_site("short", project=f"{run_id}-short")
    server = await make_server(projects=f'{{"{run_id}-whole": {{output_limit: 128MiB}}}}')
    for site in (whole, cut):
        site.script(PRINTS)
    await server.knows(whole, cut)
    out = noise(3, LARGE)

    step, stdout, _ = await recorded(whole, server, out, b"")
    assert step["truncated"] is False
    assert hashlib.sha256(stdout).digest() == hashlib.sha256(out).digest()

    step, stdout, _ = await recorded(cut, server, out, b"")
    assert (step["truncated"], step["output_bytes"]) == (True, LARGE)
    assert stdout == out[: 2**20] + out[-9 * 2**20 :]


@pytest.mark.soak
async def test_1000_outputs_are_recorded_byte_for_byte(make_site, make_server, run_id):
    sites = [make_site(f"bytes{n}", project=f"{run_id}-b{n}") for n in range(4)]
    limits = ", ".join(f'"{site.project}": {{output_limit: 128MiB}}' for site in sites)
    server = await make_server(projects=f"{{{limits}}}")
    for site in sites:
        site.script(PRINTS)
    await server.knows(*sites)
    sizes = [0, 1, 7, 8, 4095, 4096, 4097, 32768, 65536, 10**6]

    async def many(site, seed):
        wrong = []
        for n in range(250):
            out = noise(seed + n, sizes[n % len(sizes)], lines=n % 2 == 0)
            err = noise(seed - n, sizes[n // 2 % len(sizes)])
            if n in {100, 200}:
                out = noise(n, LARGE)
            step, stdout, stderr = await recorded(site, server, out, err)
            if (stdout, stderr, step["truncated"]) != (out, err, False):
                wrong.append((n, len(out), len(stdout), len(err), len(stderr), step))
        return wrong

    found = await asyncio.gather(*(many(site, 10_000 * n) for n, site in enumerate(sites)))

    assert [one for several in found for one in several] == []
