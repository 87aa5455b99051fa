"""The page as it is read without JavaScript: what is on it, for whom, and that it is text."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import aiohttp
import pytest
from world import COMMIT

from hookrunner.core.history import KnownPush
from hookrunner.model import (
    Action,
    MonitorChange,
    Monitored,
    MonitorState,
    Outcome,
    Status,
    Stream,
    Trigger,
    Validity,
)

pytestmark = pytest.mark.process  # a server each: a third of a second

PAGES = ["/", "/containers", "/containers/local/bind-1", "/runs", "/deliveries"]
EMPTY = {"/": "The first update", "/containers": "No container", "/runs": "Nothing ran yet"}


class Parsed(HTMLParser):
    """Every tag with its attributes, and the text."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


async def test_nothing_is_shown_without_a_session(busy):
    for path in PAGES:
        status, headers, body = await busy.ask("GET", path, scope=None)
        assert (status, body) == (303, b""), path
        assert "sign-in" in headers["Location"]


async def test_a_session_is_the_tokens_and_ends_with_it(busy):
    cookie = await busy.cookie("read")
    ask = {"scope": None, "headers": {"Cookie": cookie}}
    assert (await busy.ask("GET", "/runs", **ask))[0] == 200
    assert (await busy.ask("GET", "/api/v1/runs", **ask))[0] == 200

    await busy.ask("DELETE", "/api/v1/tokens/read")

    assert (await busy.ask("GET", "/runs", **ask))[0] == 303
    assert (await busy.ask("GET", "/api/v1/runs", **ask))[0] == 401


async def test_the_cookie_is_hidden_from_scripts_and_other_sites(world):
    _, headers, _ = await world.ask(
        "POST",
        "/sign-in",
        scope=None,
        data={"token": "hr_the-admin-of-the-tests", "next": "runs/x"},
        headers={"Origin": world.url},
    )

    assert "HttpOnly" in headers["Set-Cookie"]
    assert "SameSite=Strict" in headers["Set-Cookie"]
    assert headers["Location"] == "./runs/x"


@pytest.mark.parametrize(
    "told",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "a\n://x",
    ],
)
async def test_signing_in_leads_to_no_other_site(world, told):
    _, headers, _ = await world.ask(
        "POST",
        "/sign-in",
        scope=None,
        data={"token": "hr_the-admin-of-the-tests", "next": told},
        headers={"Origin": world.url},
    )

    assert headers["Location"] == "./"


async def test_a_wrong_token_is_told_and_gives_no_session(world):
    status, headers, body = await world.ask(
        "POST", "/sign-in", scope=None, data={"token": "hr_x"}, headers={"Origin": world.url}
    )

    assert (status, "Set-Cookie" in headers) == (401, False)
    assert b"not known" in body


async def test_a_link_signs_in_once(world):
    _, _, made = await world.ask("POST", "/api/v1/links", json={"scope": "read"})
    code = made["url"].rpartition("=")[2]
    asked = {"scope": None, "data": {"code": code}, "headers": {"Origin": world.url}}

    first, headers, _ = await world.ask("POST", "/sign-in", **asked)
    second, _, _ = await world.ask("POST", "/sign-in", **asked)

    assert (first, second) == (303, 401)
    cookie = headers["Set-Cookie"].partition(";")[0]
    _, _, body = await world.ask("GET", "/", scope=None, headers={"Cookie": cookie})
    assert b"token admin" in body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_what_changes_something_must_come_from_the_page(busy, headers):
    cookie = await busy.cookie()
    _, _, told = await busy.ask("GET", "/api/v1/runs?status=failed")
    run = told["items"][0]["id"]
    ask = {"scope": None, "headers": {"Cookie": cookie} | headers}

    for path in (f"/runs/{run}/retry", f"/api/v1/runs/{run}/retry", "/sign-out"):
        status, _, _ = await busy.ask("POST", path, **ask)
        assert status == 403, path


async def test_who_may_only_read_has_no_buttons_and_cannot_press_them(busy):
    _, _, told = await busy.ask("GET", "/api/v1/runs?status=failed")
    run = told["items"][0]["id"]

    _, _, body = await busy.page(f"/runs/{run}", "read")
    cookie = await busy.cookie("read")
    status, _, _ = await busy.ask(
        "POST",
        f"/runs/{run}/retry",
        scope=None,
        headers={"Cookie": cookie, "Origin": busy.url},
    )

    assert "/retry" not in body
    assert status == 403
    assert "/retry" in (await busy.page(f"/runs/{run}", "run"))[2]


async def test_public_read_shows_all_and_does_nothing(make_world):
    world = await make_world("page: public-read\n")
    bind = world.container()
    run, _ = await world.run(bind, status=Status.failed, step={"status": Status.failed})

    status, _, body = await world.ask("GET", f"/runs/{run.id}", scope=None)
    pressed, _, _ = await world.ask(
        "POST", f"/runs/{run.id}/retry", scope=None, headers={"Origin": world.url}
    )

    assert (status, pressed) == (200, 403)
    assert b"/retry" not in body
    assert (await world.ask("GET", "/api/v1/runs", scope=None))[0] == 401


@pytest.mark.parametrize(("proxies", "status"), [("[127.0.0.1]", 200), ("[]", 303)])
async def test_a_user_is_believed_of_a_trusted_proxy_alone(make_world, proxies, status):
    world = await make_world(
        f"page: {{user_header: Remote-User}}\ntrusted_proxies: {proxies}\n"
    )

    found, _, body = await world.ask("GET", "/", scope=None, headers={"Remote-User": "ada"})

    assert found == status
    assert (b"user ada" in body) is (status == 200)


async def test_every_page_shows_what_the_api_says(busy):
    _, _, told = await busy.ask("GET", "/api/v1/runs")
    for run in told["items"]:
        _, _, body = await busy.page(f"/runs/{run['id']}")
        text = Parsed(body).text
        assert run["status"] in text
        for step in run["steps"]:
            assert step["container"] in text
            assert step["outcome"] in text
            assert all(phase["title"] in text for phase in step["phases"])
    _, _, told = await busy.ask("GET", "/api/v1/deliveries")
    for one in told["items"]:
        _, _, body = await busy.page(f"/deliveries/{one['id']}")
        text = Parsed(body).text
        for verdict in one["verdicts"]:
            assert verdict["reason"] in text
            assert (verdict["remedy"] or "") in text
    for path in PAGES:
        assert (await busy.page(path))[0] == 200, path


async def test_a_newcomer_is_told_what_to_do_next(world):
    for path, said in EMPTY.items():
        assert said in Parsed((await world.page(path))[2]).text, path


async def test_the_steps_to_the_first_update_are_ticked_as_they_are_taken(world):
    def steps(body):
        return [a.get("class") for tag, a in Parsed(body).tags if tag == "li"]

    assert steps((await world.page("/"))[2]) == ["next", "done", "next", None]
    world.container()
    await world.delivery(world.receipt(ignored="no"))
    assert steps((await world.page("/"))[2]) == ["done", "done", "done", None]


async def test_why_a_push_did_nothing_is_found_from_the_page(busy):
    _, _, body = await busy.page("/deliveries")
    links = [a["href"] for tag, a in Parsed(body).tags if a.get("class") == "row"]
    newest = links[0].removeprefix(".")

    _, _, body = await busy.page(newest)

    text = Parsed(body).text
    assert "nothing fits" in text
    assert "it follows main" in text
    assert "set its branch" in text


async def test_links_are_relative_and_nothing_comes_from_elsewhere(busy):
    for path in PAGES:
        _, headers, body = await busy.page(path)
        for tag, attributes in Parsed(body).tags:
            for name in ("href", "src", "action"):
                target = attributes.get(name)
                if target is not None and not target.startswith("#"):
                    assert target.startswith(("./", "../")), (path, tag, target)
            assert not [name for name in attributes if name.startswith("on")]
            assert "style" not in attributes
            assert tag != "style"
            assert tag != "script" or "src" in attributes
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy


async def test_files_for_the_browser_are_kept_for_good_under_their_version(busy):
    _, _, body = await busy.page("/runs")
    sheet = next(a["href"] for tag, a in Parsed(body).tags if a.get("rel") == "stylesheet")

    status, headers, data = await busy.ask("GET", sheet.removeprefix("."), scope=None)

    assert (status, headers["Content-Type"]) == (200, "text/css; charset=utf-8")
    assert "immutable" in headers["Cache-Control"]
    assert not re.search(rb"url\(|@import", data)


async def test_output_has_its_colours_its_streams_and_links_to_lines(world):
    output = [
        (Stream.stdout, b">> Fetch\n\x1b[31mred\x1b[0m plain\n"),
        (Stream.stderr, b"warning\n"),
    ]
    run, _ = await world.run(world.container(), output=output)

    _, _, body = await world.page(f"/runs/{run.id}")

    parsed = Parsed(body)
    assert '<span class="f1">red</span> plain' in body
    lines = [a for tag, a in parsed.tags if "line" in a.get("class", "").split()]
    assert [a["id"] for a in lines] == ["s1-1", "s1-2", "s1-3"]
    assert [a["class"] for a in lines] == ["line stdout title", "line stdout", "line stderr"]


async def test_search_in_output_finds_lines_without_a_script(world):
    run, _ = await world.run(world.container(), output=b"one\ntwo\nthree two\n")

    _, _, body = await world.page(f"/runs/{run.id}?q=TWO")

    shown = [a["id"] for tag, a in Parsed(body).tags if "line" in a.get("class", "").split()]
    assert shown == ["s1-2", "s1-3"]


async def test_long_output_shows_its_end_and_leads_to_all_of_it(world):
    data = b"".join(b"line %d\n" % number for number in range(1, 1001))
    run, _ = await world.run(world.container(), output=data)

    _, _, body = await world.page(f"/runs/{run.id}")
    _, _, everything = await world.page(f"/runs/{run.id}?lines=all")

    assert "700 lines before these" in body
    assert 'id="s1-701"' in body
    assert 'id="s1-700"' not in body
    assert 'id="s1-1"' in everything


async def test_what_is_wrong_is_on_the_first_page(world):
    bind = world.container(dirty=True)
    failed = {"status": Status.failed, "outcome": Outcome.invalid, "reason": "it is broken"}
    await world.run(bind, status=Status.failed, step=failed, ago=timedelta(hours=3))
    await world.ask(
        "POST", "/hooks/gitea", scope=None, data=b"{}", headers={"X-Gitea-Event": "push"}
    )

    text = Parsed((await world.page("/"))[2]).text

    assert "it is broken" in text
    assert "engine local" in text
    assert "refused once" in text


async def test_since_when_a_container_is_valid_or_behind_is_told_and_routine_stays_aside(world):
    now = datetime.now(UTC)

    def validity(*, valid):
        at = now - timedelta(minutes=7)
        return Validity(valid=valid, since=at, at=now, reason=None if valid else "zone broken")

    good = world.container("good", validity=validity(valid=True))
    world.container("bad", "mail", validity=validity(valid=False))
    routine = {"trigger": Trigger.schedule, "action": Action.validate, "push": None}
    run, _ = await world.run(good, reason="every 5m: good", **routine)
    push = KnownPush(
        id="p1",
        repository="git.example.net/ops/bind",
        ref="refs/heads/main",
        received_at=now - timedelta(hours=3),
        before=COMMIT,
        after="d" * 40,
    )
    world.services.intake.known.history.add(push)

    listed = Parsed((await world.page("/containers"))[2]).text
    only = Parsed((await world.page("/containers?show=invalid"))[2]).text
    first = Parsed((await world.page("/"))[2]).text
    own = (await world.page("/containers/local/good"))[2]
    runs = {path: (await world.page(path))[2] for path in ("/runs", "/runs?routine=on")}

    assert "valid since 7 min ago" in listed
    assert "invalid 7 min ago" in listed
    assert "behind 3 h ago" in listed
    assert ("bad" in only, "good" in only) == (True, False)
    assert "zone broken" in first
    assert "valid since 7 min ago, last validated" in Parsed(own).text
    assert "behind since 3 h ago" in Parsed(own).text
    shown = [run.id in text for text in (own, *runs.values())]
    assert shown == [False, False, True]


@pytest.mark.process
async def test_two_hundred_follow_one_run_and_each_has_all_of_it(world):
    output = b"".join(b"line %d\n" % number for number in range(50))
    run, _ = await world.run(world.container(), output=output)
    cookie = await world.cookie("read")

    async def follow(session):
        async with session.get(f"/runs/{run.id}/lines", headers={"Cookie": cookie}) as answer:
            return (await answer.text()).count("event: line\n")

    async with world.session(None, connector=aiohttp.TCPConnector(limit=0)) as session:
        found = await asyncio.gather(*(follow(session) for _ in range(200)))

    assert found == [50] * 200


async def test_what_a_container_says_of_itself_is_where_one_looks(world):
    at = datetime.now(UTC) - timedelta(minutes=12)
    changes = [
        MonitorChange(state=MonitorState.critical, at=at, text="no zones"),
        MonitorChange(state=MonitorState.ok, at=at - timedelta(days=2), text="OK: 12 zones"),
    ]
    said = Monitored(
        state=MonitorState.critical, since=at, at=at, text="<i>3 zones", changes=tuple(changes)
    )
    world.container("bind-1", monitored=said)

    _, _, page = await world.page("/containers/local/bind-1")
    _, _, listed = await world.page("/containers")
    _, _, now = await world.page("/")

    assert "&lt;i&gt;3 zones" in page
    assert "OK: 12 zones" in page
    assert "&lt;i&gt;3 zones" in now
    for text in (page, listed, now):
        assert "critical" in text
