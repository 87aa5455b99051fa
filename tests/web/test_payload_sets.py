"""Payloads that others published, through the real server; they are read where they are.

Those of Octokit are signed by Octokit's own code as well.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parents[2].parent / "shared" / "fixtures"
PACKAGES = Path(sys.prefix) / "npm" / "node_modules"
"""Where `tests/run` puts packages of npm."""
EXAMPLES = PACKAGES / "@octokit" / "webhooks-examples"
SIGN = """
import {{ sign }} from "{module}";
import {{ createInterface }} from "node:readline";
for await (const line of createInterface({{ input: process.stdin }}))
  console.log(await sign({secret}, JSON.parse(line)));
"""
GITLAB_EVENTS = {"push": "Push Hook", "tag_push": "Tag Push Hook"}
PUSHES = {"push", "Push Hook", "Tag Push Hook"}
NO_FORGE = {"aws", "harness"}
"""Payloads of what hookrunner does not know."""


def event_of(forge, name, body):
    """The event of a recorded payload: the files have no headers, but tell it otherwise."""
    match forge:
        case "azure-devops":
            return None
        case "bitbucket-dc":
            return body["eventKey"]
        case "bitbucket-cloud":
            return "repo:push" if "push" in body else "pullrequest:created"
        case "gitlab":
            return GITLAB_EVENTS.get(body["object_kind"], "Merge Request Hook")
        case "gitee" if "ref" in body:
            return "Tag Push Hook" if "/tags/" in body["ref"] else "Push Hook"
        case "gitee":
            return "Issue Hook"
    if "commits" in body and "before" in body:
        return "push"
    kind = name.split("-")[1].removesuffix(".json")
    return {
        "branch_create": "create",
        "branch_delete": "delete",
        "tag_create": "create",
        "tag_delete": "delete",
        "HookTag": "create",
    }.get(kind, kind)


def claims(forge, event, body):
    """What a payload says itself: the repository and the ids of each ref; or nothing."""
    if forge == "bitbucket-cloud" and "push" in body:
        ids = [
            tuple((change[side] or {}).get("target", {}).get("hash") for side in ("old", "new"))
            for change in body["push"]["changes"]
        ]
        return body["repository"]["full_name"], ids
    if forge == "bitbucket-dc":
        repository = body["repository"]
        name = f"{repository['project']['key']}/{repository['slug']}"
        return name, [(c["fromHash"], c["toHash"]) for c in body["changes"]]
    if forge == "azure-devops" and "refUpdates" in body["resource"]:
        repository = body["resource"]["repository"]
        name = f"{repository['project']['name']}/{repository['name']}"
        updates = body["resource"]["refUpdates"]
        return name, [(u["oldObjectId"], u["newObjectId"]) for u in updates]
    if event not in PUSHES:
        return None, []
    project = body.get("project") or body["repository"]
    name = project.get("path_with_namespace") or project["full_name"]
    after = body["after"]
    if body["ref"].startswith("refs/tags/") and after.strip("0"):  # the commit, not the tag
        after = body.get("checkout_sha") or (body.get("head_commit") or {}).get("id") or after
    return name, [(body["before"], after)]


async def check(client, forge, event, data, said):
    """Hold what was recorded against what the payload says."""
    body = json.loads(data)
    name, ids = claims(forge, event, body)
    ignored = said.get("ignored") or ""
    if ids and "duplicate" not in ignored:  # some are the same bytes in two collections
        _, kept = await client.api("GET", f"/api/v1/deliveries/{said['delivery']}")
        told = [(push["before"] or "", push["after"] or "") for push in kept["pushes"]]
        assert told == [tuple((one or "0").strip("0") and one for one in pair) for pair in ids]
        assert kept["repository"] == name
        return 1
    assert (
        ids
        or "not a push" in ignored
        or "ping" in ignored
        or "push event" in ignored
        or (forge in {"gitea", "forgejo", "gogs"})
    )
    return 0


@pytest.mark.skipif(not FIXTURES.is_dir(), reason="not in this checkout: payloads")
async def test_recorded_payloads_are_taken_or_ignored(every_forge):
    pushes = 0
    async with every_forge() as client:
        for file in sorted(FIXTURES.glob("*/*.json")):
            forge = file.parent.name
            if forge in NO_FORGE:
                continue
            data = file.read_bytes()
            event = event_of(forge, file.name, json.loads(data))
            raw, headers, path = client.make(forge, data, event)

            status, said, _ = await client.send(raw, headers, path=path)

            assert status in {200, 202}, (file, said)
            pushes += await check(client, forge, event, data, said)
    assert pushes > 30


@pytest.mark.process
@pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason=f"no @octokit/webhooks-examples in {PACKAGES}"
)
@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize("server", ["api.github.com", "ghes-35"])
async def test_octokits_payloads_are_taken_or_ignored(every_forge, server, tmp_path):
    """More than 300 of GitHub.com, of every event, and those of a GitHub Enterprise Server."""
    listed = json.loads((EXAMPLES / server / "index.json").read_text("utf-8"))
    cases = [
        (one["name"], json.dumps(example)) for one in listed for example in one["examples"]
    ]
    async with every_forge() as client:
        signatures = octokit_signs(
            [text for _, text in cases], client.secret("github").decode(), tmp_path
        )
        pushes = 0
        for (event, text), signature in zip(cases, signatures, strict=True):
            data, headers, path = client.make("github", text.encode(), event)
            headers["X-Hub-Signature-256"] = signature

            status, said, _ = await client.send(data, headers, path=path)

            assert status in {200, 202}, (event, said)
            pushes += await check(client, "github", event, text, said)
        assert pushes >= sum(event == "push" for event, _ in cases) - 1 > 0


def octokit_signs(texts, secret, folder):
    """Signatures that @octokit/webhooks-methods makes."""
    module = PACKAGES / "@octokit" / "webhooks-methods" / "dist-node" / "index.js"
    script = folder / "sign.mjs"
    script.write_text(SIGN.format(module=module, secret=json.dumps(secret)))
    done = subprocess.run(
        ["node", str(script)],
        input="".join(json.dumps(text) + "\n" for text in texts),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split()
