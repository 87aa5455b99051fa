"""Pushes of which nobody told are found by asking the git server, a real one."""

import os
from base64 import b64encode
from datetime import UTC, datetime

import pytest
from http_backend import BACKEND, serving

from hookrunner.core.spreading import due_at

pytestmark = pytest.mark.engine

TOKEN = "a token of the tests"
NOW = datetime.now(UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)


def asked_first(number, run_id):
    """A name that is among the first to be asked after a start."""
    names = (f"lost{number}x{more}" for more in range(1000))

    def place(name):
        key = f"127.0.0.1/ops/{run_id}-{name}"
        return due_at(key, 60, last=LONG_AGO, began=NOW), name

    return min(map(place, names))[1]


async def test_a_push_that_nobody_told_of_shows_and_those_catch_up_that_want_to(  # noqa: PLR0917
    make_site, make_server, tmp_path, certify, until, run_id
):
    if not BACKEND.exists():
        pytest.skip(f"no {BACKEND}")
    certify(tmp_path)
    (tmp_path / ".gitconfig").write_text(f"[http]\nsslCAInfo = {tmp_path / 'pem'}\n")
    (tmp_path / "token").write_text(TOKEN)
    (tmp_path / "served/ops").mkdir(parents=True)
    authorization = f"Basic {b64encode(f'ada:{TOKEN}'.encode()).decode()}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}

    with serving(
        tmp_path / "served",
        environment,
        certificate=tmp_path / "both",
        authorization=authorization,
    ) as url:

        def follow(number):
            name = asked_first(number, run_id)
            repository = f"ops/{run_id}-{name}"
            labels = {
                "hookrunner.project": f"{run_id}-{name}",
                "hookrunner.repository": f"{url}/{repository}.git",
            }
            site = make_site(name, labels=labels)
            (tmp_path / f"served/{repository}.git").symlink_to(site.directory / "git.git")
            return site

        sites = left, kept_up = follow(1), follow(2)
        for site in sites:
            site.push()
        projects = f"{{{kept_up.project}: {{catch_up: true}}}}"
        server = await make_server(
            projects=projects, env={"HOME": str(tmp_path)}, is_started=False
        )
        poll = f"{{every: 1m, user: ada, token_file: {tmp_path / 'token'}}}"
        last_source = server.config.read_text().rstrip().removesuffix("}")
        more = f"url: '{url}/{{repository}}.git', poll: {poll}"
        server.config.write_text(f"{last_source}, {more}}}\n")
        await server.start()

        async def found():
            _, listed = await server.api("GET", "/containers")
            known = {one["name"]: one for one in listed["items"]}
            mine = [known.get(site.container) for site in sites]
            is_over = all(mine) and mine[1]["current_gitref"] == kept_up.head
            return mine if is_over and all(one["pushed_gitref"] for one in mine) else None

        behind, current = await until(found, seconds=90)

    assert (behind["pushed_gitref"], behind["behind"]) == (left.head, True)
    assert behind["behind_since"] is not None
    assert current["behind"] is False
    _, runs = await server.api("GET", f"/runs?container={kept_up.container}")
    [run] = [one for one in runs["items"] if one["action"] == "update"]
    assert (run["trigger"], run["after"]) == ("catch-up", kept_up.head)
    assert run["reason"] == f"{kept_up.container} found behind {kept_up.head[:12]}"
    assert TOKEN not in server.log()
