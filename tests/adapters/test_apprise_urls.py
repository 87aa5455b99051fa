"""Apprise takes a line of text to where its URLs say, and its URLs are shown nowhere."""

import logging

import pytest
from receivers import Receiver

from hookrunner.adapters import apprise_urls
from hookrunner.errors import ConfigError, OutgoingError

pytestmark = [
    pytest.mark.process,  # loading it takes a second
    pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning"),  # its own
]


async def test_what_does_not_arrive_is_an_error_that_shows_no_url(caplog):
    caplog.set_level(logging.DEBUG)
    async with Receiver().running() as receiver:
        receiver.refusals = [(500, {}, "out of order")]
        url = receiver.url.replace("http://", "json://ada:a-password@")
        with pytest.raises(OutgoingError) as caught:
            await apprise_urls.send(url.encode(), "notify.ops", title="t", text="x")

    assert "a-password" not in f"{caught.value} {caught.value.hint} {caplog.text}"


def test_what_apprise_does_not_know_is_told_by_its_line():
    with pytest.raises(ConfigError) as caught:
        apprise_urls.check(b"json://localhost\n\nnothing://a-password@x\n", "notify.ops")

    assert "`notify.ops`: line 3" in str(caught.value)
    assert "a-password" not in f"{caught.value} {caught.value.hint}"
