"""The signature of an instance, and what it does not prove."""

import base64
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges import FORGES, Request
from hookrunner.forges.sourcehut import PUBLIC_KEY

SOURCEHUT = FORGES["sourcehut"]
BODY = b'{"data": {}}'
NONCE = "0123456789abcdef"


@pytest.fixture(scope="module")
def instance():
    return SigningKey.generate()


def signed(instance, secret, *, body=BODY, nonce=NONCE, signature=None):
    made = instance.sign(body + nonce.encode()).signature if signature is None else signature
    headers = (
        ("Content-Type", "application/json"),
        ("X-Payload-Nonce", nonce),
        ("X-Payload-Signature", base64.b64encode(made).decode()),
    )
    return Request(headers, body, path_secret=secret)


def test_the_secret_and_the_instances_signature_are_needed_both(instance):
    good, key = signed(instance, "in the path, so long"), bytes(instance.verify_key)

    assert SOURCEHUT.prove(good, [b"other", b"in the path, so long"], key) == 1
    for secrets, wrong in (
        ([b"other"], key),
        ([], key),
        ([b"in the path, so long"], bytes(SigningKey.generate().verify_key)),
        ([b"in the path, so long"], None),
    ):
        with pytest.raises(SignatureError):
            SOURCEHUT.prove(good, secrets, wrong)


def test_a_signature_of_anything_else_is_refused(instance):
    key, secret = bytes(instance.verify_key), "in the path, so long"
    good = signed(instance, secret)
    other = instance.sign(b"{}" + NONCE.encode()).signature

    for bad in (
        Request(good.headers, BODY + b" ", path_secret=secret),
        Request(good.headers, BODY),
        signed(instance, secret, signature=other),
        signed(instance, secret, signature=b""),
        signed(instance, secret, signature=bytes(64)),
        Request((*good.headers, ("x-payload-nonce", "1")), BODY, path_secret=secret),
        Request((*good.headers, ("x-payload-signature", "1")), BODY, path_secret=secret),
        Request(good.headers[:1], BODY, path_secret=secret),
    ):
        with pytest.raises(SignatureError):
            SOURCEHUT.prove(bad, [secret.encode()], key)


@given(st.text(st.characters()), st.text(st.characters()), st.binary(max_size=40))
def test_any_signature_and_any_key_raise_nothing_but_signature_errors(nonce, signature, key):
    headers = (("X-Payload-Nonce", nonce), ("X-Payload-Signature", signature))

    with pytest.raises(SignatureError):
        SOURCEHUT.verify_key(Request(headers, BODY), key)


def test_without_the_package_it_is_refused_and_says_how_to_get_it(instance, monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    with pytest.raises(SignatureError) as raised:
        SOURCEHUT.prove(signed(instance, "x" * 16), [b"x" * 16], bytes(instance.verify_key))

    assert "hookrunner[crypto]" in raised.value.hint


def test_the_key_of_srht_is_one():
    assert len(PUBLIC_KEY) == 32


@pytest.mark.parametrize(
    "webhook",
    [
        {"event": "GIT_POST_RECEIVE"},
        {"event": "GIT_POST_RECEIVE", "updates": [{"ref": {"name": "refs/heads/main"}}]},
        {
            "event": "GIT_POST_RECEIVE",
            "updates": [{"ref": {"name": "refs/heads/main"}, "new": {"id": "b" * 40}}],
            "repository": {"name": "www"},
        },
    ],
)
def test_a_query_that_asks_for_less_is_told_where_the_right_one_is(webhook, send):
    request = send("sourcehut", {"data": {"webhook": webhook}}, event="GIT_POST_RECEIVE")

    with pytest.raises(DeliveryError) as raised:
        SOURCEHUT.decode(request)

    assert "hookrunner help sourcehut" in raised.value.hint


def test_the_event_that_is_signed_counts_and_not_the_headers(send):
    body = {"data": {"webhook": {"event": "REPO_DELETED", "updates": []}}}

    decoded = SOURCEHUT.decode(send("sourcehut", body, event="GIT_POST_RECEIVE"))

    assert "REPO_DELETED" in decoded.ignored
