"""Forges that sign nothing, or not the body, and tests of connections that nobody signs."""

import base64
import hashlib
import hmac
from urllib.parse import quote_plus

import pytest

from hookrunner.errors import SignatureError
from hookrunner.forges import FORGES, Request, detect

SECRET = b"sixteen bytes or more"
NOW = 1_700_000_000.0
OTHER = b"another one, not in use"


def basic(secret, user=b"hookrunner", scheme="Basic"):
    return ("Authorization", f"{scheme} {base64.b64encode(user + b':' + secret).decode()}")


@pytest.mark.parametrize("forge", ["azure-devops", "bitbucket-dc"])
def test_a_password_fits_whoever_the_user_is(forge):
    for header in (basic(SECRET), basic(SECRET, b""), basic(SECRET, b"x", "basic")):
        assert FORGES[forge].verify(Request((header,), b"{}"), [OTHER, SECRET]) == 1


def test_a_password_may_have_a_colon_and_letters_of_any_kind():
    for secret in (
        b"sixteen:bytes:or:more",
        "sechzehn Ümläute!".encode(),
        bytes(range(200, 220)),
    ):
        request = Request((basic(secret),), b"{}")
        assert FORGES["azure-devops"].verify(request, [secret]) == 0


@pytest.mark.parametrize("forge", ["azure-devops", "bitbucket-dc"])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!!",
        "Basic " + base64.b64encode(SECRET).decode(),
        "Bearer " + SECRET.decode(),
        SECRET.decode(),
        "Basic " + base64.b64encode(SECRET + b":").decode(),
        "Basic \udc80",
    ],
)
def test_an_authorization_of_another_form_is_refused(forge, value):
    with pytest.raises(SignatureError):
        FORGES[forge].verify(Request((("Authorization", value),), b"{}"), [SECRET, b""])


@pytest.mark.parametrize("forge", ["azure-devops", "gerrit", "sourcehut"])
def test_a_secret_in_the_path_fits(forge):
    request = Request((), b"{}", path_secret=SECRET.decode())

    assert FORGES[forge].verify(request, [OTHER, SECRET]) == 1
    with pytest.raises(SignatureError):
        FORGES[forge].verify(request, [OTHER])


def test_a_good_secret_in_the_path_does_not_help_a_bad_password():
    request = Request((basic(OTHER),), b"{}", path_secret=SECRET.decode())

    with pytest.raises(SignatureError):
        FORGES["azure-devops"].verify(request, [SECRET])


@pytest.mark.parametrize("forge", sorted(set(FORGES) - {"azure-devops", "gerrit", "sourcehut"}))
def test_a_secret_in_the_path_proves_nothing_to_others(forge):
    request = Request(
        (("Content-Type", "application/json"),), b"{}", path_secret="sixteen bytes or more"
    )

    with pytest.raises(SignatureError):
        FORGES[forge].verify(request, [SECRET])


def test_what_nobody_else_sends_is_taken_for_those_without_headers():
    assert detect(Request((basic(SECRET),), b"{}")) is FORGES["azure-devops"]
    assert detect(Request((), b"{}", path_secret="x")) is FORGES["gerrit"]
    assert detect(Request((("X-Event-Key", "x"), basic(SECRET)), b"")) is FORGES["bitbucket-dc"]


def gitee(timestamp, secret=SECRET, *, quoted=False, received_at=NOW):
    message = f"{timestamp}\n".encode() + secret
    token = base64.b64encode(hmac.new(secret, message, hashlib.sha256).digest()).decode()
    headers = (
        ("X-Gitee-Event", "Push Hook"),
        ("X-Gitee-Timestamp", str(timestamp)),
        ("X-Gitee-Token", quote_plus(token) if quoted else token),
    )
    return Request(headers, b"{}", received_at=received_at)


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("seconds", [0, 3599, -3599])
def test_gitees_signature_fits_within_an_hour(quoted, seconds):
    request = gitee(int(NOW + seconds) * 1000, quoted=quoted)

    assert FORGES["gitee"].verify(request, [OTHER, SECRET]) == 1


@pytest.mark.parametrize(
    "timestamp", [0, int(NOW - 3601) * 1000, int(NOW + 3601) * 1000, "1e12"]
)
def test_gitees_signature_of_another_time_is_refused(timestamp):
    with pytest.raises(SignatureError, match="timestamp"):
        FORGES["gitee"].verify(gitee(timestamp), [SECRET])


def test_gitees_signature_of_another_secret_or_time_is_refused():
    request = gitee(int(NOW) * 1000)
    moved = tuple(
        (k, "1700000001000" if k.endswith("Timestamp") else v) for k, v in request.headers
    )
    bare = tuple((k, v) for k, v in request.headers if not k.endswith("Timestamp"))

    for bad, secrets in (
        (request, [OTHER]),
        (request, [b""]),
        (Request(moved, b"{}", received_at=NOW), [SECRET]),
        (Request(bare, b"{}", received_at=NOW), [SECRET]),
    ):
        with pytest.raises(SignatureError):
            FORGES["gitee"].verify(bad, secrets)


PING = (("X-Event-Key", "diagnostics:ping"), ("X-Request-Id", "1"))


def test_bitbuckets_test_of_a_connection_needs_no_proof_and_is_nothing_more():
    test = FORGES["bitbucket-dc"].unsigned_test

    assert "a ping" in test(Request(PING, b'{"test": true}'))
    for headers in (
        (*PING, ("X-Hub-Signature", "sha256=0")),
        (*PING, basic(SECRET)),
        (("X-Event-Key", "repo:refs_changed"),),
        (*PING, ("x-event-key", "repo:refs_changed")),
        (),
    ):
        assert test(Request(headers, b"{}")) is None


def test_no_other_forge_is_answered_without_a_proof():
    for name in set(FORGES) - {"bitbucket-dc"}:
        assert FORGES[name].unsigned_test(Request(PING, b"{}")) is None
