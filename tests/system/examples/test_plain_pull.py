"""The article's own three-line update, unchanged, over ssh: what it leaves behind is known."""

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.engine

UPDATE = """\
echo ">> Fetching latest git checkout"
git pull origin master

echo ">> Validating configuration"
container --validate

echo ">> Reloading name server"
rndc reload
"""
START = """\
#!/bin/sh
set -e
[ -d /srv/data ] || git clone -q --branch master "$CONTAINER_REPOSITORY" /srv/data
install -d -o bind -g bind /run/named
rndc-confgen -a -u bind 2>/dev/null
exec named -g -u bind -c /srv/data/named.conf
"""
VALIDATE = """\
#!/bin/sh
cd /srv/data && named-checkconf named.conf && named-checkzone example.test zones/example.test
"""
RECIPE = """\
project: plain
checkout: /srv/data
start_method: /srv/own/start.sh
update_method: /srv/own/update.sh
validate_method: /srv/own/validate.sh
"""


@pytest.fixture
def plain(images, bind, start_container, run_id, tmp_path):
    """A BIND as the article has it: a plain clone, and three lines in a script."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "update.sh").write_text(UPDATE)  # neither a first line nor a bit
    for name, text in (("start.sh", START), ("validate.sh", VALIDATE)):
        (own / name).write_text(text)
        (own / name).chmod(0o755)
    (tmp_path / "container.yaml").write_text(RECIPE)
    (tmp_path / "Dockerfile").write_text(
        f"FROM {bind.image}\nLABEL hookrunner.test={run_id}\nCOPY own /srv/own\n"
    )
    name = f"{run_id}-plain"
    images.run_build(tmp_path, "-t", name, "--run-arg", " ".join(bind.options))
    bind.image = name
    labels = {"hookrunner.repository": bind.url, "hookrunner.branch": "master"}
    yield bind.start(start_container, name, labels=labels)
    bind.docker("rm", "--force", bind.id)


def body(dns, before):
    return {
        "ref": "refs/heads/master",
        "before": before,
        "after": dns.head,
        "repository": {
            "full_name": f"ops/{dns.repository}",
            "clone_url": dns.url,
            "default_branch": "master",
        },
    }


async def test_nothing_is_reloaded_and_the_container_is_dirty(plain, make_server):
    server = await make_server()
    await server.knows(SimpleNamespace(container=plain.container))

    async def push(before):
        status, answer = await server.deliver(body(plain, before))
        assert status == 202, answer
        run = await server.finished(answer["run"])
        # Whatever else runs here and says that its project is `bind` gets the push as well.
        return [step for step in run["steps"] if step["container"] == plain.container]

    def reloads():
        return plain.docker("logs", plain.id).count("reloading configuration succeeded")

    async def look():
        _, found = await server.api("GET", "/containers")
        return next(one for one in found["items"] if one["name"] == plain.container)

    before = plain.head
    plain.good(2)
    good = await push(before)
    assert [(step["outcome"], step["gitref"]) for step in good] == [("updated", plain.head)]
    assert plain.ask() == 2
    served, count = plain.head, reloads()

    plain.broken()
    broken = await push(served)
    again = await push(served)

    assert [step["outcome"] for step in (*broken, *again)] == ["invalid"] * 2
    titles = [phase["title"] for phase in broken[0]["phases"]]
    assert titles == ["Fetching latest git checkout", "Validating configuration"]
    assert (reloads(), plain.ask()) == (count, 2)
    known = await look()
    assert (known["dirty"], known["current_gitref"]) == (True, served)

    server.stop()
    await server.start()
    await server.knows(SimpleNamespace(container=plain.container))

    _, runs = await server.api("GET", "/runs")
    assert [run["trigger"] for run in runs["items"]].count("push") == 3
    assert (await look())["dirty"]
