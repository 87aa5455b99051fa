"""Requests are read to what they mean, and written anew from nothing but that."""

import json
from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.config import Commands
from hookrunner.core import commands, engine_api
from hookrunner.gate.asking import Asked, Refused, Request, What, judge
from hookrunner.gate.table import Table
from hookrunner.model import Action

TABLE = Table(Action, [Commands(update=("git", "pull"), user="www")])
ID = "0123456789abcdef" * 4
ULID = "01m8420eeapay2nt3dhx4m5219"
STEP = {
    "HOOKRUNNER_RUN": ULID,
    "HOOKRUNNER_STEP": ULID,
    "HOOKRUNNER_TRIGGER": "push",
    "HOOKRUNNER_NONCE": "ab" * 16,
}
UPDATE = {
    "Cmd": ["container", "--update"],
    "Env": [f"{name}={value}" for name, value in STEP.items()],
    "AttachStdin": False,
    "AttachStdout": True,
    "AttachStderr": True,
    "Tty": False,
}
EXEC = f"/v1.41/containers/{ID}/exec"


def target(path, /, **parameters):
    return f"{path}?{urlencode(parameters)}" if parameters else path


def filters(**said):
    return json.dumps({name: list(values) for name, values in said.items()})


PASSED = {
    "ping": ("GET", "/_ping", None),
    "ping by the docker command": ("HEAD", "/_ping", None),
    "version": ("GET", "/v1.41/version", None),
    "list": ("GET", "/v1.44/containers/json", None),
    "list of the running": (
        "GET",
        target("/v1.44/containers/json", filters=filters(status=engine_api.STATES)),
        None,
    ),
    "list of some": (
        "GET",
        target("/v1.44/containers/json", filters=filters(status=engine_api.STATES, id=[ID])),
        None,
    ),
    "inspect": ("GET", f"/v1.44/containers/{ID}/json", None),
    "inspect by name": ("GET", "/containers/www-1/json", None),
    "top": ("GET", target(f"/v1.44/containers/{ID}/top", ps_args=engine_api.PS), None),
    **{
        f"presence of {path}": (
            "HEAD",
            target(f"/v1.44/containers/{ID}/archive", path=path),
            None,
        )
        for path in ("/bin/sh", "/usr/local/bin/container", "/run/container/started")
    },
    **{
        f"record in {path}": (
            "GET",
            target(f"/v1.44/containers/{ID}/archive", path=path),
            None,
        )
        for path in engine_api.RECORDS
    },
    "events": (
        "GET",
        target(
            "/v1.44/events",
            filters=filters(type=["container"], event=engine_api.EVENTS),
            since="1795425823.500000000",
        ),
        None,
    ),
    "events, all": ("GET", "/v1.44/events", None),
    "exec": ("POST", EXEC, UPDATE),
    "start": ("POST", f"/v1.44/exec/{ID}/start", {"Detach": False, "Tty": False}),
    "exec inspect": ("GET", f"/v1.44/exec/{ID}/json", None),
    "image": ("GET", f"/v1.44/images/sha256:{ID}/json", None),
    "image of Podman": ("GET", f"/v1.44/images/{ID}/json", None),
    "images": ("GET", "/v1.44/images/json", None),
}


def request(method, path, body, headers=()):
    data = b"" if body is None else json.dumps(body).encode()
    return Request(method=method, target=path, headers=headers, body=data)


@pytest.mark.parametrize("name", PASSED)
def test_what_the_server_asks_is_passed_and_asked_anew_means_the_same(name):
    method, path, body = PASSED[name]

    asked = judge(request(method, path, body), TABLE)

    assert isinstance(asked, Asked), asked
    again_method, again = asked.target()
    once_more = Request(method=again_method, target=again, body=asked.body or b"")
    assert judge(once_more, TABLE) == asked
    assert again_method == ("GET" if method == "HEAD" and "_ping" in path else method)


EXECUTED = sorted({(one.argv, one.user or "") for one in TABLE})


@given(st.sampled_from(EXECUTED), st.booleans())
def test_an_exec_is_written_anew_with_the_tables_words_and_no_rights(entry, is_quiet):
    argv, user = entry
    command = next(one for one in TABLE if (one.argv, one.user or "") == entry)
    values = STEP | {
        "HOOKRUNNER_STOP": ULID,
        "HOOKRUNNER_SIGNAL": "TERM",
        "HOOKRUNNER_WAIT": "0",
        "HOOKRUNNER_AGE": "1",
        "HOOKRUNNER_SEEN": "17:4711 18:4712",
    }
    environment = [f"{name}={values[name]}" for name in sorted(command.needed)]
    user = "33:33" if command.as_anybody else user
    body = UPDATE | {"Cmd": argv, "Env": environment, "User": user}
    body["AttachStdout"] = not is_quiet

    asked = judge(request("POST", EXEC, body), TABLE)

    made = json.loads(asked.body)
    assert made.pop("User", "") == user
    assert made == {
        "Cmd": list(argv),
        "Env": environment,
        "AttachStdin": False,
        "AttachStdout": not is_quiet,
        "AttachStderr": True,
        "Privileged": False,
        "Tty": False,
    }


WRONG_BODIES = {
    "privileged": {"Privileged": True},
    "a terminal": {"Tty": True},
    "stdin": {"AttachStdin": True},
    "a directory": {"WorkingDir": "/"},
    "detach keys": {"DetachKeys": "ctrl-c"},
    "an unknown key": {"Capabilities": ["ALL"]},
    "a key in other letters": {"privileged": True},
    "another user": {"User": "root"},
    "the user of another command": {"User": "www"},
    "another command": {"Cmd": ["sh"]},
    "more words": {"Cmd": ["container", "--update", "--force"]},
    "a word in two": {"Cmd": ["container", "--", "update"]},
    "one word": {"Cmd": ["container --update"]},
    "a string": {"Cmd": "container --update"},
    "no command": {"Cmd": []},
    "null": {"Cmd": None},
    "another wrapper": {"Cmd": ["sh", "-c", commands.WRAPPER + " ", "hookrunner", "2"]},
    "another variable": {"Env": [*UPDATE["Env"], "PATH=/tmp"]},
    "a variable without value": {"Env": [*UPDATE["Env"], "HOOKRUNNER_REF"]},
    "a variable twice": {"Env": [*UPDATE["Env"], UPDATE["Env"][0]]},
    "a wrong value": {"Env": [*UPDATE["Env"], "HOOKRUNNER_REF=refs/heads/$(id)"]},
    "a line in a value": {"Env": [*UPDATE["Env"], "HOOKRUNNER_PUSHER=a\nPATH=/tmp"]},
    "a variable too few": {"Env": UPDATE["Env"][1:]},
    "no variables": {"Env": None},
    "a number": {"Env": [1]},
}


@pytest.mark.parametrize("name", WRONG_BODIES)
def test_any_other_exec_is_refused(name):
    assert isinstance(judge(request("POST", EXEC, UPDATE), TABLE), Asked)

    assert isinstance(judge(request("POST", EXEC, UPDATE | WRONG_BODIES[name]), TABLE), Refused)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1.41/containers/json/"),
        ("GET", "//v1.41/containers/json"),
        ("GET", "/v1.41//containers/json"),
        ("GET", "/v1.41/../v1.41/containers/json"),
        ("GET", "/v1.41/%63ontainers/json"),
        ("GET", "/v1.41/containers%2fjson"),
        ("GET", f"/v1.41/containers/{ID}%2f..%2f..%2finfo/json"),
        ("GET", "/v1.41/containers/../json"),
        ("GET", "/v1.41/containers/-x/json"),
        ("GET", "/V1.41/containers/json"),
        ("GET", "/v1/containers/json"),
        ("GET", "/v1.41.1/containers/json"),
        ("GET", "/v2.0/containers/json"),
        ("GET", "/libpod/containers/json"),
        ("GET", "http://localhost/v1.41/containers/json"),
        ("GET", "/v1.41/containers/json#x"),
        ("GET", "/v1.41/containers/json;x"),
        ("GET", "/v1.41/containers/json\n"),
        ("GET", "/v1.41/containers/json?"),
        ("GET", "/v1.41/containers/json?all=1&all=1"),
        ("GET", "/v1.41/containers/json?all=yes"),
        ("GET", "/v1.41/containers/json?size=1"),
        ("GET", "/v1.41/containers/json?all=%zz"),
        ("GET", "/v1.41/containers/json?all=%ff"),
        ("GET", "/v1.41/containers/json?%61ll=1"),
        ("GET", "/v1.41/containers/json?filters=%257B%257D"),
        ("GET", "/v1.41/containers/json?filters={}&filters={}"),
        ("GET", "/v1.41/containers/json?filters=[]"),
        ("GET", target("/v1.41/containers/json", filters=filters(label=["x"]))),
        ("GET", target("/v1.41/containers/json", filters=filters(id=["abc"]))),
        ("GET", target("/v1.41/containers/json", filters=filters(status=["x"]))),
        ("GET", f"/v1.41/containers/{ID}/top"),
        ("GET", target(f"/v1.41/containers/{ID}/top", ps_args="-ef")),
        ("GET", target(f"/v1.41/containers/{ID}/top", ps_args=f"{engine_api.PS},args")),
        ("GET", f"/v1.41/containers/{ID}/json?size=1"),
        ("GET", f"/v1.41/containers/{ID}/logs?stdout=1"),
        ("GET", f"/v1.41/containers/{ID}/archive"),
        *(
            (method, target(f"/v1.41/containers/{ID}/archive", path=path))
            for method in ("GET", "HEAD")
            for path in (
                "/etc/shadow",
                "/",
                "",
                "bin/sh",
                "//bin/sh",
                "/bin/../bin/sh",
                "/bin/./sh",
                "/bin/sh/",
                "/run/hookrunner/last/../../../etc/shadow",
                "/run/hookrunner/",
                "/etc/container\n",
                "/etc/containers",
                "/" + "x" * 2000 + "/container",
            )
        ),
        ("GET", target(f"/v1.41/containers/{ID}/archive", path="/bin/sh")),
        ("HEAD", target(f"/v1.41/containers/{ID}/archive", path="/run/hookrunner/last")),
        ("PUT", target(f"/v1.41/containers/{ID}/archive", path="/bin/container")),
        ("GET", "/v1.41/images/debian/json"),
        ("GET", "/v1.41/images/sha256:abc/json"),
        ("GET", f"/v1.41/images/sha256%3A{ID}/json"),
        ("GET", target("/v1.41/events", filters=filters(type=["image"]))),
        ("GET", target("/v1.41/events", filters=filters(event=["exec_create"]))),
        ("GET", target("/v1.41/events", filters=filters(event=[]))),
        ("GET", target("/v1.41/events", filters=filters(container=["x"]))),
        ("GET", "/v1.41/events?since=1e9"),
        ("GET", "/v1.41/events?until=1"),
        ("GET", f"/v1.41/exec/{ID[:12]}/json"),
        ("GET", f"/v1.41/exec/{ID.upper()}/json"),
        ("POST", f"/v1.41/exec/{ID}/resize?h=1&w=1"),
        ("POST", f"/v1.41/exec/{ID}/start"),
        ("get", "/_ping"),
        ("HEAD", "/v1.41/containers/json"),
        ("OPTIONS", "/_ping"),
        *(
            ("POST", f"/v1.41/{path}")
            for path in (
                "containers/create",
                *(f"containers/{ID}/{verb}" for verb in ("start", "stop", "kill", "restart")),
                *(f"containers/{ID}/{verb}" for verb in ("update", "rename", "attach", "wait")),
                "images/create",
                "build",
                "volumes/create",
                "networks/create",
                "swarm/init",
                "plugins/pull",
                "session",
                "auth",
                "commit",
            )
        ),
        *(
            ("GET", f"/v1.41/{path}")
            for path in ("info", "system/df", "volumes", "networks", "secrets", "plugins")
        ),
        *(("GET", f"/v1.41/containers/{ID}/{path}") for path in ("export", "changes", "stats")),
        ("DELETE", f"/v1.41/containers/{ID}"),
        ("DELETE", f"/v1.41/images/sha256:{ID}"),
        ("CONNECT", "localhost:80"),
    ],
)
def test_any_other_way_is_refused(method, path):
    assert isinstance(judge(request(method, path, None), TABLE), Refused)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Transfer-Encoding", "chunked"),
        ("Transfer-Encoding", "identity"),
        ("Connection", "Upgrade"),
        ("Connection", "close, X-Other"),
        ("Upgrade", "tcp"),
        ("Upgrade", "h2c"),
        ("HTTP2-Settings", ""),
        ("Expect", "100-continue"),
        ("Trailer", "X"),
        ("TE", "trailers"),
        ("Content-Encoding", "gzip"),
        ("Proxy-Connection", "keep-alive"),
        ("X-HTTP-Method-Override", "DELETE"),
        ("Host", "other"),
        ("Content-Length", "0"),
    ],
)
@pytest.mark.parametrize("case", [str, str.lower, str.upper])
def test_headers_that_change_what_a_request_is_are_refused(name, value, case):
    usual = [("Host", "engine"), ("Connection", "keep-alive"), ("Content-Length", "0")]
    assert isinstance(judge(request("GET", "/_ping", None, usual), TABLE), Asked)

    more = [*usual, (case(name), value)]

    assert isinstance(judge(request("GET", "/_ping", None, more), TABLE), Refused)


def test_a_body_where_none_belongs_is_refused():
    assert isinstance(judge(request("GET", "/_ping", {}), TABLE), Refused)


PARTS = st.sampled_from(
    f"/v1.41 / .. %2e%2e %2f containers json exec {ID} x start ? path= /bin/sh & filters= {{}}"
    f" archive top images sha256: events ps_args= {quote(engine_api.PS)} all=1 since=1 \x00"
    " é // /_ping".split(" ")
)
TARGETS = st.lists(PARTS | st.text(max_size=4), max_size=9).map("".join)
BODIES = st.binary(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*UPDATE]), inner)
    ),
    max_leaves=6,
).map(lambda value: json.dumps(value).encode())


@given(st.sampled_from(["GET", "POST", "HEAD", "PUT", "DELETE", "x"]), TARGETS, BODIES)
def test_whatever_comes_is_refused_or_written_anew_and_then_means_the_same(method, path, body):
    asked = judge(Request(method=method, target=path, body=body), TABLE)

    if isinstance(asked, Refused):
        assert asked.reason
    else:
        again_method, again = asked.target()
        assert again.isascii()
        assert again.isprintable()
        assert " " not in again
        assert ".." not in again
        once_more = Request(method=again_method, target=again, body=asked.body or b"")
        assert judge(once_more, TABLE) == asked


@given(st.sampled_from([*PASSED]), st.data())
def test_a_changed_character_never_reaches_another_thing(name, data):
    method, path, body = PASSED[name]
    place = data.draw(st.integers(0, len(path)))
    mark = data.draw(st.characters(codec="utf-8") | st.sampled_from("/.%?&#;\\"))
    other = path[:place] + mark + path[place + data.draw(st.integers(0, 1)) :]

    asked = judge(request(method, other, body), TABLE)

    if isinstance(asked, Asked):
        meant = judge(request(method, path, body), TABLE).what
        assert asked.what in {meant, What.container, What.image, What.images, What.containers}
