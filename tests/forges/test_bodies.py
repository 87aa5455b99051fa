"""What every decoder does with bodies that no forge would send."""

import contextlib
import json
import tracemalloc
from contextlib import suppress
from urllib.parse import unquote_to_bytes

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.errors import DeliveryError, MediaTypeError
from hookrunner.forges import FORGES, Request
from hookrunner.forges.body import _SLICE as SLICE
from hookrunner.forges.body import json_text

LIKE_GITHUB = [
    name
    for name in FORGES
    if name not in {"bitbucket-cloud", "bitbucket-dc", "azure-devops", "gerrit", "sourcehut"}
]
"""Those whose pushes have the fields of GitHub's."""
each_forge = pytest.mark.parametrize("forge", LIKE_GITHUB)
FORM = "application/x-www-form-urlencoded"
FORMS = ["forgejo", "gitea", "github", "gogs"]


def encodes(decoded):
    """Whatever is decoded can be kept and shown."""
    return msgspec.json.encode(decoded)


@each_forge
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"1",
        b'"text"',
        b"{",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"ref":' + b"[" * 100_000,
        b'{"ref": NaN}',
        b'{"x": NaN}',
        b'{"ref": "\xff"}',
        b'{"ref": "\\ud800"}',
        b'{"ref": "\\ud800", "x": 1}',
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"{} trailing",
        b'{"ref": 1}',
        b'{"ref": "refs/heads/main"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_what_is_no_push_is_refused(forge, body, send):
    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, body))


@each_forge
@pytest.mark.parametrize("body", [b"", b"[1]", b"[" * 100_000, b"{'a': 1}"], ids=repr)
def test_other_events_have_to_be_objects_too(forge, body, send):
    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, body, event="issues"))


@each_forge
def test_an_error_names_the_field(forge, send, push_of):
    with pytest.raises(DeliveryError, match=r"commits\[0\]\.added"):
        FORGES[forge].decode(send(forge, push_of(forge, commits=[{"added": 1}])))
    with pytest.raises(DeliveryError, match="before"):
        FORGES[forge].decode(send(forge, push_of(forge, before="abc")))


@each_forge
@pytest.mark.parametrize("field", ["ref", "after", "repository"])
def test_a_push_without_its_fields_is_refused(forge, field, send, push_of):
    payload = push_of(forge)
    field = "project" if (forge, field) == ("gitlab", "repository") else field

    for changed in (payload | {field: None}, {k: payload[k] for k in payload if k != field}):
        with pytest.raises(DeliveryError):
            FORGES[forge].decode(send(forge, changed))


@each_forge
@pytest.mark.parametrize(
    "ref",
    [
        "",
        "main",
        "heads/main",
        "refs/",
        "refs/heads/",
        "refs/heads/a b",
        "refs/heads/a\nb",
        "refs/heads/a\x00b",
        "refs/heads/a\x7fb",
        "refs/heads/a\u2028b",
        "refs/heads/a\x9bb",
        "refs/heads/../b",
        "refs/heads/a:b",
        "refs/heads/" + "a" * 1024,
    ],
)
def test_a_weird_ref_is_refused(forge, ref, send, push_of):
    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, push_of(forge, ref=ref)))


@each_forge
@pytest.mark.parametrize("value", ["", "abc", "g" * 40, "a" * 41, "a" * 63, "0" * 39, "--help"])
@pytest.mark.parametrize("field", ["before", "after"])
def test_an_id_that_is_none_is_refused(forge, field, value, send, push_of):
    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, push_of(forge, **{field: value})))


@each_forge
@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "", "json"])
def test_a_body_of_another_kind_is_a_media_type_error(forge, kind, send, push_of):
    with pytest.raises(MediaTypeError):
        FORGES[forge].decode(send(forge, push_of(forge), change={"Content-Type": kind}))


@each_forge
@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "identity, gzip"])
def test_a_compressed_body_is_a_media_type_error(forge, coding, send, push_of):
    with pytest.raises(MediaTypeError):
        FORGES[forge].decode(send(forge, push_of(forge), change={"Content-Encoding": coding}))


@each_forge
@pytest.mark.parametrize(
    "kind",
    ["application/json; charset=utf-8", "Application/JSON", "application/vnd.x.y+json;q=1"],
)
def test_json_has_several_names(forge, kind, send, push_of):
    change = {"Content-Type": kind, "Content-Encoding": "identity"}

    assert FORGES[forge].decode(send(forge, push_of(forge), change=change)).pushes


@each_forge
def test_forms_are_read_only_where_the_forge_sends_them(forge, send, push_of):
    request = send(forge, push_of(forge), form=True)

    if forge in FORMS:
        assert FORGES[forge].decode(request) == FORGES[forge].decode(
            send(forge, push_of(forge))
        )
    else:
        with pytest.raises(MediaTypeError):
            FORGES[forge].decode(request)


@pytest.mark.parametrize("forge", FORMS)
@pytest.mark.parametrize("body", [b"", b"a=b", b"payload", b"payload={}&payload={}"])
def test_a_form_has_one_payload(forge, body, send):
    headers = send(forge, b"{}", form=True).headers

    with pytest.raises(DeliveryError, match="payload"):
        FORGES[forge].decode(Request(headers, body))


@given(
    st.lists(
        st.one_of(
            st.binary().filter(lambda text: not set(text) & set(b"%&")),
            st.sampled_from([b"%25", b"%0a", b"%3D", b"==", b"+", b"%e2%82%AC", b"\r\n"]),
        )
    ).map(b"".join)
)
def test_a_form_is_decoded_as_urllib_does_it(value):
    request = Request((("content-type", FORM),), b"a=b&payload=" + value)

    assert json_text(request, forms=True) == unquote_to_bytes(value.replace(b"+", b" "))


@pytest.mark.parametrize("cut", range(4))
def test_a_form_is_not_cut_within_a_byte(cut):
    value = b"x" * (SLICE - cut) + b"%41%42" * 3

    request = Request((("content-type", FORM),), b"payload=" + value)

    assert json_text(request, forms=True) == unquote_to_bytes(value)


@pytest.mark.parametrize("value", [b"%", b"%2", b"%zz", b"%%41", b"%\n"])
def test_what_is_no_form_is_refused(value):
    with pytest.raises(DeliveryError, match="payload is not URL-encoded"):
        json_text(Request((("content-type", FORM),), b"payload=" + value), forms=True)


@pytest.mark.parametrize(
    "body",
    [
        b"payload=" + b"%20" * 500_000,
        b"payload=" + b"=" * 1_500_000,
        b"ab&" * 500_000,
        b"payload=ab&" * 150_000,
        b"payload=" + b"%" * 1_500_000,
    ],
    ids=["signs", "equals", "fields", "payloads", "broken"],
)
def test_a_hostile_form_takes_no_memory_before_it_is_known_who_sent_it(body):
    request = Request((("content-type", FORM),), body)
    tracemalloc.start()
    try:
        with suppress(DeliveryError):
            json_text(request, forms=True)
        assert tracemalloc.get_traced_memory()[1] < 4 * len(body)
    finally:
        tracemalloc.stop()


@each_forge
def test_a_header_that_comes_twice_is_refused(forge, send, push_of):
    request = send(forge, push_of(forge))
    doubled = (*request.headers, ("content-type", "application/json"))

    with pytest.raises(DeliveryError):
        FORGES[forge].decode(Request(doubled, request.body))


@pytest.mark.parametrize("forge", sorted(set(LIKE_GITHUB) - {"gitee"}))
def test_ids_that_cannot_be_shown_are_refused(forge, send, push_of):
    names = ["X-GitHub-Delivery", "X-Gogs-Delivery", "X-Gitea-Delivery"]
    names += ["X-Forgejo-Delivery", "webhook-id"]

    for value in ("a\x1b[31m", "\udc80", "x" * 201, "é"):
        with pytest.raises(DeliveryError):
            FORGES[forge].decode(
                send(
                    forge,
                    push_of(forge, delivery=value),
                    change=dict.fromkeys(names, value),
                )
            )


TEXTS = st.text() | st.sampled_from(
    ["refs/heads/main", "refs/tags/v1", "a" * 40, "0" * 40, "0" * 64, "branch", "tag", "push"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
FIELDS = [
    "ref", "before", "after", "repository", "project", "pusher", "sender", "commits",
    "head_commit", "checkout_sha", "deleted", "forced", "total_commits", "user_username",
    "total_commits_count", "object_kind", "event_name", "delivery", "ref_type", "sha",
    "pusher_type", "user_name",
]  # fmt: skip
NESTED = [
    "full_name", "path_with_namespace", "html_url", "clone_url", "ssh_url", "web_url", "name",
    "login", "default_branch", "id", "added", "modified", "removed",
]  # fmt: skip
EVENTS = st.sampled_from(["push", "create", "delete", "ping", "System Hook", "Tag Push Hook"])


@each_forge
@given(body=st.binary(), event=EVENTS)
def test_any_bytes_raise_nothing_but_delivery_errors(forge, send, body, event):
    with suppress(DeliveryError):
        FORGES[forge].decode(send(forge, body, event=event))


@each_forge
@given(
    changes=st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    inner=st.dictionaries(st.sampled_from(NESTED), JSON, max_size=2),
    event=EVENTS,
)
def test_any_value_in_any_field_raises_nothing_but_delivery_errors(
    forge, send, push_of, *, changes, inner, event
):
    payload = push_of(forge)
    payload["repository"] = payload["repository"] | inner
    payload["commits"] = [payload["commits"][0] | inner]
    payload |= changes

    try:
        decoded = FORGES[forge].decode(send(forge, payload, event=event))
    except DeliveryError:
        return

    assert encodes(decoded)
    assert bool(decoded.pushes) != bool(decoded.ignored)
    for push in decoded.pushes:
        assert push.ref.startswith("refs/")
        assert push.deleted == (push.after is None)


@each_forge
@given(event=st.text(st.characters()), kind=st.text(st.characters()))
def test_any_headers_raise_nothing_but_delivery_errors(forge, send, push_of, event, kind):
    names = [name for name, _ in send(forge, b"{}").headers if name.endswith("-Event")]
    change = dict.fromkeys(names, event) | {"webhook-id": kind, "Content-Encoding": kind}

    with contextlib.suppress(DeliveryError):
        assert encodes(FORGES[forge].decode(send(forge, push_of(forge), change=change)))


@each_forge
def test_strings_of_any_length_and_nul_bytes_do_no_harm(forge, send, push_of):
    commits = [{"id": "x" * 10_000, "added": ["\x00", "y" * 100_000], "message": "\x00"}]

    decoded = FORGES[forge].decode(send(forge, push_of(forge, commits=commits)))

    assert decoded.pushes[0].commits == ()
    assert decoded.pushes[0].paths == ("\x00", "y" * 100_000)
    assert encodes(decoded)


@each_forge
@pytest.mark.parametrize("name", ["a\x00b", "a\nb", "x" * 1025, ""])
def test_a_name_of_a_repository_that_cannot_be_shown_is_refused(forge, name, send, push_of):
    inner = {"full_name": name, "path_with_namespace": name}

    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, push_of(forge, repository=inner, project=inner)))


def test_a_big_push_is_read(send, push_of):
    commits = [
        {"id": f"{n:040x}", "message": "m" * 10_000, "added": [f"{n}"]} for n in range(1, 2000)
    ]
    body = json.dumps(push_of("github", commits=commits)).encode()

    push = FORGES["github"].decode(send("github", body)).pushes[0]

    assert len(body) > 2**24
    assert len(push.paths) == len(push.commits) == 1999
