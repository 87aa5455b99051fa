"""Secrets are hidden byte for byte, however output is cut."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.masking import Masker, mask_value
from hookrunner.core.record import Piece
from hookrunner.model import Stream

SECRETS = [b"correct-horse-battery", b"aaaaaaaaaaaaaaaab", b"correct-horse"]
words = st.sampled_from(
    [
        *SECRETS,
        b"corr",
        b"aaaa",
        b"://",
        b"https://ada:pass-word@git/x",
        b"://a:b@",
        b"\n",
        b"x ",
    ]
)


def show(pieces):
    masker = Masker(SECRETS)
    shown = [piece for one in pieces for piece in masker.feed(one)]
    return shown + masker.rest()


@given(
    parts=st.lists(st.tuples(st.sampled_from(Stream), words), max_size=12),
    cut=st.integers(1, 7),
)
def test_no_secret_is_shown_and_every_byte_keeps_its_place(parts, cut):
    pieces, offset = [], 0
    for stream, data in parts:
        for start in range(0, len(data), cut):
            part = data[start : start + cut]
            pieces.append(Piece(offset, "s", stream, part))
            offset += len(part)

    shown = show(pieces)

    assert [(p.offset, p.stream, len(p.data)) for p in shown] == [
        (p.offset, p.stream, len(p.data)) for p in pieces
    ]
    for stream in Stream:
        text = b"".join(p.data for p in shown if p.stream is stream)
        plain = b"".join(p.data for p in pieces if p.stream is stream)
        assert text == Masker(SECRETS).mask(plain)
        assert all(secret not in text for secret in SECRETS)
        assert b"pass-word" not in text
        assert all(t in (p, ord("*")) for t, p in zip(text, plain, strict=True))


def test_plain_lines_are_shown_at_once():
    masker = Masker(SECRETS)
    piece = Piece(0, "s", Stream.stdout, b"server reload successful\n")

    assert masker.feed(piece) == [piece]


def test_what_may_become_a_secret_waits_and_all_behind_it():
    masker = Masker(SECRETS)

    assert masker.feed(Piece(0, "s", Stream.stdout, b"corr")) == []
    assert masker.feed(Piece(4, "s", Stream.stderr, b"fine\n")) == []
    shown = masker.feed(Piece(9, "s", Stream.stdout, b"ect-horse-battery\n"))

    assert [piece.data for piece in shown] == [b"****", b"fine\n", b"*" * 17 + b"\n"]


def test_credentials_of_a_url_are_hidden():
    assert mask_value("fatal: https://ada:hunter2@git.example.net/x", Masker([])) == (
        "fatal: https://***********@git.example.net/x"
    )


@given(
    parts=st.lists(st.sampled_from([b"ab", b"a", b"b", b"abcab", b"c", b" "]), max_size=14),
    cuts=st.sets(st.integers(0, 40)),
)
def test_secrets_that_overlap_are_hidden_whole_however_they_are_cut(parts, cuts):
    secrets, text = [b"abcab", b"cabba"], b"".join(parts)
    places = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    masker, shown = Masker(secrets), []
    for start, end in itertools.pairwise(places):
        shown += masker.feed(Piece(start, "s", Stream.stdout, text[start:end]))
    shown += masker.rest()

    told = b"".join(piece.data for piece in shown)

    hidden = {
        at + n
        for secret in secrets
        for at in range(len(text))
        if text.startswith(secret, at)
        for n in range(len(secret))
    }
    assert told == bytes(ord("*") if n in hidden else byte for n, byte in enumerate(text))


def test_a_token_alone_in_a_url_is_hidden_and_gits_own_user_is_not():
    text = "https://ghp_token@github.com/x ssh://git@github.com/x"

    assert (
        mask_value(text, Masker([])) == "https://*********@github.com/x ssh://git@github.com/x"
    )


def test_every_text_of_a_value_is_masked():
    value = {"a": ["hunter2", {"b": ("x hunter2",)}], "n": 1, "none": None, "odd": "\udcff"}

    assert mask_value(value, Masker([b"hunter2"])) == {
        "a": ["*******", {"b": ["x *******"]}],
        "n": 1,
        "none": None,
        "odd": "\udcff",
    }
