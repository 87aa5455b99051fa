"""What the hook keeps while it cannot be delivered, and what it does not."""

import shutil
import stat

import pytest
from aiohttp import web

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


def test_what_cannot_be_delivered_is_sent_first_at_the_next_push(
    done, server, install, repository, port
):
    install(port=port)
    first = repository.commit(a="1")
    said = repository.push("main")

    spool = repository.bare / "hookrunner"
    (kept,) = spool.iterdir()
    assert stat.S_IMODE(spool.stat().st_mode) == 0o700
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert "cannot deliver" in said
    assert "1 kept" in said

    server.start(port=port)
    server.stream("POST", "/hooks/bare", [done])
    second = repository.commit(a="2")
    said = repository.push("main")

    assert [seen.json["after"] for seen in server.seen] == [first, second]
    assert [seen.query for seen in server.seen] == [{}, {"stream": "1"}]
    assert "delivered 1 kept" in said
    assert repository.spooled() == []


def test_order_holds_while_the_server_is_away(server, install, repository, port):
    install(port=port)
    refs = [repository.commit(a=str(number)) for number in range(3)]
    for ref in refs:
        repository.push(f"{ref}:refs/heads/main")

    assert [body["after"] for body in repository.spooled()] == refs
    assert server.seen == []


@pytest.mark.parametrize("status", [500, 503, 429, 307])
def test_an_answer_that_may_change_keeps_the_delivery(live, repository, status):
    live.refuse("POST", "/hooks/bare", status, detail="too much")
    after = repository.commit(a="1")

    said = repository.push("main")

    assert f"{status} too much" in said
    assert [body["after"] for body in repository.spooled()] == [after]


@pytest.mark.parametrize("status", [400, 401, 413])
def test_a_refusal_is_told_and_not_sent_again(live, repository, status):
    live.refuse("POST", "/hooks/bare", status, detail="the signature does not match")
    repository.commit(a="1")

    said = repository.push("main")

    assert f"{status} the signature does not match" in said
    assert repository.spooled() == []


def test_a_server_that_never_answers_costs_the_limit_and_the_delivery_is_kept(
    server, install, repository
):
    server.start()
    install("--wait", "200ms", port=server.port)

    async def handler(_request):
        await server.released.wait()
        return web.Response()

    server.answers["POST", "/hooks/bare"] = handler
    repository.commit(a="1")

    said = repository.push("main")

    assert "no answer" in said
    assert len(repository.spooled()) == 1


def test_at_most_a_hundred_are_kept_and_the_newest_of_them(tmp_path, post_receive):
    spool = post_receive.Spool(str(tmp_path))
    names = [spool.keep(str(number).encode()) for number in range(103)]

    for file in spool.mine.values():
        file.close()

    assert names == sorted(names)
    assert spool.prune() == 100
    assert spool.names() == names[3:]


def test_what_another_hook_is_sending_is_left_alone(tmp_path, post_receive):
    one, other = (post_receive.Spool(str(tmp_path)) for _ in range(2))
    name = one.keep(b"{}")

    assert other.take(name) is None
    one.mine.pop(name).close()
    with other.take(name) as file:
        assert file.read() == b"{}"


def test_a_repository_in_which_nothing_can_be_kept_still_delivers(done, live, repository):
    (repository.bare / "hookrunner").write_text("in the way")
    repository.commit(a="1")

    assert done.decode().strip() in repository.push("main")

    live.stop()
    repository.commit(a="2")
    assert "not kept" in repository.push("main")
