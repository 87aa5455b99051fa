"""Requests that a gate must refuse, as the bytes that somebody sends: any number of them."""

import json
import random
from urllib.parse import quote

from hookrunner.core import commands, processes

ID = "0123456789abcdef" * 4
STRANGER = "fedcba9876543210" * 4
"""A container that is there and may not be seen."""
ULID = "01m8420eeapay2nt3dhx4m5219"
STEP = [
    f"HOOKRUNNER_{name}={value}"
    for name, value in {
        "RUN": ULID,
        "STEP": ULID,
        "TRIGGER": "push",
        "NONCE": "ab" * 16,
    }.items()
]
GOOD = {"Cmd": ["container", "--update"], "Env": STEP, "AttachStdout": True}
PING = b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n"

READS = """
/info /system/df /volumes /networks /swarm /nodes /services /tasks /secrets /configs /plugins
/distribution/x/json /images/x/history /images/x/get /images/search?term=x /build/prune
/containers/{id}/logs?stdout=1 /containers/{id}/export /containers/{id}/changes
/containers/{id}/stats /containers/{id}/attach/ws /containers/{id}/top
/containers/{id}/archive?path=/etc/shadow /containers/{id}/json?size=1 /session /_ping?x=1
/containers/json?size=1 /libpod/info /v2/_catalog /metrics / /version/x
"""
WRITES = """
/containers/create /containers/create?name=x /containers/{id}/start /containers/{id}/stop
/containers/{id}/restart /containers/{id}/kill /containers/{id}/kill?signal=KILL
/containers/{id}/update /containers/{id}/rename?name=x /containers/{id}/pause
/containers/{id}/unpause /containers/{id}/attach?stream=1&stdin=1 /containers/{id}/wait
/containers/{id}/resize /containers/prune /images/create?fromImage=x /images/x/push
/images/x/tag?repo=y /images/prune /images/load /build /commit?container={id} /auth /session
/networks/create /networks/x/connect /volumes/create /volumes/prune /swarm/init /secrets/create
/services/create /plugins/pull?remote=x /plugins/x/enable /exec/{id}/resize /grpc
/libpod/containers/create /libpod/play/kube
"""
COMMANDS = [
    ["sh"],
    ["sh", "-c", "id"],
    ["/bin/sh", "-c", "id", "hookrunner-stop"],
    ["container"],
    ["container", "--start"],
    ["container", "--rollback"],
    ["container", "--update", "x"],
    ["container", "--update "],
    ["container --update"],
    ["/usr/bin/container", "--update"],
    ["env", "container", "--update"],
    ["sh", "-c", commands.WRAPPER, "hookrunner", "1", "id"],
    ["sh", "-c", commands.WRAPPER, "hookrunner", "2", "container", "--update", "id"],
    ["sh", "-c", commands.WRAPPER, "hookrunner", "0", "sh"],
    ["sh", "-c", commands.WRAPPER + "id\n", "hookrunner", "2", "container", "--update"],
    ["bash", "-c", commands.WRAPPER, "hookrunner", "2", "container", "--update"],
    [*processes.STOP, "x"],
    [*processes.RECOVER[:2], "id", "hookrunner-recover"],
]
RIGHTS = [
    {"Privileged": True},
    {"Tty": True},
    {"AttachStdin": True},
    {"WorkingDir": "/root"},
    {"DetachKeys": "a"},
    {"User": "root"},
    {"User": "0"},
    {"User": "0:0"},
    {"privileged": True},
    {"PRIVILEGED": True},
    {"Privileged": "true"},
    {"Capabilities": ["ALL"]},
    {"ConsoleSize": [1, 1]},
    {"Detach": True},
]
VARIABLES = [
    "PATH=/tmp",
    "LD_PRELOAD=/tmp/x.so",
    "HOOKRUNNER_X=1",
    "HOOKRUNNER_STOP=*",
    "HOOKRUNNER_REF=refs/heads/$(id)",
    "HOOKRUNNER_REF=main",
    "HOOKRUNNER_PUSHER=a\nb",
    "HOOKRUNNER_PUSHER=`id`",
    "HOOKRUNNER_AFTER=HEAD",
    "HOOKRUNNER_REPOSITORY=-x",
    "HOOKRUNNER_REF",
    "=x",
    "",
    STEP[0],
    "BASH_ENV=/tmp/x",
    "ENV=/tmp/x",
    "IFS=x",
]
GOOD_PATHS = [
    "/v1.41/containers/json",
    f"/v1.41/containers/{ID}/json",
    f"/v1.41/containers/{ID}/archive?path=/bin/sh",
    "/v1.41/events",
    "/version",
]
TRICKS = [
    lambda path: "/" + path,
    lambda path: path.replace("containers", "%63ontainers").replace("v", "%76"),
    lambda path: path.replace("/", "%2f", 2).replace("%2f", "/", 1),
    lambda path: "/x/.." + path,
    lambda path: "/./" + path[1:],
    lambda path: path.replace("?", "/../../../info?") + "/..",
    lambda path: path.split("?")[0] + "/",
    lambda path: path.split("?")[0] + "\\..\\info",
    lambda path: path.split("?")[0] + ";x=1",
    lambda path: path.split("?")[0] + "%00",
    lambda path: path.split("?")[0] + "?&",
    lambda path: path.split("?")[0] + "?path=/bin/sh&path=/etc/shadow",
    lambda path: path.split("?")[0] + "?path=%2e%2e/etc/shadow",
    lambda path: path.split("?")[0] + "?path=/etc/../bin/sh",
    lambda path: path.split("?")[0] + "?path=//bin/sh",
    lambda path: path.split("?")[0] + "?unknown=1",
    lambda path: path.split("?")[0] + "#x",
    lambda path: "http://engine" + path,
    lambda path: path.replace("/v1.41", "/v1.41/v1.41") + "?",
    lambda path: path.replace("/v1.41", "/v9") if "v1" in path else "/v9" + path,
    lambda path: path.upper(),
    lambda path: path.replace("s", "\u017f", 1),
    lambda path: path.split("?")[0] + "\u2028",
]


UPGRADE = ["Connection: Upgrade"]
WRONG_SIZES = ["-1", "0x5", "fffffffffffffffff", " 5", "5;"]


def http(method, path, body=None, headers=(), *, length=None):
    data = body if isinstance(body, bytes) else b""
    if body is not None and not isinstance(body, bytes):
        data = json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *headers]
    if data or length is not None:
        lines += ["Content-Type: application/json"]
        lines += [f"Content-Length: {len(data) if length is None else length}"]
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + data


def chunked(data, *, size=None):
    length = f"{len(data):x}" if size is None else size
    return f"{length}\r\n".encode() + data + b"\r\n0\r\n\r\n"


class Hostile:
    """Makes requests out of a seed.

    Args:
        containers: Ids that may be named, visible and not.
    """

    def __init__(self, seed):
        self._random = random.Random(seed)  # noqa: S311 - tests, to be repeated

    def __iter__(self):
        kinds = [
            self.other_way,
            self.other_command,
            self.more_rights,
            self.other_variables,
            self.trick,
            self.smuggled,
            self.foreign_exec,
            self.hidden,
            self.no_http,
            self.mangled,
        ]
        while True:
            for kind in kinds:
                yield kind.__name__, kind()

    def _one(self, some):
        return self._random.choice(some)

    def _version(self):
        return self._one(["", "/v1.24", "/v1.41", "/v1.44"])

    def _create(self, container=ID):
        return f"{self._version()}/containers/{container}/exec"

    def other_way(self):
        """Another path, or another method."""
        if self._random.random() < 0.3:
            path = self._one(GOOD_PATHS).partition("?")[0]
            verb = self._one(["PUT", "DELETE", "PATCH", "POST", "OPTIONS", "TRACE", "BREW"])
            return http(verb, path, {} if verb in {"PUT", "POST"} else None)
        if self._random.random() < 0.5:
            path = self._one(READS.split()).format(id=self._one([ID, "www-1"]))
            return http(self._one(["GET", "HEAD"]), self._version() + path)
        path = self._one(WRITES.split()).format(id=self._one([ID, "www-1"]))
        verb = self._one(["POST", "DELETE", "PUT"])
        return http(verb, self._version() + path, {"Image": "x", "HostConfig": {}})

    def other_command(self):
        argv = self._one(COMMANDS)
        if self._random.random() < 0.5:
            argv = [*GOOD["Cmd"]]
            argv.insert(self._random.randrange(3), self._one(["x", "", "--", "-c", "\x00"]))
        return http("POST", self._create(), GOOD | {"Cmd": argv})

    def more_rights(self):
        return http("POST", self._create(), GOOD | self._one(RIGHTS))

    def other_variables(self):
        mixed = [*STEP, self._one(VARIABLES)]
        self._random.shuffle(mixed)
        if self._random.random() < 0.2:
            mixed = STEP[self._random.randrange(1, 4) :]
        return http("POST", self._create(), GOOD | {"Env": mixed})

    def trick(self):
        while (path := self._one(TRICKS)(self._one(GOOD_PATHS))) in GOOD_PATHS:
            pass
        return http("HEAD" if "archive" in path else "GET", path)

    def smuggled(self):
        """One request in another, so that two readers may differ where it ends."""
        bad = http("POST", f"/v1.41/containers/{ID}/exec", GOOD | {"Privileged": True})
        full = len(bad)
        make = self._one(
            [
                lambda: http("GET", "/_ping", bad),
                lambda: http("GET", "/_ping", bad, length=0),
                lambda: http("GET", "/_ping", bad, ["Content-Length: 0"]),
                lambda: http("GET", "/_ping", bad, [f"Content-Length: {full}"]),
                lambda: http("GET", "/_ping", bad, ["Content-Length: 0, 5"]),
                lambda: http("GET", "/_ping", bad, ["Content-Length: +0"], length=full),
                lambda: http("GET", "/_ping", bad, ["Transfer-Encoding: chunked"]),
                lambda: (
                    http("GET", "/_ping", None, ["Transfer-Encoding: chunked"]) + chunked(bad)
                ),
                lambda: (
                    http("POST", self._create(), None, ["Transfer-Encoding: chunked"])
                    + chunked(json.dumps(GOOD | {"Tty": True}).encode())
                ),
                lambda: (
                    http("GET", "/_ping", None, ["Transfer-Encoding: xchunked"]) + chunked(bad)
                ),
                lambda: (
                    http("GET", "/_ping", None, ["Transfer-Encoding:\tchunked"]) + chunked(bad)
                ),
                lambda: (
                    http("GET", "/_ping", None, ["Transfer-Encoding: chunked"])
                    + chunked(bad, size=self._one(WRONG_SIZES))
                ),
                lambda: (
                    http("GET", "/_ping", None, ["X: a", " Transfer-Encoding: chunked"]) + bad
                ),
                lambda: http("GET", "/_ping", None, ["Content-Length : 5"]) + bad,
                lambda: (
                    http("GET", "/_ping", None, ["Upgrade: tcp", "Connection: Upgrade"]) + bad
                ),
                lambda: (
                    http("GET", "/_ping", None, ["Upgrade: h2c", "Connection: upgrade"]) + bad
                ),
                lambda: http("GET", "/_ping", None, ["Connection: close, Host"]) + bad,
                lambda: http("GET", "/_ping", None, ["Expect: 100-continue"]) + bad,
                lambda: http("GET", "/_ping", None, ["X: \x0b\x00"]) + bad,
                lambda: http("GET", "/_ping\r\n\r\nPOST /build") + bad,
                lambda: http("GET", "/_ping HTTP/1.1\r\nX: x") + bad,
                lambda: http("CONNECT", "engine:80") + bad,
                lambda: PING * self._random.randrange(1, 4) + bad,
                lambda: bad + PING,
                lambda: http("GET", "/_ping").replace(b"\r\n", b"\n") + bad,
                lambda: http("GET", "/_ping").replace(b"1.1", b"1.0") + bad,
                lambda: http("GET", "/_ping").replace(b"1.1", b"0.9") + bad,
                lambda: http("GET", "/_ping").replace(b"1.1", b"2.0") + bad,
                lambda: b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bad,
            ]
        )
        return make()

    def foreign_exec(self):
        """An exec that was not made here."""
        made = f"{self._random.getrandbits(256):064x}"
        if self._random.random() < 0.5:
            return http("POST", f"{self._version()}/exec/{made}/start", {"Detach": False})
        return http("GET", f"{self._version()}/exec/{made}/json")

    def hidden(self):
        """Something about a container that is there and may not be seen."""
        who = self._one([STRANGER, "stranger", STRANGER[:12]])
        path = f"{self._version()}/containers/{who}"
        return self._one(
            [
                http("GET", f"{path}/json"),
                http("GET", f"{path}/top?ps_args={quote('-eo pid,sid,etime')}"),
                http("HEAD", f"{path}/archive?path=/bin/sh"),
                http("GET", f"{path}/archive?path=/run/hookrunner/last"),
                http("POST", f"{path}/exec", GOOD),
            ]
        )

    def no_http(self):
        return bytes(self._random.getrandbits(8) for _ in range(40)) + b"\r\n\r\n"

    def mangled(self):
        """A good exec with one byte changed, where that makes it another."""
        good = bytearray(http("POST", f"/v1.41/containers/{ID}/exec", GOOD))
        region = self._one([b"/containers/", b"/exec HTTP/1.1", b'"container", "--update"'])
        words = [n for n, byte in enumerate(region) if chr(byte) not in '" ,']
        place = good.index(region) + self._one(words)
        good[place] = self._one([n for n in range(1, 256) if n != good[place]])
        return bytes(good)
