"""Every forge's deliveries through the real server, as documented, and as nobody should."""

import base64
import json
import logging
import sys
import time

import msgspec
import pytest
import senders
from gidgethub.sansio import Event
from nacl.signing import SigningKey

from hookrunner import app
from hookrunner.config import loads
from hookrunner.errors import ConfigError
from hookrunner.forges import FORGES


def documented(forge, name="push"):
    return json.loads((senders.DELIVERIES / forge / f"{name}.json").read_text("utf-8"))


def counts_here(push):
    """It is a branch that is still there, and moved; no project here wants tags."""
    is_test = push.get("before") == push.get("after")
    return not push.get("deleted") and not is_test and "refs/tags/" not in push["ref"]


def told(push):
    return push["ref"], push.get("before"), push.get("after")


async def test_documented_deliveries_are_taken_or_ignored_with_a_reason(every_forge):
    async with every_forge() as client:
        for file in sorted(senders.DELIVERIES.glob("*/*.json")):
            wanted = documented(file.parent.name, file.stem)
            data, headers, path = client.make(file.parent.name, wanted["body"], wanted["event"])

            status, said, _ = await client.send(data, headers, path=path)

            assert status in {200, 202}, (file, said)
            if "ignored" in wanted:
                assert wanted["ignored"] in said["ignored"], file
                continue
            _, kept = await client.api("GET", f"/api/v1/deliveries/{said['delivery']}")
            assert [told(p) for p in kept["pushes"]] == [told(p) for p in wanted["pushes"]]
            assert kept["repository"] == wanted["pushes"][0]["repository"], file
            counts = [counts_here(push) for push in wanted["pushes"]]
            assert status == (202 if any(counts) else 200), (file, said)
            assert [bool(p["run"]) for p in kept["pushes"]] == counts, file


async def test_githubs_deliveries_are_those_that_gidgethub_believes(every_forge):
    """Its check is somebody else's code, and so says whether what is sent here is right."""
    async with every_forge() as client:
        for form in (False, True):
            body = documented("github")["body"] | {"form": form}
            data, headers, path = client.make("github", body, "push", form=form)
            lower = {name.lower(): value for name, value in headers.items()}

            event = Event.from_http(lower, data, secret=client.secret("github").decode())
            status, said, _ = await client.send(data, headers, path=path)

            assert event.data["after"] == said["pushes"][0]["after"]
            assert status == 202


async def test_a_proof_of_one_forge_opens_no_other_source(every_forge):
    async with every_forge() as client:
        for forge in FORGES:
            said = documented(forge)
            data, headers, path = client.make(forge, said["body"], said["event"])
            for other in set(FORGES) - {forge}:
                away = path.replace(f"/hooks/{forge}", f"/hooks/{other}", 1)
                status = await client.status(data, headers, path=away)
                assert status in {401, 415, 429}, (forge, other)
        assert await client.runs() == []


async def test_a_test_of_a_connection_that_nobody_signs_is_answered_and_kept_nowhere(
    every_forge,
):
    ping = {"X-Event-Key": "diagnostics:ping", "Content-Type": "application/json"}
    async with every_forge() as client:
        status, said, _ = await client.send(b'{"test": true}', ping, path="/hooks/bitbucket-dc")

        assert status == 200
        assert said["delivery"] is None
        assert said["ignored"].startswith("a ping: ")
        for path in ("/hooks/bitbucket-cloud", "/hooks/github"):
            assert await client.status(b'{"test": true}', ping, path=path) == 401
        signed = ping | {"X-Hub-Signature": "sha256=" + "0" * 64}
        assert await client.status(b"{}", signed, path="/hooks/bitbucket-dc") == 401
        _, listed = await client.api("GET", "/api/v1/deliveries")
        assert listed["items"] == []


async def test_a_secret_in_the_path_may_have_any_character_and_is_shown_nowhere(
    door, capfd, caplog
):
    secret = "a/b+c=d e%f?sixteen"
    config = (
        "sources:\n  review: {forge: gerrit, secret_env: GERRIT, repositories: ['**'],"
        " url: 'https://review.example.net/{repository}'}\n"
    )
    quoted = "a/b+c=d%20e%25f%3Fsixteen"
    with caplog.at_level(logging.DEBUG):
        async with door(config, GERRIT=secret) as client:
            data = json.dumps(documented("gerrit")["body"]).encode()
            headers = {"Content-Type": "application/json"}
            good = await client.send(data, headers, path=f"/hooks/review/{quoted}")
            again = await client.send(data, headers, path=f"/hooks/review/{quoted}")
            bad = await client.send(b"{", headers, path=f"/hooks/review/{quoted}")
            wrong = await client.send(data, headers, path=f"/hooks/review/{quoted}x")
            none = await client.send(data, headers, path="/hooks/review")
            _, listed = await client.api("GET", "/api/v1/deliveries", text=True)

    assert [one[0] for one in (good, again, bad, wrong, none)] == [202, 200, 400, 401, 401]
    assert "duplicate" in again[1]["ignored"]
    written = "".join([*capfd.readouterr(), caplog.text, listed, str(bad), str(wrong)])
    assert "sixteen" not in written


async def test_a_standard_webhook_that_is_kept_and_sent_later_is_refused(every_forge):
    async with every_forge() as client:
        secret, codes = client.secret("standard-webhooks"), []
        data = json.dumps(documented("standard-webhooks")["body"]).encode()
        for seconds in (-310, 0, 330):
            headers = {"Content-Type": "application/json"} | senders.standard_headers(
                data, secret, f"msg_{seconds}", seconds=seconds
            )
            codes.append(await client.status(data, headers, path="/hooks/standard-webhooks"))

        assert codes == [401, 202, 401]


async def test_a_sender_of_standard_webhooks_with_a_key_needs_no_secret(door):
    key = SigningKey.generate()
    public = "whpk_" + base64.b64encode(bytes(key.verify_key)).decode()
    source = f"{{forge: standard-webhooks, public_key: {public}, repositories: ['**']}}"
    async with door(f"sources:\n  builds: {source}\n") as client:
        data = json.dumps(documented("standard-webhooks")["body"]).encode()

        async def send(signer, *, path="/hooks"):
            at = str(int(time.time()))
            signed = signer.sign(f"msg_1.{at}.".encode() + data)
            headers = {
                "Content-Type": "application/json",
                "webhook-id": "msg_1",
                "webhook-timestamp": at,
                "webhook-signature": f"v1a,{base64.b64encode(signed.signature).decode()}",
            }
            return await client.status(data, headers, path=path)

        assert await send(SigningKey.generate()) == 401
        assert await send(key) == 202
        assert await send(key, path="/hooks/builds") == 200, "a duplicate"


KEY = "mS0VFG9WzQYUgMB9pV6l8Xb8aXWnCZlU1PEyKFFVYbU="


@pytest.mark.parametrize(
    "source",
    [
        "{forge: sourcehut, secret_env: X, repositories: ['~jo/*']}",
        f"{{forge: standard-webhooks, public_key: {KEY}, repositories: ['~jo/*']}}",
    ],
)
async def test_a_forge_whose_package_is_missing_does_not_start(monkeypatch, tmp_path, source):
    monkeypatch.setitem(sys.modules, "cryptography", None)
    config = loads(f"sources:\n  srht: {source}\n", name="hookrunner.yaml")

    with pytest.raises(ConfigError, match="`srht` is of s") as raised:
        await app.run(msgspec.structs.replace(config, state=str(tmp_path)), lambda: config)

    assert raised.value.exit_code == 78
    assert "pip install 'hookrunner[crypto]'" in raised.value.hint
