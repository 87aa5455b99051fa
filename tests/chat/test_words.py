"""What people type, who may, and what is made of the answer."""

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.chat import PLATFORMS
from hookrunner.chat.commands import VERBS, parse
from hookrunner.chat.message import Message, render, size
from hookrunner.chat.rights import projects
from hookrunner.config import Allow

each_platform = pytest.mark.parametrize("name", PLATFORMS)


@pytest.mark.parametrize(
    ("text", "verb", "about", "reason"),
    [
        ("update bind", "update", "bind", ""),
        ("  UPDATE  'bind' it is   wrong ", "update", "bind", "it is wrong"),
        ("validate container:web-1", "validate", "container:web-1", ""),
        ("/status", "status", "", ""),
        ("status bind", "status", "bind", ""),
        ("runs", "runs", "", ""),
        ("logs 01m8", "logs", "01m8", ""),
        ("why <https://git.net/ops/bind|git.net>", "why", "https://git.net/ops/bind", ""),
        ("help", "help", "", ""),
        ("", "help", "", ""),
    ],
)
def test_commands(text, verb, about, reason):
    found = parse(text)

    assert (found.verb, found.about, found.reason, found.mistake) == (verb, about, reason, "")


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("updaet bind", "there is no updaet; did you mean update?"),
        ("bind", "say what to do with bind, such as: update bind"),
        ("bind update", "the command comes first: update bind"),
        ("please do something", "there is no command please"),
        ("update", "update what? For example: update bind"),
        ("why", "why what? For example: why ops/bind"),
        ("logs", "logs what?"),
        ("update --force bind", "there are no options here, such as --force"),
        ("runs bind", "runs takes nothing behind it: leave out bind"),
        ("status bind www", "status takes one name, and www is one more"),
        ("x" * 5000 + " y", "there is no command " + "x" * 60 + "\u2026"),
    ],
)
def test_a_mistake_is_told(text, mistake):
    found = parse(text)

    assert found.verb == "help"
    assert mistake in found.mistake


@given(st.text())
def test_whatever_is_typed_is_a_command_or_a_call_for_help(text):
    found = parse(text)

    assert found.verb in VERBS
    assert len(found.mistake) < 200


ADA = Allow(users=("ada",), channels=("ops",), may="run", projects=("bind", "www*"))
OPS = Allow(channels=("ops",), may="read")
BOB = Allow(users=("bob",), may="run", projects=("mail",))


@pytest.mark.parametrize(
    ("user", "channel", "scope", "pattern"),
    [
        ("ada", "ops", "run", "bind,www*"),
        ("ada", "ops", "read", "bind,www*,*"),
        ("ada", "other", "run", None),
        ("ada", "other", "read", None),
        ("eve", "ops", "read", "*"),
        ("eve", "ops", "run", None),
        ("bob", "anywhere", "run", "mail"),
        ("bob", "ops", "read", "*,mail"),
        ("Ada", "ops", "run", None),
        ("", "", "read", None),
    ],
)
def test_rights_are_of_users_and_channels_that_both_fit(user, channel, scope, pattern):
    assert projects([ADA, OPS, BOB], user=user, channel=channel, scope=scope) == pattern


def test_nobody_may_anything_unless_it_is_said():
    assert projects([], user="ada", channel="ops", scope="read") is None


HOSTILE = (
    "@channel @here @Everyone <!everyone> <@U1> <#C1|x> ```end``` `x` **b** [l](http://e) &lt;"
)


@each_platform
def test_what_others_wrote_calls_nobody_and_is_no_markup(name):
    shown = render(Message(prose=[HOSTILE], block=[HOSTILE]), PLATFORMS[name].markup)
    if name == "teams":
        prose, block = shown.split("\n", 1)
        assert re.findall(r"<[^>]*>", shown) == ["<pre>", "</pre>"]
        assert not set("`*[]()") & set(prose)
        assert html.unescape(block) == f"<pre>{HOSTILE}</pre>".replace("@", "@\u200b", 3)
    else:
        prose, block = shown.split("\n```\n")
        assert shown.count("```") == 2
        assert block.endswith("\n```")
    assert not re.search(r"@(channel|here|everyone|all)", shown, re.IGNORECASE)
    if name == "slack":
        assert not set("<>") & set(shown)
        assert "`" not in prose
        assert "&amp;lt;" in prose
    if name in {"discord", "mattermost"}:
        assert not re.search(r"(?<!\\)[`*_<>\[\]()~|#]", prose)
        assert "@" not in prose.replace("@\u200b", "")


@each_platform
@given(prose=st.lists(st.text(), max_size=4), block=st.lists(st.text(), max_size=40))
def test_no_message_is_too_long_or_breaks_out(name, prose, block):
    for times in (1, 300):
        message = Message(
            prose=prose * times, block=[b * times for b in block], link="https://h/r"
        )
        shown = render(message, PLATFORMS[name].markup)

        assert size(shown) <= PLATFORMS[name].markup.limit
        assert shown.endswith("https://h/r")
        assert shown.count("<pre>" if name == "teams" else "```") in {0, 1, 2}
        shown.encode()


@each_platform
def test_of_output_the_end_is_kept_and_of_a_table_the_beginning(name):
    lines = [f"line {n} {'x' * 50}" for n in range(1000)]
    markup = PLATFORMS[name].markup

    output = render(Message(prose=["out"], block=lines, keeps_end=True), markup)
    table = render(Message(prose=["table"], block=lines), markup)

    assert lines[-1] in output
    assert lines[0] not in output
    assert lines[0] in table
    assert lines[-1] not in table
    assert re.search(r"… \d+ more lines", output)
    assert re.search(r"… \d+ more lines", table)
    assert size(output) > markup.limit * 0.9


def test_colours_go_and_what_is_unseen_is_seen():
    block = ["\x1b[31mred\x1b[0m\x00 \u202ereversed \u200b", "\t1"]

    shown = render(Message(prose=["a\nb"], block=block), PLATFORMS["discord"].markup)

    assert shown == "a b\n```\nred\\u0000 \\u202ereversed \\u200b\n    1\n```"


def test_lines_end_in_teams_as_html_has_it():
    message = Message(prose=["one", "two"], block=["a < b", "c"], link="https://h/r")

    told = PLATFORMS["teams"].said(render(message, PLATFORMS["teams"].markup), False)

    assert told["text"] == "one<br>two<br><pre>a &lt; b\nc</pre><br>https://h/r"
