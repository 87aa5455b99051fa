"""Documented deliveries with anything in any place: nothing but `DeliveryError` comes of it."""

import copy
import json
from contextlib import suppress

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from senders import DELIVERIES

from hookrunner.errors import DeliveryError
from hookrunner.forges import FORGES, Request

fewer = settings(max_examples=settings().max_examples * 2 // 5)
"""Of each forge; together there are many."""
each_forge = pytest.mark.parametrize("forge", FORGES)
BODIES = {
    forge: [
        json.loads(file.read_text("utf-8"))
        for file in sorted(DELIVERIES.glob(f"{forge}/*.json"))
    ]
    for forge in FORGES
}
TEXTS = st.text() | st.sampled_from(["refs/heads/main", "a" * 40, "0" * 64, "tag", "branch"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


def places(value, path=()):
    """The way to every value within a value."""
    inside = ()
    if isinstance(value, dict):
        inside = value.items()
    elif isinstance(value, list):
        inside = enumerate(value)
    for key, one in inside:
        yield (*path, key)
        yield from places(one, (*path, key))


def check(forge, request):
    try:
        decoded = FORGES[forge].decode(request)
    except DeliveryError:
        return
    assert msgspec.json.encode(decoded)
    assert bool(decoded.pushes) != bool(decoded.ignored)
    for push in decoded.pushes:
        assert push.ref.startswith("refs/")
        assert push.deleted == (push.after is None)
        assert push.repository.isprintable() or "\n" not in push.repository


@each_forge
@fewer
@given(data=st.data())
def test_a_value_in_the_place_of_another(forge, send, data):
    said = data.draw(st.sampled_from(BODIES[forge]))
    body = copy.deepcopy(said["body"])
    for _ in range(data.draw(st.integers(1, 3))):
        ways = sorted(places(body), key=repr)
        if not ways:
            break
        *way, last = data.draw(st.sampled_from(ways))
        holder = body
        for key in way:
            holder = holder[key]
        if data.draw(st.booleans()):
            holder[last] = data.draw(VALUES)
        else:
            del holder[last]

    check(forge, send(forge, body, event=said["event"]))


@each_forge
@fewer
@given(data=st.data())
def test_bytes_that_are_changed_or_cut(forge, send, data):
    said = data.draw(st.sampled_from(BODIES[forge]))
    body = bytearray(json.dumps(said["body"]).encode())
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(body)))

    check(forge, send(forge, bytes(body), event=said["event"]))
    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, bytes(body[: min(cut, len(body) - 1)]), event="x"))


@each_forge
@fewer
@given(body=st.binary(), event=st.text(st.characters()))
def test_any_bytes_and_any_event(forge, send, body, event):
    check(forge, send(forge, body, event=event))


@each_forge
@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":' * 100_000, b"", b"[]", b"\xff"])
def test_what_is_no_object_is_refused(forge, send, body):
    with pytest.raises(DeliveryError):
        FORGES[forge].decode(send(forge, body))


@each_forge
@fewer
@given(
    headers=st.lists(st.tuples(st.text(), st.text(st.characters()))),
    path=st.none() | st.text(st.characters()),
    secret=st.binary(min_size=16),
)
def test_any_headers_and_any_path_prove_nothing(forge, headers, path, secret):
    request = Request(tuple(headers), b"{}", path_secret=path)
    if path is not None:
        with suppress(UnicodeEncodeError):
            secret = b"not " + path.encode("utf-8", "surrogateescape")

    with pytest.raises(DeliveryError):
        FORGES[forge].verify(request, [secret])
    assert FORGES[forge].recognises(request) in {True, False}
    assert FORGES[forge].unsigned_test(request) is None
