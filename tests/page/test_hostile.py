"""Whatever containers, forges and people write is text: nothing of it runs, nothing escapes."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import quote

import pytest
from hostile import PAYLOADS
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.painting import paint
from hookrunner.model import Metadata, Phase, Push, Status, Stream
from hookrunner.web.pages.words import plain

OURS = set(
    "html head meta title link script body a header svg path nav div span form button main h1"  # noqa: SIM905
    " h2 h3 p section table colgroup col thead tbody tr th td code time dl dt dd pre details"
    " summary label input select option figure figcaption rect g article b ol ul li".split()
)
"""The tags that our templates have."""
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]"
)


class Found(HTMLParser):
    """Every tag and attribute, and all text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)

    handle_startendtag = handle_starttag


async def fill(world):
    """Put every payload into every field that somebody else writes."""
    paths = ["/", "/containers", "/runs", "/deliveries"]
    for number, bad in enumerate(PAYLOADS):
        one = world.container(f"c{number}{bad}", f"p{bad}")
        keys = {
            "project": f"p{bad}",
            "git_repo": f"https://{bad}",
            "git_branch": bad,
            "gitref": bad,
            "image_name": bad,
            bad or "x": bad,
            "ancestors": [{"project": bad, "gitref": bad, "build_time": bad, bad: bad}],
        }
        one = world.container(
            one.name,
            image=bad,
            state=bad,
            health=bad,
            current_gitref=bad,
            metadata=Metadata(keys=keys, origins={bad: bad}, problems=(bad,)),
        )
        push = Push(
            repository=f"ops/{bad}",
            ref=f"refs/heads/{bad}",
            before=bad,
            after=bad,
            pusher=bad,
        )
        phase = Phase(title=bad, started_at=datetime.now(UTC), seconds=0.1)
        data = b">> " + bad.encode() + b"\n" + bad.encode() + b"\n"
        run, _ = await world.run(
            one,
            push=push,
            output=[(Stream.stdout, data), (Stream.stderr, data)],
            status=Status.failed,
            requested_by=bad,
            reason=bad,
            step={"status": Status.failed, "outcome": None, "reason": bad, "phases": (phase,)},
        )
        no = world.verdict(one, target=False, reason=bad, remedy=bad)
        made = await world.delivery(
            world.receipt(repository=bad, ignored=bad, verdicts=[no], before=bad),
            event=bad,
            sender_id=bad,
            remote=bad,
        )
        paths += [
            f"/runs/{run.id}",
            f"/runs/{run.id}?q={quote(bad)}",
            f"/deliveries/{made.id}",
            f"/containers/local/{quote(one.name, safe='')}",
            f"/runs?project={quote(bad)}&since={quote(bad)}",
            f"/containers?project={quote(bad)}&show={quote(bad)}",
            f"/sign-in?next={quote(bad)}&code={quote(bad)}",
            f"/nothing/{quote(bad, safe='')}",
        ]
    return paths


@pytest.mark.process
async def test_forty_payloads_in_every_field_are_text(world):
    paths = await fill(world)
    assert len(PAYLOADS) == 40
    browser = {"Cookie": await world.cookie(), "Accept": "text/html"}

    for path in paths:
        status, headers, body = await world.ask("GET", path, scope=None, headers=browser)
        assert status in {200, 404}, (path, body)
        assert headers["Content-Type"].startswith("text/html"), path
        text = body.decode()
        found = Found(text)
        assert not UNSAFE.search(text), path
        assert {tag for tag, _ in found.tags} <= OURS, path
        for tag, attributes in found.tags:
            assert not [name for name in attributes if name.startswith("on")], path
            assert tag != "script" or attributes["src"].startswith(("./", "../")), path
            for name in ("href", "src", "action"):
                target = attributes.get(name) or "./"
                assert target.startswith(("./", "../", "#")), (path, target)
        assert "{{" not in text.replace("{{ 7 * 7 }}", "")


async def test_payloads_are_shown_as_they_are(world):
    one = world.container()
    no = [world.verdict(one, target=False, reason=bad) for bad in PAYLOADS]
    made = await world.delivery(world.receipt(ignored="no", verdicts=no))
    cookie = {"Cookie": await world.cookie()}

    _, _, body = await world.ask("GET", f"/deliveries/{made.id}", scope=None, headers=cookie)

    assert {plain(bad) for bad in PAYLOADS} <= set(Found(body.decode()).text)


@given(st.binary(max_size=200))
def test_of_a_line_only_looks_and_harmless_text_are_left(data):
    for line in paint(data):
        for look, text in line:
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]", text)
            assert re.fullmatch(r"([fb]\d{1,2}|[a-z]+)( ([fb]\d{1,2}|[a-z]+))*|", look)


@given(st.lists(st.integers(0, 300), max_size=8), st.text("abc", max_size=5))
def test_any_sequence_of_looks_keeps_the_text(codes, text):
    sequence = f"\x1b[{';'.join(map(str, codes))}m{text}"

    assert "".join(t for line in paint(sequence.encode()) for _, t in line) == text


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        (b"\x1b[1;31mx\x1b[0my", [("bold f1", "x"), ("", "y")]),
        (b"\x1b[38;5;196mx\x1b[39my", [("f1", "x"), ("", "y")]),
        (b"\x1b[38;2;0;0;170;1mx", [("f4 bold", "x")]),
        (b"\x1b[92mx\x1b[49m", [("f10", "x")]),
        (b"\x1b[48;5;232mx\x1b[22my", [("b0", "xy")]),
        (b"plain", [("", "plain")]),
    ],
)
def test_the_colours_of_a_terminal_are_kept(line, parts):
    found = paint(line)[0]
    joined = []
    for look, text in found:
        if joined and joined[-1][0] == look:
            joined[-1] = (look, joined[-1][1] + text)
        else:
            joined.append((look, text))

    assert joined == parts
