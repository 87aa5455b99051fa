import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.errors import DeliveryError, MediaTypeError, SignatureError
from hookrunner.forges import FORGES, Request
from hookrunner.forges.signature import verify_hmac_sha256, verify_token

PROOFS = {
    "forgejo": "X-Forgejo-Signature",
    "gitea": "X-Gitea-Signature",
    "gogs": "X-Gogs-Signature",
    "gitlab": "X-Gitlab-Token",
    "github": "X-Hub-Signature-256",
    "bitbucket-cloud": "X-Hub-Signature",
    "bitbucket-dc": "X-Hub-Signature",
    "azure-devops": "Authorization",
    "gitee": "X-Gitee-Token",
    "standard-webhooks": "webhook-signature",
    "generic": "X-Hub-Signature-256",
}
SIGNED = sorted(set(PROOFS) - {"gitlab", "gitee", "azure-devops"})
HEXADECIMAL = sorted(set(SIGNED) - {"standard-webhooks"})
each_forge = pytest.mark.parametrize("forge", PROOFS)


def test_githubs_own_example_verifies():
    """From GitHub's page on validating deliveries."""
    digest = b"757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    request = Request((("X-Hub-Signature-256", "sha256=" + digest.decode()),), b"Hello, World!")

    assert FORGES["github"].verify(request, [b"It's a Secret to Everybody"]) == 0
    with pytest.raises(SignatureError):
        FORGES["github"].verify(request, [b"It's a secret to everybody"])


def test_every_forge_has_a_proof():
    assert {*PROOFS, "gerrit", "sourcehut"} == set(FORGES)


def test_whoever_signs_no_body_is_marked_weaker():
    weaker = {name for name, forge in FORGES.items() if forge.weakness}

    assert weaker == {"gitlab", "gitee", "azure-devops", "gerrit", "bitbucket-dc", "sourcehut"}


@each_forge
def test_the_index_of_the_secret_that_fits_is_told(forge, send, push_of, secret):
    request = send(forge, push_of(forge))

    assert FORGES[forge].verify(request, [secret]) == 0
    assert FORGES[forge].verify(request, [b"the new one, not yet in use", secret]) == 1
    assert FORGES[forge].verify(request, [secret, b"old", secret]) == 0


@each_forge
def test_another_secret_or_none_fits_nothing(forge, send, push_of, secret):
    request = send(forge, push_of(forge))

    for secrets in ([], [b""], [secret + b"x"], [secret[:-1]], [secret.upper()]):
        with pytest.raises(SignatureError):
            FORGES[forge].verify(request, secrets)


@each_forge
def test_a_webhook_without_a_secret_is_refused(forge, send, push_of, secret):
    request = send(forge, push_of(forge), secret=None)

    for secrets in ([secret], [b""], []):
        with pytest.raises(SignatureError):
            FORGES[forge].verify(request, secrets)


@pytest.mark.parametrize("forge", SIGNED)
def test_a_changed_body_is_refused(forge, send, push_of, secret):
    request = send(forge, push_of(forge))
    forged = Request(request.headers, request.body.replace(b"main", b"prod"))

    with pytest.raises(SignatureError):
        FORGES[forge].verify(forged, [secret])


@each_forge
@pytest.mark.parametrize(
    "value",
    [
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha256=" + "0" * 100_000,
        "sha1=" + "0" * 40,
        "0" * 64,
        "\xe9" * 64,
        "sha256=\udc80\udcff",
        "\ud800",
        "sha256=\x00",
        "sha256=sha256=" + "0" * 64,
    ],
)
def test_a_bad_proof_is_a_signature_error(forge, value, send, push_of, secret):
    request = send(forge, push_of(forge), change={PROOFS[forge]: value})

    with pytest.raises(SignatureError):
        FORGES[forge].verify(request, [secret])


@each_forge
def test_a_proof_that_comes_twice_is_refused(forge, send, push_of, secret):
    request = send(forge, push_of(forge))
    value = request.header(PROOFS[forge])
    doubled = Request((*request.headers, (PROOFS[forge].lower(), value)), request.body)

    with pytest.raises(SignatureError):
        FORGES[forge].verify(doubled, [secret])


@pytest.mark.parametrize("forge", HEXADECIMAL)
def test_upper_case_digits_fit(forge, send, push_of, secret):
    digits = send(forge, push_of(forge)).header(PROOFS[forge]).removeprefix("sha256=")
    prefix = "sha256=" if PROOFS[forge].startswith("X-Hub") else ""
    request = send(forge, push_of(forge), change={PROOFS[forge]: prefix + digits.upper()})

    assert FORGES[forge].verify(request, [secret]) == 0


@pytest.mark.parametrize("forge", ["github", "generic"])
def test_the_prefix_has_to_be_there(forge, send, push_of, secret):
    digits = send(forge, push_of(forge)).header(PROOFS[forge]).removeprefix("sha256=")

    with pytest.raises(SignatureError):
        FORGES[forge].verify(
            send(forge, push_of(forge), change={PROOFS[forge]: digits}), [secret]
        )


def test_github_signs_the_form_and_gitea_what_is_in_it(send, push_of, secret):
    """Neither fits the other, even with the header's name changed."""
    github = send("github", push_of("github"), form=True)
    gitea = send("gitea", push_of("gitea"), form=True)
    digits = github.header("X-Hub-Signature-256").removeprefix("sha256=")
    as_gitea = Request((*github.headers, ("X-Gitea-Signature", digits)), github.body)

    assert FORGES["github"].verify(github, [secret]) == 0
    assert FORGES["gitea"].verify(gitea, [secret]) == 0
    with pytest.raises(SignatureError):
        FORGES["github"].verify(gitea, [secret])
    with pytest.raises(SignatureError):
        FORGES["gitea"].verify(as_gitea, [secret])


def test_a_good_signature_of_another_kind_does_not_help_a_bad_one(send, push_of, secret):
    request = send("forgejo", push_of("forgejo"), change={"X-Forgejo-Signature": "0" * 64})

    assert FORGES["gitea"].verify(request, [secret]) == 0
    with pytest.raises(SignatureError):
        FORGES["forgejo"].verify(request, [secret])


def test_a_token_in_other_letters_than_ascii_fits():
    token = "pässwörd of sixteen"
    request = Request((("X-Gitlab-Token", token),), b"")
    latin = Request((("X-Gitlab-Token", "p\udce4ss"),), b"")

    assert FORGES["gitlab"].verify(request, [token.encode()]) == 0
    assert FORGES["gitlab"].verify(latin, [b"p\xe4ss"]) == 0


SECRETS = st.binary().map(lambda data: b"in no header: " + data)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [*PROOFS.values(), "Content-Type", "content-type", "Content-Encoding", "X-Other"]
        ),
        st.text(st.characters()) | st.sampled_from(["application/json", "sha256="]),
    )
).map(tuple)


@each_forge
@given(headers=HEADERS, body=st.binary(), secrets=st.lists(SECRETS, max_size=3))
def test_nothing_but_delivery_errors_comes_of_any_headers(forge, headers, body, secrets):
    with pytest.raises(DeliveryError) as raised:
        FORGES[forge].verify(Request(headers, body), secrets)

    assert isinstance(raised.value, SignatureError | MediaTypeError) or forge != "github"


def test_an_empty_secret_fits_nothing_even_where_the_sender_used_it():
    digest = hmac.digest(b"", b"{}", "sha256").hex().encode()

    with pytest.raises(SignatureError):
        verify_hmac_sha256(b"{}", claimed=digest, secrets=[b""])
    with pytest.raises(SignatureError):
        verify_token(b"", secrets=[b""])


@given(st.binary(), st.binary(), st.binary(min_size=1))
def test_only_equal_tokens_fit(claimed, body, token):
    assert verify_token(token, secrets=[token]) == 0
    if claimed != token:
        with pytest.raises(SignatureError):
            verify_token(claimed, secrets=[token])
    with pytest.raises(SignatureError):
        verify_hmac_sha256(body, claimed=claimed, secrets=[token])
