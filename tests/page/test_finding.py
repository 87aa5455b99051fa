"""Finding one container among many."""

import re

import pytest

pytestmark = pytest.mark.process  # a server each: a third of a second


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=MAIL", {"mail-1"}),
        ("q=%20bind-2", {"bind-2"}),
        ("q=bind&project=mail", set()),
        ("q=1&show=failed", {"mail-1"}),
        ("q=nobody", set()),
    ],
)
async def test_containers_are_found_by_what_they_are_called(busy, query, found):
    _, _, text = await busy.page(f"/containers?{query}")

    assert set(re.findall(r'href="(?:[./]*)containers/local/([^"]+)"', text)) == found
    assert ("None of 3 is that way" in text) == (not found)
