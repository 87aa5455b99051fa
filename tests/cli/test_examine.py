"""`hookrunner examine`: the text of `container --examine`, and what only hookrunner knows."""

from datetime import UTC, datetime

from hookrunner.core.examination import examination

METADATA = {
    "project": "bind",
    "gitref": "e1b0a445744fec5e584919711cafd8f4cebdee0e",
    "update_method": "/srv/update.sh",
    "owner": "dns",
    "ancestors": [{"project": "base"}],
}
CONTAINER = {
    "id": "c" * 64,
    "name": "dns-1",
    "host": "local",
    "project": "bind",
    "image": "ops/bind:1",
    "created_at": "2026-11-24T12:00:00Z",
    "first_started_at": "2026-11-24T12:00:01Z",
    "gitref": METADATA["gitref"],
    "current_gitref": "94eecc927190",
    "pushed_gitref": None,
    "behind": True,
    "image_behind": None,
    "dirty": True,
    "methods": ["update"],
    "metadata": METADATA,
    "runtime": {"deployed_by": "anna", "deployed_node": "dns1"},
    "problems": ["ci in the image label is left out: it has \x1b[31mred"],
    "origins": {"project": "container label", "owner": "image label", "gitref": "image label"},
    "last_step": {"status": "failed", "outcome": "invalid"},
}


def test_the_text_is_that_of_the_inside_with_the_rest_after_it(api, run):
    api.reply("GET", "/api/v1/containers/dns-1", CONTAINER)
    inside = examination(
        METADATA,
        started=datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC),
        facts=[("Deployed By", "anna"), ("Deployed On", "dns1")],
    )

    told = run("examine", "dns-1")

    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(inside)
    assert (
        told.stdout.removeprefix(inside)
        == """
Known to hookrunner

               Container: dns-1
                    Host: local
                   Image: ops/bind:1
                  Serves: 94eecc927190
                  Behind: yes (dirty)
            Image Behind: nobody can say
             Last Result: invalid

Where each key came from

         container label: project
             image label: owner, gitref

What is wrong with it

  ci in the image label is left out: it has \\x1b[31mred
"""
    )
    assert api.seen[0].query == {"metadata": "true"}


def test_json_is_the_answer_unchanged(api, run):
    api.reply("GET", "/api/v1/containers/dns-1", CONTAINER)

    assert '"origins"' in run("examine", "dns-1", "--json").stdout


def test_a_container_that_is_not_there(api, run):
    assert run("examine", "host/dns-1").exit_code == 3
    assert api.seen[0].path == "/api/v1/containers/host/dns-1"
