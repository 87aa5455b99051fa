"""Receivers of what is told to others, each a small server that keeps what arrives.

The hosted ones cannot be had here: these are fakes, written from the documentation of each
API, and they refuse what that says is refused.
"""

import base64
import json
import re
from contextlib import asynccontextmanager

from aiohttp import web

TOKEN = "a token that is long enough"
COMMIT = "1f" * 20


class Received:
    """One request.

    Attributes:
        forge: Whose API it was for.
        status: The state, description and context in the words of that API.
    """

    def __init__(self, request, body, forge):
        self.method = request.method
        self.path = request.raw_path
        self.headers = dict(request.headers)
        self.body = body
        self.forge = forge


def _bearer(headers):
    return headers.get("Authorization") == f"Bearer {TOKEN}"


def _basic(headers):
    password = base64.b64encode(f":{TOKEN}".encode()).decode()
    return headers.get("Authorization") == f"Basic {password}"


# Of each forge: its path, how a token is shown, the states, the keys that there must be and
# that there may be, and the longest description.
_APIS = {
    # https://docs.github.com/en/rest/commits/statuses#create-a-commit-status
    "github": (
        r"/repos/([^/]+)/([^/]+)/statuses/([0-9a-f]{40})",
        _bearer,
        {"error", "failure", "pending", "success"},
        {"state"},
        {"target_url", "description", "context"},
        140,
    ),
    # https://docs.gitlab.com/api/commits/#set-commit-pipeline-status
    "gitlab": (
        r"/projects/([^/]+)()/statuses/([0-9a-f]{40})",
        lambda headers: headers.get("PRIVATE-TOKEN") == TOKEN,
        {"pending", "running", "success", "failed", "canceled", "skipped"},
        {"state"},
        {"ref", "name", "context", "target_url", "description", "coverage", "pipeline_id"},
        255,
    ),
    # https://docs.gitea.com/api, repoCreateStatus
    "gitea": (
        r"/repos/([^/]+)/([^/]+)/statuses/([0-9a-f]{40})",
        lambda headers: headers.get("Authorization") == f"token {TOKEN}",
        {"pending", "success", "error", "failure", "warning"},
        {"state"},
        {"target_url", "description", "context"},
        10_000,
    ),
    # https://developer.atlassian.com/cloud/bitbucket/rest/api-group-commit-statuses/
    "bitbucket-cloud": (
        r"/repositories/([^/]+)/([^/]+)/commit/([0-9a-f]{40})/statuses/build",
        _bearer,
        {"SUCCESSFUL", "FAILED", "INPROGRESS", "STOPPED"},
        {"state", "key", "url"},
        {"name", "description", "refname"},
        10_000,
    ),
    # https://developer.atlassian.com/server/bitbucket/how-tos/updating-build-status-for-commits
    "bitbucket-dc": (
        r"/rest/api/latest/projects/([^/]+)/repos/([^/]+)/commits/([0-9a-f]{40})/builds",
        _bearer,
        {"SUCCESSFUL", "FAILED", "INPROGRESS", "CANCELLED", "UNKNOWN"},
        {"state", "key", "url"},
        {"buildNumber", "description", "duration", "lastUpdated", "name", "parent", "ref"},
        255,
    ),
    # https://learn.microsoft.com/en-us/rest/api/azure/devops/git/statuses/create
    "azure-devops": (
        r"/([^/]+)/_apis/git/repositories/([^/]+)/commits/([0-9a-f]{40})/statuses\?api-version=6.0",
        _basic,
        {"notSet", "pending", "succeeded", "failed", "error", "notApplicable"},
        {"state", "context"},
        {"description", "targetUrl"},
        10_000,
    ),
}
_APIS["forgejo"] = _APIS["gitea"]
_LONGEST_KEY = {"bitbucket-cloud": 40, "bitbucket-dc": 255}


def _answered(forge, request, body):
    """What the API answers: a status, and a body."""
    pattern, is_known, states, needed, allowed, longest = _APIS[forge]
    if re.fullmatch(pattern, request.raw_path) is None:
        return 404, {"message": "Not Found"}
    if not is_known(request.headers):
        return 401, {"message": "Bad credentials"}
    if request.content_type != "application/json":
        return 415, {"message": "not JSON"}
    if not needed <= set(body) <= needed | allowed:
        return 400, {"message": f"keys: {sorted(body)}"}
    if body["state"] not in states or len(body.get("description", "")) > longest:
        return 422, {"message": "Validation Failed"}
    if len(body.get("key", "")) > _LONGEST_KEY.get(forge, 10_000):
        return 400, {"message": "the key is too long"}
    return 201, {"state": body["state"]}


class Receiver:
    """A forge that takes statuses, or anything that takes POST requests.

    Attributes:
        received: What arrived, in order.
        refusals: What the next requests are answered instead; a status with headers each.
    """

    def __init__(self, forge=None):
        self.forge = forge
        self.received = []
        self.refusals = []
        self.url = None

    async def _take(self, request):
        data = await request.read()
        try:
            body = json.loads(data)
        except ValueError:
            body = data
        self.received.append(Received(request, body, self.forge))
        if self.refusals:
            status, headers, text = self.refusals.pop(0)
            return web.Response(status=status, headers=headers, text=text)
        if self.forge is None:
            return web.Response(status=204)
        status, answer = _answered(self.forge, request, body)
        if status >= 400:
            self.received.pop()
        return web.json_response(answer, status=status)

    @asynccontextmanager
    async def running(self):
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()
