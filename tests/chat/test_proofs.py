"""Who may be believed: each platform's proof, and for how long."""

from contextlib import suppress

import chatting
import pytest
from chatting import NOW, SECRETS, SENT
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.chat import PLATFORMS
from hookrunner.errors import DeliveryError, SignatureError
from hookrunner.forges import Request

each_platform = pytest.mark.parametrize("name", PLATFORMS)
with_a_time = pytest.mark.parametrize("name", sorted({*PLATFORMS} - {"mattermost"}))
SIGNED = {"slack": "X-Slack-Signature", "discord": "X-Signature-Ed25519"}
SIGNED |= {"teams": "Authorization", "mattermost": "Authorization"}


def request(headers, body, *, received_at=NOW):
    return Request(tuple(headers.items()), body, received_at=received_at)


def sent(name, text="status", *, received_at=NOW, **more):
    return request(*SENT[name](text, **more), received_at=received_at)


def test_slacks_own_example_verifies():
    """From Slack's page on verifying requests."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2F"
        b"commands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0="
        "a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }

    assert PLATFORMS["slack"].verify(request(headers, body), [b"other" * 5, SECRETS["slack"]])
    with pytest.raises(SignatureError):
        PLATFORMS["slack"].verify(request(headers, body + b" "), [SECRETS["slack"]])


def test_a_known_answer_of_ed25519_verifies():
    """RFC 8032 section 7.1, test 2: the message is one byte, here that of the time."""
    key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    headers = {"X-Signature-Timestamp": "r", "X-Signature-Ed25519": signature}

    with pytest.raises(SignatureError, match="timestamp is not a number"):
        PLATFORMS["discord"].verify(request(headers, b""), [bytes.fromhex(key)])
    with pytest.raises(SignatureError, match="signature is not of that key"):
        PLATFORMS["discord"].verify(request(headers, b"x"), [bytes.fromhex(key)])


@each_platform
def test_a_proven_request_tells_which_secret_fits(name):
    other = {"discord": []}.get(name, [b"YW5vdGhlciBrZXkgb2YgdGhlIHRlc3Rz"])

    assert PLATFORMS[name].verify(sent(name), [SECRETS[name]]) == 0
    assert PLATFORMS[name].verify(sent(name), [*other, SECRETS[name]]) == len(other)


@each_platform
def test_what_does_not_fit_is_refused_with_what_would(name):
    headers, body = SENT[name]("status")
    kept = {key: value for key, value in headers.items() if key != SIGNED[name]}
    forged = [request(kept | {SIGNED[name]: proof}, body) for proof in ("", "x", "\udc80")]
    forged += [request(kept | {SIGNED[name]: "HMAC x"}, body)]
    forged += [request(kept, body.replace(b"token=", b"nothing="))]
    if name != "mattermost":
        forged.append(request(headers, body.replace(b"status", b"update")))

    for one in forged:
        with pytest.raises(SignatureError) as refused:
            PLATFORMS[name].verify(one, [SECRETS[name]])
        assert refused.value.hint == PLATFORMS[name].key
    for wrong in ([b"x" * 32], [bytes(32)]):
        with pytest.raises(SignatureError):
            PLATFORMS[name].verify(sent(name), wrong)


@with_a_time
@pytest.mark.parametrize("seconds", [300, -299, 0])
def test_five_minutes_are_borne_either_way(name, seconds):
    assert PLATFORMS[name].verify(sent(name, received_at=NOW + seconds), [SECRETS[name]]) == 0


@with_a_time
@pytest.mark.parametrize("seconds", [302, -302, 1e9])
def test_what_was_kept_and_is_sent_again_is_refused(name, seconds):
    with pytest.raises(SignatureError, match="differs by more than 5 min"):
        PLATFORMS[name].verify(sent(name, received_at=NOW + seconds), [SECRETS[name]])


def test_teams_says_when_in_what_it_signs_or_never():
    headers, body = chatting.teams("status", timestamp=None)
    assert PLATFORMS["teams"].verify(request(headers, body), [SECRETS["teams"]]) == 0

    with pytest.raises(DeliveryError, match="no time"):
        PLATFORMS["teams"].verify(sent("teams", timestamp="soon"), [SECRETS["teams"]])


def test_mattermosts_token_counts_in_the_form_only_without_a_header():
    headers, body = chatting.mattermost("status")
    form_alone = {"Content-Type": headers["Content-Type"]}
    wrong_header = headers | {"Authorization": "Token wrong"}

    assert (
        PLATFORMS["mattermost"].verify(request(form_alone, body), [SECRETS["mattermost"]]) == 0
    )
    with pytest.raises(SignatureError):
        PLATFORMS["mattermost"].verify(request(wrong_header, body), [SECRETS["mattermost"]])


def test_a_security_token_of_teams_is_base64():
    assert PLATFORMS["teams"].fits(SECRETS["teams"])
    assert not PLATFORMS["teams"].fits(b"not base64!")


@each_platform
@given(data=st.data())
def test_nothing_but_a_delivery_error_comes_of_any_request(name, data):
    texts = st.text() | st.binary().map(lambda b: b.decode("utf-8", "surrogateescape"))
    headers, body = SENT[name]("status")
    headers |= data.draw(st.dictionaries(st.sampled_from(sorted(headers)), texts))
    body = data.draw(st.binary() | st.just(body))

    with suppress(DeliveryError):
        PLATFORMS[name].verify(request(headers, body), [SECRETS[name]])
    with suppress(DeliveryError):
        PLATFORMS[name].decode(request(headers, body))
    assert PLATFORMS[name].is_test(request(headers, body)) in {True, False}
