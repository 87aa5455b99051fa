"""`hookrunner check` against real containers, and the wait for a real delivery."""

import asyncio
import contextlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.engine


@pytest.fixture
def strangers(docker, run_id, base_image, start_container):
    """The names of a container that seems to be a Forgejo, and of one without `container`."""
    image = f"{run_id}/forgejo:13"
    docker("tag", base_image, image)
    started = [
        start_container("git", image=image),
        start_container("stranger", image="debian:bookworm-slim"),
    ]
    yield f"{run_id}-git", f"{run_id}-stranger"
    docker("rm", "--force", *started)
    docker("rmi", image)


async def test_check_says_what_is_wrong_and_what_to_do(make_site, make_server, strangers):
    site, server = make_site("checked"), await make_server()
    forgejo, stranger = strangers
    await server.knows(site)
    _, answer = await server.deliver(
        site.body(site.head, "d" * 40, ref="refs/heads/dev"), source="gitea"
    )
    if "run" in answer:  # it came while other containers were being asked
        await server.finished(answer["run"])

    told = server.cli("check")
    lines = told.stdout.decode().splitlines()

    def remedy(start):
        place = next(n for n, line in enumerate(lines) if line.startswith(start))
        rest = lines[place + 1 :]
        return lines[place], [line[4:] for line in rest[: _indented(rest)]]

    assert told.returncode == 1
    line, lines_to_paste = remedy(f"✗ Forgejo in container {forgejo}")
    assert "cannot reach 127.0.0.1:" in line
    assert any("ALLOWED_HOST_LIST" in one for one in lines_to_paste)
    line, (what,) = remedy(f"✗ container {site.container}")
    assert f"ops/{site.project}, which never got a push; dev did" in line
    assert what.endswith("to dev")
    line, pasted = remedy(f"· container {stranger}")
    assert line.endswith(
        "debian:bookworm-slim has no `container`, so that nobody knows how to update it"
    )
    assert len(pasted) == 4
    line, (what,) = remedy("· source gitea")
    assert f"the nearest is {site.container}: it follows the branch" in line
    assert "to dev" in what
    assert any(line.startswith("✓ engine local  ") for line in lines)


def _indented(lines):
    """How many lines at the start belong to what stands in front of them."""
    return next((n for n, line in enumerate(lines) if not line.startswith("    ")), len(lines))


async def test_the_wait_for_a_delivery_explains_what_comes(make_site, make_server):
    site, server = make_site("awaited"), await make_server()
    await server.knows(site)
    waiting = subprocess.Popen(  # noqa: ASYNC220 - starts at once
        [
            *(sys.executable, "-m", "hookrunner", "check", "--await-delivery"),
            *("--config", str(server.config)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with contextlib.closing(waiting.stdout), contextlib.closing(waiting.stderr):
        while b"at most" not in await asyncio.to_thread(waiting.stderr.readline):
            assert waiting.poll() is None

        status, _ = await server.deliver(
            site.body(site.head, site.head), source="gitea", sign=False
        )
        first = await asyncio.to_thread(waiting.stdout.readline)
        await server.deliver(site.body(site.head, site.head), source="gitea")
        rest = await asyncio.to_thread(waiting.stdout.read)

    assert status == 401
    assert b"was refused" in first
    assert b"a delivery came, and proves itself  source gitea: gitea push" in rest
    assert b"ignored: a test delivery: nothing runs\n" in rest
    assert f"{site.container}  git_repo: it was built from".encode() in rest
    assert waiting.wait(30) == 0
