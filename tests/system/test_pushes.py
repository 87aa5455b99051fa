"""From a signed push to a recorded update, through the server as it is installed."""

import asyncio
import hashlib
import hmac
import itertools
import json
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.engine

SEED = {
    "validate_method": "/srv/support/bin/validate.sh",
    "start_method": "/srv/support/bin/start.sh",
    "update_method": "/srv/support/bin/update.sh",
    "validate": True,
    "build_cause": "TIMERTRIGGER",
    "build_tag": "jenkins-docker rbldnsd-55",
    "ci": True,
    "image_tag_names": ["hub.my.net/ripienaar/rbldnsd"],
    "build_time": "2015-03-30 06:02:10",
    "build_time_stamp": 1427691730,
    "gitref": "e1b0a445744fec5e584919711cafd8f4cebdee0e",
}
SECRET = "a secret of the tests, long enough"
FORGES = ["github", "gitea", "forgejo", "gogs", "gitlab", "generic"]


def as_gitlab(body):
    repository = body["repository"]
    return {
        "object_kind": "push",
        "ref": body["ref"],
        "before": body["before"],
        "after": body["after"],
        "checkout_sha": body["after"],
        "user_username": "ada",
        "project": {
            "path_with_namespace": repository["full_name"],
            "git_http_url": repository["clone_url"],
            "default_branch": "main",
        },
        "commits": [{"id": body["after"]}],
        "total_commits_count": 1,
    }


@pytest.mark.through_gate
async def test_a_push_from_every_forge_updates_its_container(make_site, make_server):
    site, server = make_site("forges"), await make_server()
    await server.knows(site)

    for forge in FORGES:
        body = site.push()
        told = as_gitlab(body) if forge == "gitlab" else body
        status, answer = await server.deliver(told, source=forge)
        run = await server.finished(answer["run"])

        assert status == 202, answer
        # None yet where another test's container is just being asked what it is.
        assert [one["container"] for one in answer["targets"]] in ([site.container], [])
        assert answer["pushes"][0]["run"] == answer["run"]
        [step] = run["steps"]
        assert step["container"] == site.container
        assert (run["status"], step["outcome"], step["gitref"]) == (
            "succeeded",
            "updated",
            body["after"],
        ), step


@pytest.mark.both_engines
@pytest.mark.through_gate
async def test_a_hand_written_container_with_the_seeds_json_is_found_by_its_project(
    make_site, make_server, docker, run_id, base_image
):
    project = f"{run_id}-rbldnsd"
    metadata = SEED | {"project": project, "image_name": f"ops/{project}"}
    image = docker(
        *("build", "-q", "--label", f"hookrunner.test={run_id}", "-"),
        stdin=f"FROM {base_image}\n"
        f"RUN mkdir /etc/container && echo '{json.dumps(metadata)}' >"
        f" /etc/container/metadata.json\n".encode(),
    )
    site = make_site("seed", image=image, labels={}, repository=f"docker_{project}")
    server = await make_server()
    await server.knows(site)

    status, answer = await server.deliver(site.push(), source="github")
    run = await server.finished(answer["run"])

    assert status == 202
    _, delivery = await server.api("GET", f"/deliveries/{answer['delivery']}")
    [verdict] = [one for one in delivery["verdicts"] if one["target"]]
    assert verdict["reason"].startswith(("project", "gitref"))
    assert run["steps"][0]["outcome"] == "updated"
    _, found = await server.api("GET", f"/containers/{site.id[:12]}?metadata=true")
    assert (found["project"], found["gitref"]) == (project, SEED["gitref"])
    assert found["current_gitref"] == site.head
    assert found["origins"]["project"] == "container --metadata"


async def test_without_a_name_the_source_is_the_one_whose_forge_and_secret_fit(
    make_site, make_server
):
    site, server = make_site("unnamed"), await make_server()
    await server.knows(site)

    for forge in ("gitea", "github"):
        _, answer = await server.deliver(site.push(), source=forge, path="/hooks")
        await server.finished(answer["run"])
        _, delivery = await server.api("GET", f"/deliveries/{answer['delivery']}")
        assert (delivery["source"], delivery["forge"]) == (forge, forge)

    status, _ = await server.deliver(site.push(), source="gitea", path="/hooks/github")
    assert status == 401


@pytest.mark.parametrize("forge", ["github", "gitea"])
async def test_form_bodies_are_signed_as_each_forge_does(make_site, make_server, forge):
    site, server = make_site("form"), await make_server()
    await server.knows(site)
    payload = json.dumps(site.push())
    form = urlencode({"payload": payload}).encode()
    signed = form if forge == "github" else payload.encode()
    digest = hmac.new(f"{SECRET} of {forge}".encode(), signed, hashlib.sha256).hexdigest()
    proof = {
        "github": {"X-Hub-Signature-256": f"sha256={digest}"},
        "gitea": {"X-Gitea-Signature": digest},
    }[forge]

    status, answer = await server.deliver(
        form,
        source=forge,
        headers={"Content-Type": "application/x-www-form-urlencoded"} | proof,
    )

    assert status == 202, answer
    assert (await server.finished(answer["run"]))["steps"][0]["outcome"] == "updated"


async def test_what_is_not_for_us_is_200_with_the_reason(make_site, make_server):
    site, server = make_site("ignored"), await make_server()
    await server.knows(site)
    push = site.push()
    cases = {
        "deleted": push | {"after": "0" * 40},
        "is a tag": push | {"ref": "refs/tags/v1"},
        "follows the branch": push | {"ref": "refs/heads/topic"} | {"default_branch": "x"},
        "test delivery": push | {"before": push["after"]},
        "no running container": push
        | {"repository": {"full_name": "ops/x", "clone_url": "https://git.example.net/ops/x"}},
        "may not speak for": push
        | {"repository": {"full_name": "a/x", "clone_url": "https://git.example.net/a/x"}},
    }

    for reason, body in cases.items():
        status, answer = await server.deliver(body)
        assert (status, reason in answer.get("ignored", "")) == (200, True), (reason, answer)

    status, answer = await server.deliver(
        {"zen": "x"}, source="github", headers={"X-GitHub-Event": "ping"}
    )
    assert (status, "ping" in answer["ignored"]) == (200, True)
    _, runs = await server.api("GET", "/runs")
    assert runs["items"] == []


async def test_what_is_wrong_is_refused_and_never_an_error_of_ours(make_server):
    server = await make_server()
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    cases = [
        (401, {"ref": "x"}, {"sign": False}),
        (401, {"ref": "x"}, {"headers": {"X-Hub-Signature-256": "sha256=" + "0" * 64}}),
        (401, {"ref": "x"}, {"headers": {"X-Hub-Signature-256": "sha256=\u00e4\u20ac"}}),
        (400, b"no json", {}),
        (400, b"[1]", {}),
        (400, deep, {}),
        (400, {"ref": 1, "after": {}, "repository": []}, {}),
        (413, b" " * (25 * 2**20 + 1), {}),
        (415, b"<x/>", {"headers": {"Content-Type": "text/xml"}}),
    ]

    for wanted, body, options in cases:
        status, answer = await server.deliver(body, **options)
        assert (status, answer["status"]) == (wanted, wanted), (body[:20], answer)
    assert '"request failed"' not in server.log()


async def test_a_redelivery_is_a_duplicate_unless_the_first_failed(make_site, make_server):
    site, server = make_site("again"), await make_server()
    await server.knows(site)
    body = site.push() | {"delivery": "first"}

    _, first = await server.deliver(body)
    await server.finished(first["run"])
    status, again = await server.deliver(body)

    assert (status, again.get("run")) == (200, None)
    assert first["delivery"] in again["ignored"]

    site.script("exit 1")
    failing = site.push() | {"delivery": "second"}
    _, failed = await server.deliver(failing)
    await server.finished(failed["run"])
    site.script("git -C /srv/data pull -q")
    status, repeated = await server.deliver(failing)

    assert status == 202
    assert (await server.finished(repeated["run"]))["status"] == "succeeded"


@pytest.mark.both_engines
async def test_100_pushes_while_an_update_runs_make_one_more_of_the_newest(
    make_site, make_server, until
):
    site, server = make_site("flood"), await make_server()
    site.script(
        "echo run >>/srv/ran; while [ ! -e /srv/go ]; do sleep 0.05; done;"
        " git -C /srv/data pull -q"
    )
    await server.knows(site)
    _, first = await server.deliver(site.push())

    async def ran():
        return (site.directory / "ran").exists()

    await until(ran)
    invented = [site.head, *(f"{n:040x}" for n in range(1, 100))]
    answers = [await server.deliver(site.body(*two)) for two in itertools.pairwise(invented)]
    site.push()
    answers.append(await server.deliver(site.body(invented[-1], site.head)))
    (site.directory / "go").touch()
    last = await server.finished(answers[-1][1]["run"])  # known by its start

    async def all_lead_to_it():
        _, found = await server.api("GET", "/runs?status=superseded&limit=100")
        led = {
            run["id"]
            for run in found["items"]
            if run["steps"][0]["superseded_by"] == last["steps"][0]["id"]
        }
        return led == {answer["run"] for _, answer in answers[:-1]} and len(led) == 99

    await until(all_lead_to_it)
    first = await server.finished(first["run"])
    assert site.head in {first["steps"][0]["gitref"], last["steps"][0]["gitref"]}
    assert last["status"] == "succeeded"
    assert len((site.directory / "ran").read_text().split()) <= 2


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("exit 65", ("failed", "failed", "invalid", 65)),
        ("exit 78", ("failed", "failed", "error", 78)),
        ("exit 42", ("failed", "failed", "error", 42)),
        ("exit 75", ("queued", "failed", "retry", 75)),
        ("exit 0", ("queued", "failed", "behind", 0)),
    ],
)
async def test_exit_codes_mean_what_the_contract_says(
    make_site, make_server, until, script, wanted
):
    site, server = make_site("codes"), await make_server()
    site.script(script)
    await server.knows(site)

    _, answer = await server.deliver(site.push())

    async def look():
        _, run = await server.api("GET", f"/runs/{answer['run']}")
        return run if run["steps"] and run["steps"][0]["finished_at"] else None

    run = await until(look)
    step = run["steps"][0]
    assert (step["status"], step["outcome"], step["exit_code"]) == wanted[1:]
    if wanted[0] == "queued":
        assert run["status"] == "running"
        assert run["steps"][1]["not_before"] > step["finished_at"]
        status, _ = await server.api("POST", f"/runs/{run['id']}/cancel")
        assert status == 202
        run = await server.finished(run["id"])
        assert run["status"] == "cancelled"


@pytest.mark.both_engines
@pytest.mark.through_gate
async def test_output_is_recorded_byte_for_byte_and_told_apart(make_site, make_server):
    site, server = make_site("bytes"), await make_server()
    data = bytes(range(256)) * 2000
    (site.directory / "data.bin").write_bytes(data)
    site.script(
        "git -C /srv/data pull -q; cat /srv/data.bin;"
        " cat /srv/data.bin /srv/data.bin >&2; echo '>> Two' >&2"
    )
    await server.knows(site)
    _, answer = await server.deliver(site.push())
    run = await server.finished(answer["run"])
    step = run["steps"][0]

    for restart in (False, True):
        if restart:
            server.stop()
            await server.start()
        path = f"/runs/{run['id']}/output?step={step['id']}&stream="
        _, stdout = await server.api("GET", f"{path}stdout")
        _, stderr = await server.api("GET", f"{path}stderr")

        assert (stdout, stderr) == (data, data + data + b">> Two\n")
    assert step["output_bytes"] == len(data) * 3 + 7
    assert step["truncated"] is False


async def test_different_containers_run_in_parallel_up_to_the_limit(
    make_site, make_server, until
):
    sites = [make_site(f"par{n}") for n in range(2)]
    server = await make_server()
    for site in sites:
        site.script("touch /srv/started; while [ ! -e /srv/go ]; do sleep 0.05; done")
    await server.knows(*sites)

    answers = [await server.deliver(site.push()) for site in sites]

    async def both_run():
        return all((site.directory / "started").exists() for site in sites)

    await until(both_run)
    for site in sites:
        (site.directory / "go").touch()
    await asyncio.gather(*(server.api("POST", f"/runs/{a['run']}/cancel") for _, a in answers))
