"""Payloads that forges really sent, as far as others published them."""

import json

import pytest

from hookrunner.errors import DeliveryError
from hookrunner.forges import FORGES, Request, detect

RECORDED = ["forgejo", "gitea", "github", "gitlab", "gogs"]
GITLAB = {"push": "Push Hook", "tag_push": "Tag Push Hook", "note": "Note Hook"}


def event_of(forge, name, payload):
    """The event header; the files have none, but are called after it."""
    if forge == "gitlab":
        return GITLAB.get(payload["object_kind"], "Merge Request Hook")
    kind = name.removesuffix(".json").split("-")[1]
    if kind in {"HookPush", "HookTag"}:
        return "push" if kind == "HookPush" else "create"
    if kind.startswith("push"):
        return "push"
    return {
        "branch_create": "create",
        "branch_delete": "delete",
        "tag_create": "create",
        "tag_delete": "delete",
    }.get(kind, kind)


@pytest.mark.parametrize("forge", RECORDED)
def test_every_recorded_payload_is_a_push_or_ignored(forge, fixtures, send, secret):
    files = sorted((fixtures / forge).glob("*.json"))
    for file in files:
        body = file.read_bytes()
        event = event_of(forge, file.name, json.loads(body))
        request = send(forge, body, event=event)

        assert detect(request).verify(request, [secret]) == 0, file.name
        decoded = detect(request).decode(request)

        assert bool(decoded.pushes) != bool(decoded.ignored), file.name
        if event in {"push", "Push Hook", "Tag Push Hook"}:
            assert decoded.pushes, file.name
            check(decoded.pushes[0], json.loads(body), file.name)
    assert files


def check(push, payload, name):
    """What go-scm's golden files say of the same payloads: ref, before, after."""
    assert push.ref == payload["ref"], name
    assert push.before == (payload["before"] if payload["before"].strip("0") else None), name
    assert push.after == (payload["after"] if payload["after"].strip("0") else None), name
    assert push.repository in push.urls[0], name
    told = payload.get("project", payload["repository"]).get("default_branch")
    assert push.default_branch == told, name
    assert not any("api." in url for url in push.urls), name


@pytest.mark.parametrize("forge", FORGES)
@pytest.mark.parametrize("event", ["push", "create", "delete", "System Hook", "Tag Push Hook"])
def test_recorded_payloads_under_another_name_do_no_harm(forge, event, fixtures, send):
    """Whatever header and body come together: a push, a reason, or the sender's fault."""
    for file in sorted(fixtures.glob("*/*.json")):
        try:
            decoded = FORGES[forge].decode(send(forge, file.read_bytes(), event=event))
        except DeliveryError:
            continue
        assert bool(decoded.pushes) != bool(decoded.ignored), file


@pytest.mark.parametrize(
    ("forge", "name", "ref"),
    [
        ("gitea", "goscm-branch_delete", "refs/heads/feature"),
        ("gogs", "goscm-branch_delete", "refs/heads/feature"),
        ("gogs", "goscm-tag_delete", "refs/tags/v1.0.0"),
        ("gitlab", "goscm-branch_delete", "refs/heads/feature"),
        ("github", "goscm-push_branch_delete", "refs/heads/feature-branch"),
    ],
)
def test_recorded_deletions_are_deletions(forge, name, ref, fixtures, send):
    body = (fixtures / forge / f"{name}.json").read_bytes()
    event = event_of(forge, f"{name}.json", json.loads(body))

    (push,) = FORGES[forge].decode(send(forge, body, event=event)).pushes

    assert (push.ref, push.deleted, push.after) == (ref, True, None)


def test_a_recorded_form_of_github_is_a_ping(fixtures):
    folder = fixtures / "github" / "form"
    headers = json.loads((folder / "gidgethub-ping-form.headers.json").read_text())
    request = Request(
        tuple(headers.items()), (folder / "gidgethub-ping-form.body").read_bytes()
    )

    decoded = detect(request).decode(request)

    assert decoded.forge == "github"
    assert decoded.ignored.startswith("a ping: ")
    assert decoded.sender_id == "44840d80-36a8-11e7-89d0-954e94e187c2"
