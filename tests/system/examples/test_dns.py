"""BIND and rbldnsd of the examples, fetched over ssh with a deploy key, and asked."""

import json
import subprocess

import pytest

pytestmark = pytest.mark.engine


def alternate(dns, times):
    """Push what is good and what is broken in turns; give the answers and what was good."""
    with dns.asked_all_the_time() as answers:
        for number in range(times):
            good = 10 + number % 200
            head = dns.good(good)
            dns.update()
            assert dns.docker("exec", dns.id, "container", "--gitref") == head
            assert dns.ask() == good
            dns.broken()
            assert "nothing changed" in dns.update(code=65)
            assert dns.docker("exec", dns.id, "container", "--gitref") == head
    return answers


@pytest.mark.parametrize("times", [5, pytest.param(100, marks=pytest.mark.soak)])
def test_no_answer_is_wrong_or_missing_while_good_and_broken_pushes_alternate(dns, times):
    before = dns.ask()

    answers = alternate(dns, times)

    valid = {f"=127.0.0.{number}" for number in (before, *range(10, 210))}
    assert len(answers) > times
    assert [one for one in answers if one not in valid] == []
    numbers = [int(one.rpartition(".")[2]) for one in answers]
    assert numbers[-1] == 10 + (times - 1) % 200


def test_a_rollback_is_served(dns):
    dns.good(3)
    dns.update()
    dns.good(4)
    dns.update()

    dns.docker("exec", dns.id, "container", "--rollback")

    assert dns.ask() == 3


def test_what_the_image_says_of_itself(dns):
    document = json.loads(dns.docker("exec", dns.id, "container", "--metadata"))

    assert [one["project"] for one in document["ancestors"]] == ["debian_base"]
    assert document["validate"] is True
    assert dns.docker("exec", dns.id, "container", "--monitor").startswith("OK: ")
    assert "\ncontainer_build_info{" in dns.docker("exec", dns.id, "container", "--metrics")


def test_nothing_to_do_costs_less_than_three_fetches(dns):
    dns.update()
    fetch = (
        "cd /srv/.data/repository && GIT_SSH=/usr/lib/container/ssh"
        f" git fetch -q {dns.url} +HEAD:refs/container/tip"
    )

    def seconds(command):
        """The least of five, all in one exec: the machine has other work too."""
        script = (
            f"for n in 1 2 3 4 5; do begun=$(date +%s%N); {command} >/dev/null || exit;"
            " echo $(($(date +%s%N) - begun)); done"
        )
        told = dns.docker("exec", dns.id, "sh", "-c", script)
        return min(map(int, told.split())) / 1e9

    assert seconds("container --update") < 3 * seconds(fetch)


def test_a_deploy_key_is_for_its_own_repository(dns, git_server):
    git_server.repository(f"other_{dns.name}")

    done = subprocess.run(
        [
            *("docker", "exec", "--env"),
            f"CONTAINER_REPOSITORY={git_server.url(f'other_{dns.name}')}",
            *(dns.id, "container", "--update"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )

    assert f"this key is for {dns.repository}" in done.stdout
    assert done.returncode == 75
