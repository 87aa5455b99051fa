"""What chats send and take, sans-I/O: a signed request in, words out, and an answer back.

The order of work is the caller's: `verify`, and only then `decode`. Whatever is wrong with a
request is a `hookrunner.errors.DeliveryError`, and nothing else is ever raised.
"""

from collections.abc import Mapping

from hookrunner.chat.discord import DISCORD
from hookrunner.chat.mattermost import MATTERMOST
from hookrunner.chat.platform import Asked, Platform
from hookrunner.chat.slack import SLACK
from hookrunner.chat.teams import TEAMS

__all__ = ["PLATFORMS", "Asked", "Platform"]

PLATFORMS: Mapping[str, Platform] = {
    one.name: one for one in (SLACK, MATTERMOST, DISCORD, TEAMS)
}
"""Every platform by its key under ``chat:``, which is also the end of its path."""
