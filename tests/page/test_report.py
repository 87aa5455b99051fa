"""The digest: what happened, what is wrong, and that nothing in it is more than text."""

import json
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hostile import PAYLOADS
from msgspec.structs import replace

from hookrunner.cli.report import heading, page, sections
from hookrunner.core.history import KnownPush
from hookrunner.model import (
    Action,
    MonitorChange,
    Monitored,
    MonitorState,
    Outcome,
    Status,
    Validity,
)

NOW = datetime.now(UTC)
HOURS = [timedelta(hours=n) for n in range(100)]
UNSAFE = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
BAD = {"status": Status.failed, "outcome": Outcome.error, "exit_code": 1, "gitref": None}


async def a_day(world, text="zone x is broken"):
    """Let a lot have happened, some of it two days ago; give the containers by name."""
    old = world.container("old", created_at=NOW - timedelta(days=400), image_id="sha256:old")
    bind, second = world.container("bind-1"), world.container("bind-2")
    mail = world.container("mail-1", "mail")
    for ago, container, step in (
        (HOURS[48], bind, BAD | {"reason": "long ago"}),
        (HOURS[5], bind, BAD | {"reason": "first"}),
        (HOURS[4], bind, BAD | {"reason": text}),
        (HOURS[3], bind, {"gitref_before": "b" * 40}),
        (HOURS[2], bind, {"gitref_before": "c" * 40, "gitref": "d" * 40}),
        (HOURS[2], mail, BAD | {"reason": text, "status": Status.timed_out, "outcome": None}),
    ):
        status = step.get("status", Status.succeeded)
        run_status = Status.failed if status is not Status.succeeded else status
        await world.run(container, ago=ago, step=step, status=run_status)
    critical = MonitorState.critical
    at = NOW - HOURS[1]
    change = MonitorChange(state=critical, at=at, text=text)
    world.services.inventory.put(
        replace(
            second,
            current_gitref="e" * 40,
            validity=Validity(valid=False, since=NOW - HOURS[7], at=NOW, reason=text),
            monitored=Monitored(state=critical, since=at, at=NOW, text=text, changes=(change,)),
        )
    )
    world.services.intake.known.history.add(
        KnownPush(
            id="1",
            repository="git.example.net/ops/bind",
            ref="refs/heads/main",
            received_at=NOW - HOURS[6],
            before="e" * 40,
            after="d" * 40,
        )
    )
    return {"old": old, "bind": bind, "second": second, "mail": mail}


async def report(world, scope="read", **query):
    status, _, told = await world.ask("GET", "/api/v1/report", params=query, scope=scope)
    assert status == 200, told
    return told


async def test_the_report_says_what_happened_and_how_things_stand(world):
    await a_day(world)

    told = await report(world)

    assert told["runs"] == {"failed": 3, "succeeded": 2}
    assert [
        (one["container"], one["times"], one["gitref_before"], one["gitref"])
        for one in told["updated"]
    ] == [("bind-1", 2, "b" * 40, "d" * 40)]
    assert [
        (one["container"], one["times"], one["reason"], one["is_over"])
        for one in told["failed"]
    ] == [("mail-1", 1, "zone x is broken", False), ("bind-1", 2, "zone x is broken", True)]
    assert ("bind-2", "e" * 40) in {
        (one["container"], one["current_gitref"]) for one in told["behind"]
    }
    assert [(one["containers"], one["is_old"]) for one in told["images"]] == [(["old"], True)]
    assert [(one["container"], one["what"]) for one in told["ailing"]] == [
        ("bind-2", "critical"),
        ("bind-2", "invalid"),
    ]
    assert told["engines_away"] == ["local"]


async def test_since_and_the_age_of_images_are_the_readers_to_choose(world):
    await a_day(world)

    longer = await report(world, since=(NOW - timedelta(days=3)).isoformat())
    recent = await report(world, since=(NOW - timedelta(minutes=90)).isoformat())
    patient = await report(world, older_than=str(500 * 86400))

    assert sum(longer["runs"].values()) == 6
    assert recent["runs"] == {}
    assert recent["failed"] == recent["updated"] == []
    assert len(recent["ailing"]) == 2
    assert patient["images"] == []


async def test_a_token_of_one_project_reads_of_no_other(world):
    await a_day(world)

    told = await report(world, scope="mail")

    assert told["containers"] == 1
    assert told["runs"] == {"failed": 1}
    assert told["engines_away"] == []
    assert "bind" not in json.dumps(told)


async def test_more_runs_than_are_looked_at_are_said_to_be_more(world, monkeypatch):
    monkeypatch.setattr("hookrunner.web.api.report._MOST", 2)
    monkeypatch.setattr("hookrunner.web.api.report._PAGE", 1)
    await a_day(world)

    told = await report(world)

    assert told["is_cut"]
    assert sum(told["runs"].values()) == 2
    assert "the newest" in " ".join(heading(told))


class Reader(HTMLParser):
    """Takes the tags and the text of a page apart."""

    def __init__(self):
        super().__init__()
        self.tags, self.links, self.text = set(), [], []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        told = dict(attrs)
        assert {*told} <= {"style", "class", "lang", "charset", "name", "content", "align"} | {
            "valign",
            "href",
        }
        self.links += [told["href"]] if "href" in told else []

    def handle_data(self, data):
        self.text.append(data)


@pytest.mark.parametrize("text", PAYLOADS)
async def test_what_others_wrote_is_text_in_a_mail_and_fetches_nothing(text):
    told = a_report(text)

    html = page(told)
    reader = Reader()
    reader.feed(html)

    assert reader.tags <= {
        *("html", "head", "meta", "title", "style", "body", "div", "h1", "h2", "p"),
        *("table", "thead", "tbody", "tr", "th", "td", "a", "span"),
    }
    assert all(link.startswith("https://hooks.example.net/") for link in reader.links)
    assert not UNSAFE.search("".join(reader.text))
    assert "url(" not in html
    shown = [cell for section in sections(told) for row in section.rows for cell in row]
    assert not any(UNSAFE.search(cell) for cell in shown)


def a_report(text):
    about = {"project": text, "container": text, "host": "local"}
    at = "2026-11-29T10:00:00Z"
    return {
        "since": at,
        "until": at,
        "url": "https://hooks.example.net",
        "runs": {"failed": 1},
        "is_cut": True,
        "containers": 1,
        "engines_away": [text],
        "updated": [
            about | {"times": 2, "gitref_before": None, "gitref": text} | {"at": at, "run": "1"}
        ],
        "failed": [
            about
            | {"action": Action.update.value, "times": 1, "status": "failed", "outcome": None}
            | {"reason": text, "at": at, "run": "1", "is_over": False}
        ],
        "behind": [about | {"current_gitref": text, "pushed_gitref": text, "since": None}],
        "images": [
            {"project": None, "image": text, "containers": [text] * 5, "built_at": at}
            | {"image_behind": True, "is_old": True}
        ],
        "ailing": [about | {"what": "critical", "since": at, "reason": text}] * 60,
    }


def test_a_long_section_is_cut_and_says_so():
    (wrong, *_) = sections(a_report("x"))

    assert (len(wrong.rows), wrong.more, wrong.title) == (50, 10, "Wrong now: 60")
