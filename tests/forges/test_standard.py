"""Standard Webhooks signatures, as the standard's own library makes and checks them."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey
from standardwebhooks import Webhook

from hookrunner.config.loading import KEYED
from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges import FORGES, Request, detect

SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = b"whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
KEY = SigningKey(b"1" * 32)
NOW = 1_700_000_000
BODY = b'{"ref": "refs/heads/main", "after": "%s", "repository": {"full_name": "a/b"}}' % (
    b"b" * 40
)
each_forge = pytest.mark.parametrize("forge", ["standard-webhooks", "gitlab"])


def signed(body=BODY, *, secret=SECRET, at=NOW, received_at=NOW, more=(), identity="msg_1"):
    """A request that the standard's own library signed."""
    signature = Webhook(secret.decode()).sign(
        identity, datetime.fromtimestamp(at, UTC), body.decode()
    )
    headers = (
        ("Content-Type", "application/json"),
        ("webhook-id", identity),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", signature),
        *more,
    )
    return Request(headers, body, received_at=received_at)


def changed(request, name, value):
    headers = tuple((k, value if k == name else v) for k, v in request.headers)
    return Request(headers, request.body, received_at=request.received_at)


def refused(request, *secrets):
    for forge in ("standard-webhooks", "gitlab"):
        with pytest.raises(SignatureError):
            FORGES[forge].verify(request, secrets or [SECRET])
    return True


@each_forge
def test_the_standards_own_example_fits(forge):
    headers = (
        ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
        ("webhook-timestamp", "1614265330"),
        ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
    )
    request = Request(headers, b'{"test": 2432232314}', received_at=1614265330)

    assert FORGES[forge].verify(request, [SECRET]) == 0


@each_forge
def test_what_the_standards_library_signs_fits(forge):
    assert FORGES[forge].verify(signed(), [OTHER, SECRET]) == 1
    assert FORGES[forge].verify(signed(), [SECRET.removeprefix(b"whsec_")]) == 0


@each_forge
def test_a_secret_that_is_any_text_fits_as_it_is(forge):
    encoded = b"whsec_" + base64.b64encode(b"any text, not base64!")

    assert FORGES[forge].verify(signed(secret=encoded), [b"any text, not base64!"]) == 0


@each_forge
@pytest.mark.parametrize("seconds", [300, -300, 0])
def test_five_minutes_are_borne_either_way(forge, seconds):
    assert FORGES[forge].verify(signed(at=NOW + seconds), [SECRET]) == 0


@pytest.mark.parametrize("seconds", [301, -301, -86400, 10**9])
def test_an_older_or_later_request_is_refused(seconds):
    with pytest.raises(SignatureError, match="5 min"):
        FORGES["standard-webhooks"].verify(signed(at=NOW + seconds), [SECRET])
    assert refused(signed(at=NOW + seconds))


def test_a_request_without_a_time_of_receipt_is_refused():
    assert refused(Request(signed().headers, BODY))


def test_anything_changed_is_refused():
    good = signed()

    assert refused(good, OTHER)
    assert refused(good, b"", b"whsec_", b"whsec_AAAA")
    assert refused(Request(good.headers, BODY + b" ", received_at=NOW))
    assert refused(changed(good, "webhook-id", "msg_2"))
    assert refused(changed(good, "webhook-timestamp", str(NOW + 1)))
    for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
        assert refused(changed(good, name, ""))
        assert refused(Request((*good.headers, (name, "x")), BODY, received_at=NOW))


def test_one_of_several_signatures_is_enough_and_other_versions_count_for_nothing():
    good = signed()
    value = dict(good.headers)["webhook-signature"]
    old = dict(signed(secret=OTHER).headers)["webhook-signature"]

    for several in (f"{old} {value}", f"v1a,AAAA {value}", f"{value} v1,", f"v1,x  {value}"):
        assert (
            FORGES["gitlab"].verify(changed(good, "webhook-signature", several), [SECRET]) == 0
        )
    for none in (old, value.replace("v1,", "v1a,"), value.replace("v1,", "v2,"), value[3:]):
        assert refused(changed(good, "webhook-signature", none))


def test_gitlabs_token_does_not_help_a_bad_signature():
    token = (("X-Gitlab-Event", "Push Hook"), ("X-Gitlab-Token", OTHER.decode()))
    request = signed(more=token)

    assert detect(request) is FORGES["gitlab"]
    assert FORGES["gitlab"].verify(request, [SECRET]) == 0
    with pytest.raises(SignatureError, match="webhook-signature"):
        FORGES["gitlab"].verify(request, [OTHER])
    empty = changed(request, "webhook-signature", "")
    with pytest.raises(SignatureError):
        FORGES["gitlab"].verify(empty, [OTHER])


def test_the_id_that_is_signed_is_the_deliverys():
    decoded = FORGES["standard-webhooks"].decode(signed(identity="msg_42"))

    assert decoded.sender_id == "msg_42"
    assert decoded.pushes[0].repository == "a/b"


def keyed(body=BODY, *, key=KEY, at=NOW, identity="msg_1", beside=""):
    """A request that PyNaCl signed."""
    signature = key.sign(f"{identity}.{at}.".encode() + body).signature
    headers = (
        ("Content-Type", "application/json"),
        ("webhook-id", identity),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", f"{beside}v1a,{base64.b64encode(signature).decode()}"),
    )
    return Request(headers, body, received_at=NOW)


PUBLIC = bytes(KEY.verify_key)
STANDARD = FORGES["standard-webhooks"]


def test_a_key_is_enough_without_a_secret():
    assert STANDARD.prove(keyed(), [], PUBLIC) == 0
    assert STANDARD.prove(keyed(beside="v1,AAAA v1a,AAAA v1a,? "), [], PUBLIC) == 0


def test_with_a_key_and_a_secret_one_of_them_has_to_fit():
    assert STANDARD.prove(signed(), [OTHER, SECRET], PUBLIC) == 1
    assert STANDARD.prove(keyed(), [OTHER], PUBLIC) == 0
    with pytest.raises(SignatureError, match="the secret"):
        STANDARD.prove(keyed(key=SigningKey(b"2" * 32)), [OTHER], PUBLIC)


@pytest.mark.parametrize(
    "bad",
    [
        keyed(key=SigningKey(b"2" * 32)),
        keyed(at=NOW - 301),
        keyed(at=NOW + 301),
        changed(keyed(), "webhook-id", "msg_2"),
        changed(keyed(), "webhook-timestamp", str(NOW + 1)),
        changed(keyed(), "webhook-signature", "v1a,"),
        changed(keyed(), "webhook-signature", ""),
        changed(keyed(), "webhook-signature", dict(keyed().headers)["webhook-signature"][4:]),
        Request(keyed().headers, BODY + b" ", received_at=NOW),
        signed(),
    ],
)
def test_without_a_secret_only_the_key_proves_anything(bad):
    with pytest.raises(SignatureError):
        STANDARD.prove(bad, [], PUBLIC)


def test_without_a_key_its_signature_proves_nothing():
    with pytest.raises(SignatureError):
        STANDARD.prove(keyed(), [SECRET], None)
    with pytest.raises(SignatureError):
        STANDARD.prove(keyed(), [], None)


def test_only_its_sources_need_no_secret():
    assert [name for name, forge in FORGES.items() if forge.key_is_enough] == [KEYED]


@given(
    st.dictionaries(
        st.sampled_from(["webhook-id", "webhook-timestamp", "webhook-signature"]),
        st.text(st.characters()) | st.from_regex(r"[0-9]{0,400}|(v1,[A-Za-z0-9+/= ]*)+"),
        min_size=1,
    )
)
def test_any_headers_raise_nothing_but_delivery_errors(values):
    good = signed()
    request = Request(
        tuple((k, values.get(k, v)) for k, v in good.headers), BODY, received_at=NOW
    )
    if request.headers == good.headers:
        return

    with pytest.raises(DeliveryError):
        STANDARD.verify(request, [SECRET])
    with pytest.raises(DeliveryError):
        STANDARD.prove(request, [], PUBLIC)
