"""Requests as each chat sends them, signed by other means than those that are tested."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from urllib.parse import urlencode

from nacl.signing import SigningKey

SLACK = b"8f742231b10e8888abcd99yyyzzz85a5"
MATTERMOST = b"xr3j5x3p4pfk7kk6ck7b4e6ghh"
TEAMS = base64.b64encode(b"a key of the tests, of 32 bytes!")
DISCORD = SigningKey(b"2" * 32)
SECRETS = {
    "slack": SLACK,
    "mattermost": MATTERMOST,
    "teams": TEAMS,
    "discord": bytes(DISCORD.verify_key),
}
NOW = 1_531_420_618
USERS = {
    "slack": "U2CERLKJA",
    "mattermost": "q8jc1ncuptfw7kfdigkw6h6gro",
    "discord": "53908232506183680",
    "teams": "b1da1e30-3a1c-4e1e-9b1e-111111111111",
}
CHANNELS = {
    "slack": "G8PSS9T3V",
    "mattermost": "jeoyzqpsgbftjkoneuzchx8dqe",
    "discord": "645027906669510667",
    "teams": "19:253b1f341670408fb6fe51050b6e5ceb@thread.skype",
}


def slack(text, /, *, at=NOW, secret=SLACK, **more):
    """The headers and body of a slash command."""
    fields = {
        "token": "xyzz0WbapA4vBCDEFasx0q6G",
        "team_id": "T1DC2JH3J",
        "team_domain": "testteamnow",
        "channel_id": CHANNELS["slack"],
        "channel_name": "foobar",
        "user_id": USERS["slack"],
        "user_name": "ada",
        "command": "/hookrunner",
        "text": text,
        "response_url": "https://hooks.slack.com/commands/T1DC2JH3J/397700885554/96rGlfmibIGl",
        "trigger_id": "398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c",
    } | more
    return signed_slack(urlencode(fields).encode(), at=at, secret=secret)


def signed_slack(body, *, at=NOW, secret=SLACK):
    digest = hmac.new(secret, b"v0:%d:%s" % (at, body), hashlib.sha256).hexdigest()
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": str(at),
        "X-Slack-Signature": f"v0={digest}",
    }
    return headers, body


def mattermost(text, /, *, secret=MATTERMOST, **more):
    fields = {
        "channel_id": CHANNELS["mattermost"],
        "channel_name": "town-square",
        "command": "/hookrunner",
        "response_url": "https://chat.example.net/hooks/commands/9zd13ykm6iyejpdm8t1a4nakjh",
        "team_domain": "someteam",
        "team_id": "rdc9bgriktyx9p4kowh3dmgqyc",
        "text": text,
        "token": secret.decode(),
        "trigger_id": "NjNnajNzNmk4YmIzM",
        "user_id": USERS["mattermost"],
        "user_name": "ada",
    } | more
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "Authorization": f"Token {secret.decode()}",
    }
    return headers, urlencode(fields).encode()


def discord(text, *, at=NOW, key=DISCORD, **more):
    """An interaction: the first word is a sub-command, the others are its options."""
    verb, *words = text.split()
    told = {
        "type": 2,
        "token": "aW50ZXJhY3Rpb246ODQ1.A_UNIQUE-TOKEN",
        "application_id": "775799577604522054",
        "id": "786008729715212338",
        "guild_id": "290926798626357999",
        "channel_id": CHANNELS["discord"],
        "channel": {"id": CHANNELS["discord"], "name": "ops"},
        "member": {"user": {"id": USERS["discord"], "username": "ada"}, "nick": "the Countess"},
        "data": {
            "id": "771825006014889984",
            "name": "hookrunner",
            "options": [
                {
                    "type": 1,
                    "name": verb,
                    "options": [{"type": 3, "name": "x", "value": word} for word in words],
                }
            ],
        },
    } | more
    return signed_discord(json.dumps(told).encode(), at=at, key=key)


def signed_discord(body, *, at=NOW, key=DISCORD):
    headers = {
        "Content-Type": "application/json",
        "X-Signature-Timestamp": str(at),
        "X-Signature-Ed25519": key.sign(str(at).encode() + body).signature.hex(),
    }
    return headers, body


def teams(text, *, at=NOW, secret=TEAMS, **more):
    told = {
        "type": "message",
        "id": "1485983408511",
        "timestamp": datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.1234567Z"),
        "serviceUrl": "https://smba.trafficmanager.net/amer/",
        "channelId": "msteams",
        "from": {"id": "29:1XJKJMvc5GBtc2JwZq0oj8tHZmzrQgFmB39ATiQ", "name": "Ada"}
        | {"aadObjectId": USERS["teams"]},
        "conversation": {"id": f"{CHANNELS['teams']};messageid=1485983194839"},
        "text": f"<at>hookrunner</at>&nbsp;{text}\n",
        "channelData": {
            "teamsChannelId": CHANNELS["teams"],
            "channel": {"id": CHANNELS["teams"]},
        },
    } | more
    return signed_teams(json.dumps(told).encode(), secret=secret)


def signed_teams(body, *, secret=TEAMS):
    digest = hmac.new(base64.b64decode(secret), body, hashlib.sha256).digest()
    headers = {
        "Content-Type": "application/json",
        "Authorization": f"HMAC {base64.b64encode(digest).decode()}",
    }
    return headers, body


SENT = {"slack": slack, "mattermost": mattermost, "discord": discord, "teams": teams}
