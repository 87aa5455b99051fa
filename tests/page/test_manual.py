"""The documents as pages: all of them, with links that lead somewhere."""

from html.parser import HTMLParser
from urllib.parse import urljoin

import pytest

from hookrunner.web.documents import documents

pytestmark = pytest.mark.process  # a server each: a third of a second


class Document(HTMLParser):
    """Links, ids and text of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.ids, self.text = [], set(), ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        if tag == "a":
            self.links.append(found["href"])
        if "id" in found:
            self.ids.add(found["id"])

    def handle_data(self, data):
        self.text += data


async def page(world, path):
    status, _, text = await world.page(path, "read")
    return status, Document(text)


async def test_every_document_is_a_page_that_the_list_of_topics_leads_to(world):
    _, topics = await page(world, "/help")

    for topic in documents():
        status, shown = await page(world, f"/help/{topic}")

        assert status == 200
        assert f"./help/{topic}" in topics.links or f"help/{topic}" in topics.links
        assert "](" not in shown.text, "a link that was not read"
        assert "| ---" not in shown.text, "a table that was not read"


async def test_links_between_documents_and_within_them_lead_somewhere(world):
    seen = 0
    for topic in documents():
        _, shown = await page(world, f"/help/{topic}")
        for link in shown.links:
            if link.startswith("#") and link != "#main":
                assert link[1:] in shown.ids, f"{topic}: {link}"
                seen += 1
            elif "://" not in link and not link.startswith("#"):
                status, _ = await page(world, urljoin(f"/help/{topic}", link))
                assert status == 200, f"{topic}: {link}"
                seen += 1
    assert seen > len(documents())


async def test_no_help_is_a_page_that_says_so(world):
    status, shown = await page(world, "/help/nothing")

    assert status == 404
    assert "there is no help on nothing" in shown.text
