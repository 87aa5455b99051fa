"""What a request says: words, ids, and where later answers are wanted."""

import json
from contextlib import suppress
from urllib.parse import urlencode

import chatting
import pytest
from chatting import CHANNELS, NOW, SENT, USERS
from hypothesis import example, given
from hypothesis import strategies as st

from hookrunner.chat import PLATFORMS
from hookrunner.errors import DeliveryError, MediaTypeError
from hookrunner.forges import Request

each_platform = pytest.mark.parametrize("name", PLATFORMS)
SLACK = "https://hooks.slack.com"


def decoded(name, text="update bind now", **more):
    headers, body = SENT[name](text, **more)
    return PLATFORMS[name].decode(Request(tuple(headers.items()), body, received_at=NOW))


@each_platform
def test_words_and_ids_are_read(name):
    asked = decoded(name)

    assert asked.text.split() == ["update", "bind", "now"]
    assert (asked.user, asked.channel) == (USERS[name], CHANNELS[name])
    assert asked.name.lower() == "ada"


def test_a_command_of_its_own_is_the_verb():
    one = {"type": 3, "name": "project", "value": "bind"}

    assert decoded("slack", "bind", command="/update").text == "update bind"
    assert decoded("mattermost", "bind", command="/why").text == "why bind"
    told = decoded("discord", data={"name": "logs", "options": [one]})
    assert told.text == "logs bind"


def test_a_direct_message_of_discord_has_a_user_and_no_member():
    asked = decoded("discord", member=None, user={"id": "1", "username": "bob"})

    assert (asked.user, asked.name) == ("1", "bob")


def test_a_guest_of_teams_has_no_id_in_the_directory():
    assert decoded("teams", **{"from": {"id": "29:1X", "name": "x"}}).user == "29:1X"
    assert decoded("teams", channelData=None).channel == CHANNELS["teams"]


def test_tests_of_the_platforms_are_known():
    ping = chatting.signed_discord(b'{"type": 1}')
    look = chatting.signed_slack(urlencode({"token": "x", "ssl_check": "1"}).encode())
    trick = chatting.slack("update bind", ssl_check="1")

    assert PLATFORMS["discord"].decode(Request(tuple(ping[0].items()), ping[1])) is None
    assert PLATFORMS["slack"].is_test(Request(tuple(look[0].items()), look[1]))
    assert not PLATFORMS["slack"].is_test(Request(tuple(trick[0].items()), trick[1]))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("slack", {"user_id": ""}),
        ("slack", {"user_id": "a b"}),
        ("mattermost", {"channel_id": "x" * 300}),
        ("discord", {"channel_id": None}),
        ("discord", {"member": {"user": {"id": "\u00e4"}}}),
        ("discord", {"type": 3}),
        ("discord", {"data": "x"}),
        ("teams", {"from": {"name": "ada"}}),
        ("teams", {"type": "invoke"}),
        ("teams", {"channelData": None, "conversation": None}),
    ],
)
def test_what_is_no_command_is_the_senders_fault(name, more):
    with pytest.raises(DeliveryError):
        decoded(name, **more)


def test_a_form_is_read_in_one_way_only():
    headers, body = chatting.slack("status")
    twice = Request(tuple(headers.items()), body + b"&user_id=U1")
    unlike = Request((("Content-Type", "application/json"),), body)

    with pytest.raises(DeliveryError, match="there twice"):
        PLATFORMS["slack"].decode(twice)
    with pytest.raises(MediaTypeError):
        PLATFORMS["slack"].decode(unlike)


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.slack.com/commands/1",
        "https://hooks.slack.com.evil.example/commands/1",
        "https://hooks.slack.com@evil.example/commands/1",
        "https://hooks.slack.com:444/commands/1",
        "https://hooks.slack.com",
        "https://hooks.slack.com/",
        "https://hooks.slack.com//evil.example/x",
        "https://hooks.slack.com/a/../../x",
        "https://hooks.slack.com/a/%2e%2e/x",
        "https://hooks.slack.com/a\\..\\x",
        "https://hooks.slack.com/a%5C..%5Cx",
        "https://hooks.slack.com/a?x=1",
        "https://hooks.slack.com/a b",
        "https://hooks.slack.com/a\r\nHost: x",
        "https://hooks.slack.com/\u00e4",
        "https://127.0.0.1/commands/1",
        "https://[::1]/commands/1",
        "file:///etc/passwd",
        "https://hooks.slack.com/" + "x" * 3000,
        "",
    ],
)
def test_a_request_leads_nowhere_but_below_what_is_configured(url):
    assert PLATFORMS["slack"].target(url, SLACK) is None
    assert PLATFORMS["mattermost"].target(url, SLACK) is None


def test_later_answers_go_below_what_is_configured():
    slack = decoded("slack").later
    subpath = "https://example.net/chat"

    assert PLATFORMS["slack"].target(slack, SLACK) == ("POST", slack)
    assert PLATFORMS["mattermost"].target(f"{subpath}/hooks/1", subpath) is not None
    assert PLATFORMS["mattermost"].target("https://example.net/other/1", subpath) is None
    method, url = PLATFORMS["discord"].target(decoded("discord").later, "https://d/api")
    token = "aW50ZXJhY3Rpb246ODQ1.A_UNIQUE-TOKEN"
    assert method == "PATCH"
    assert url == f"https://d/api/webhooks/775799577604522054/{token}/messages/@original"
    assert PLATFORMS["teams"].target("https://x/y", "https://x") is None


@pytest.mark.parametrize(
    "token", ["../../users", "a/b", "a?b", "", "a b", "%2e%2e", "x" * 2000]
)
def test_a_token_of_discord_is_one_part_of_a_path(token):
    later = decoded("discord", token=token).later

    assert PLATFORMS["discord"].target(later, "https://d/api") is None


UTF8 = st.text(st.characters(codec="utf-8"))
TEXTS = st.text() | st.sampled_from(["<at>", "</at>", "message", "update"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize("name", ["discord", "teams"])
@given(data=st.data())
def test_nothing_but_a_delivery_error_comes_of_any_json(name, data):
    whole = json.loads(SENT[name]("update bind")[1])
    keys = st.sampled_from(sorted(whole))
    whole |= data.draw(st.dictionaries(keys, VALUES, max_size=3))
    request = Request((("Content-Type", "application/json"),), json.dumps(whole).encode())

    with suppress(DeliveryError):
        PLATFORMS[name].decode(request)


@pytest.mark.parametrize("name", ["slack", "mattermost"])
@given(fields=st.dictionaries(UTF8.filter(lambda name: name not in {"at", "secret"}), UTF8))
@example(fields={"text": ""})
def test_nothing_but_a_delivery_error_comes_of_any_form(name, fields):
    headers, body = SENT[name]("update bind", **fields)

    with suppress(DeliveryError):
        PLATFORMS[name].decode(Request(tuple(headers.items()), body))


@pytest.mark.parametrize("name", PLATFORMS)
def test_a_deep_body_is_the_senders_fault(name):
    deep = b'{"data": ' + b"[" * 30_000
    request = Request((("Content-Type", "application/json"),), deep)

    with pytest.raises(DeliveryError):
        PLATFORMS[name].decode(request)
