"""What does not work, said in the form that whoever asks can read."""

from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from hookrunner.config import Door

pytestmark = pytest.mark.process  # a server each: a third of a second

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
PROGRAMS = ["*/*", "application/json", "text/event-stream"]
NOTHING = {
    "/nothing/at/all": ("there is no page /nothing/at/all", {"./../../containers", "../../"}),
    "/runs/0123456789": ("there is no run 0123456789", {"../runs"}),
    "/containers/local/gone": ("gone", {"../../containers", "../../runs?container=gone"}),
    "/deliveries/0123456789": ("there is no delivery", {"../deliveries"}),
    "/runs/0123456789/raw?step=x": ("there is no run", {"../../runs"}),
    "/static/nothing.css": ("there is no page", {"../"}),
}


class Links(HTMLParser):
    """Where the links lead, and what is written."""

    def __init__(self, text):
        super().__init__()
        self.found, self.text = set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        if tag == "a":
            self.found.add(dict(attrs)["href"])

    def handle_data(self, data):
        self.text += data


async def ask(world, path, accept, method="GET", **headers):
    headers["Accept"] = accept
    return await world.ask(method, path, scope=None, headers=headers)


@pytest.mark.parametrize("path", NOTHING)
async def test_a_browser_gets_a_page_and_a_way_on_and_a_program_a_problem(world, path):
    said, links = NOTHING[path]
    signed_in = {"Cookie": await world.cookie("read")}

    status, headers, body = await ask(world, path, BROWSER, **signed_in)

    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    found = Links(body.decode())
    assert said in found.text
    assert {one.removeprefix("./") for one in links} <= found.found
    for accept in PROGRAMS:
        status, headers, told = await ask(world, path, accept, **signed_in)
        assert (status, headers["Content-Type"]) == (404, "application/problem+json"), accept
        assert told["title"]


async def test_what_programs_ask_stays_a_problem_in_a_browser_too(world):
    for path in ("/api/v1/nothing", "/api/v1/runs/x", "/hooks/nothing", "/chat/nothing"):
        status, headers, _ = await ask(world, path, BROWSER)
        assert status in {401, 404, 405}, path
        assert headers["Content-Type"] == "application/problem+json", path


async def test_strangers_are_led_to_the_sign_in(world):
    status, _, body = await ask(world, "/nothing", BROWSER)

    found = Links(body.decode())
    assert status == 404
    assert "./sign-in" in found.found
    assert "./runs" not in found.found
    status, headers, body = await ask(world, "/runs/x/retry", BROWSER, "POST", Origin=world.url)
    assert (status, headers["WWW-Authenticate"]) == (401, "Bearer")
    assert "../../sign-in" in Links(body.decode()).found


async def test_what_is_not_allowed_is_said_with_a_way_back(world):
    signed_in = {"Cookie": await world.cookie("read"), "Origin": world.url}

    status, _, body = await ask(world, "/runs/x/retry", BROWSER, "POST", **signed_in)

    found = Links(body.decode())
    assert status == 403
    assert "a token that has the scope run" in found.text
    assert "../../" in found.found
    status, headers, _ = await ask(world, "/runs", BROWSER, "DELETE", **signed_in)
    assert (status, headers["Allow"]) == (405, "GET, HEAD")


async def test_a_query_that_is_not_understood_is_told(world):
    signed_in = {"Cookie": await world.cookie("read")}

    status, _, body = await ask(world, "/runs?colour=red", BROWSER, **signed_in)

    assert status == 400
    assert "there is no parameter 'colour' here" in Links(body.decode()).text


async def test_what_breaks_inside_says_nothing_of_it(world):
    signed_in = {"Cookie": await world.cookie("read")}
    world.services.inventory.put(replace(world.container(), methods=5))  # none can be told

    status, headers, body = await ask(world, "/containers", BROWSER, **signed_in)
    problem, _, told = await ask(world, "/containers", "*/*", **signed_in)

    assert (status, headers["Content-Type"]) == (500, "text/html; charset=utf-8")
    assert "the log says what" in Links(body.decode()).text
    assert (problem, told["title"]) == (500, "something went wrong here; the log says what")
    assert b"Traceback" not in body


@pytest.mark.parametrize("page", [True, False])
async def test_an_address_without_the_page_has_problems_alone(make_world, page):
    serves = "[hooks, page]" if page else "[hooks]"
    listen = f"listen: [{{address: '127.0.0.1:0', serves: {serves}}}]\n"
    world = await make_world(listen)
    assert (Door.page in world.services.config.listen[0].serves) is page

    _, headers, _ = await ask(world, "/nothing", BROWSER)

    assert (headers["Content-Type"] == "application/problem+json") is not page
