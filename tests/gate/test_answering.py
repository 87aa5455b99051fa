"""Answers carry listed fields only: nothing else of what the engine knows comes out."""

import base64
import contextlib
import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.config.gate import Gate, Shown
from hookrunner.core.engine_api import PathStat
from hookrunner.errors import EngineError
from hookrunner.gate import answering

CANARY = "hunter2"
LABELS = {
    "hookrunner.project": "www",
    "org.opencontainers.image.source": "https://git.example.net/ops/www",
    "com.docker.compose.oneoff": "False",
    "traefik.http.middlewares.auth.basicauth.users": CANARY,
    "hookrunner": CANARY,
}
ENV = [
    f"PASSWORD={CANARY}",
    f"PATHS={CANARY}",
    "PATH=/opt/bin:/bin",
    "CONTAINER_DEPLOYED_BY=ada",
    f"XCONTAINER_={CANARY}",
    CANARY,
]
INSPECTED = {
    "Id": "c1",
    "Name": "/www-1",
    "Created": "2026-11-24T21:51:12Z",
    "Path": CANARY,
    "Args": [CANARY],
    "Image": "sha256:i1",
    "LogPath": CANARY,
    "ExecIDs": [CANARY],
    "State": {"Status": "running", "Pid": 42, "StartedAt": "2026", "Health": {"Log": CANARY}},
    "HostConfig": {"Binds": [CANARY], "NetworkMode": "host", "AutoRemove": True},
    "GraphDriver": {"Data": CANARY},
    "Mounts": [{"Source": CANARY}],
    "Config": {
        "Hostname": CANARY,
        "Env": ENV,
        "Cmd": ["nginx"],
        "Entrypoint": None,
        "Image": "www:1",
        "OpenStdin": False,
        "Labels": LABELS,
        "Healthcheck": {"Test": CANARY},
    },
    "NetworkSettings": {
        "Networks": {"bridge": {"Gateway": "172.17.0.1", "MacAddress": CANARY}}
    },
}


def everything(names, labels):
    del names, labels
    return True


def nothing(names, labels):
    del names, labels
    return False


def test_an_inspected_container_tells_what_the_server_reads_and_no_secret():
    told = answering.decode(json.dumps(INSPECTED).encode(), answering.Container).told()

    assert CANARY not in told.decode()
    said = json.loads(told)
    assert said["State"]["Pid"] == 42
    assert said["State"]["StartedAt"] == "2026"
    assert said["HostConfig"] == {"NetworkMode": "host", "AutoRemove": True}
    assert said["Config"]["Cmd"] == ["nginx"]
    assert said["Config"]["Entrypoint"] is None
    assert said["Config"]["OpenStdin"] is False
    assert said["Config"]["Env"] == ["PATH=/opt/bin:/bin", "CONTAINER_DEPLOYED_BY=ada"]
    assert said["Config"]["Labels"] == {k: v for k, v in LABELS.items() if v != CANARY}
    assert said["NetworkSettings"] == {"Networks": {"bridge": {"Gateway": "172.17.0.1"}}}


def test_an_inspected_image_tells_its_path_labels_layers_and_command():
    image = {
        "Id": "sha256:i1",
        "RepoTags": ["www:1"],
        "Author": CANARY,
        "Config": INSPECTED["Config"],
        "ContainerConfig": {"Env": [CANARY]},
        "RootFS": {"Type": "layers", "Layers": ["sha256:l1"]},
        "GraphDriver": CANARY,
    }

    told = answering.decode(json.dumps(image).encode(), answering.Image).told()

    assert CANARY not in told.decode()
    said = json.loads(told)
    assert said["Config"]["Env"] == ["PATH=/opt/bin:/bin", "CONTAINER_DEPLOYED_BY=ada"]
    assert said["RootFS"]["Layers"] == ["sha256:l1"]


def test_a_list_tells_of_those_that_may_be_seen_alone():
    gate = Gate(containers=(Shown(name="www-*"), Shown(label="hookrunner.project=dns")))
    rows = [
        {"Id": "1", "Names": ["/www-1"], "Labels": LABELS, "Command": CANARY, "Ports": [1]},
        {"Id": "2", "Names": ["/x/www-2", "/db"], "Labels": None, "State": CANARY},
        {"Id": "3", "Names": ["/ns"], "Labels": {"hookrunner.project": "dns"}},
        {"Id": "4", "Names": None, "Labels": {"hookrunner.project": "dnsmasq"}},
    ]

    shown = answering.shown_containers(json.dumps(rows).encode(), gate.shows)

    assert [one.id for one in shown] == ["1", "3"]
    assert all(CANARY not in str(one) for one in shown)
    assert shown[0].labels == {k: v for k, v in LABELS.items() if v != CANARY}


def test_images_are_listed_where_a_visible_container_uses_them():
    rows = [{"Id": "sha256:i1", "Labels": LABELS}, {"Id": "sha256:i2"}, {"Id": "i3"}]

    told = json.loads(answering.shown_images(json.dumps(rows).encode(), {"i1", "i3"}))

    assert [one["Id"] for one in told] == ["sha256:i1", "i3"]
    assert CANARY not in json.dumps(told)


def test_processes_are_numbers_and_ages():
    body = {"Titles": ["PID", "SID", "ELAPSED"], "Processes": [["1", "1", "2-03:04:05"]]}

    assert json.loads(answering.told_processes(json.dumps(body).encode())) == body


@pytest.mark.parametrize(
    "body",
    [
        {"Titles": ["PID", "SID", "CMD"], "Processes": [["1", "1", "x"]]},
        {"Titles": ["PID", "SID", "ELAPSED"], "Processes": [["1", "1", "nginx -p x"]]},
        {"Titles": ["PID", "SID", "ELAPSED"], "Processes": [["1", "1", "1", "x"]]},
        {"Titles": ["PID", "SID", "ELAPSED"], "Processes": [["x", "1", "1"]]},
        {"Titles": None, "Processes": None},
    ],
)
def test_processes_in_another_form_are_not_told(body):
    with pytest.raises(EngineError):
        answering.told_processes(json.dumps(body).encode())


def stat_header(**more):
    said = {"name": "sh", "size": 5, "mode": 493, "mtime": "2026", "linkTarget": ""} | more
    return base64.b64encode(json.dumps(said).encode()).decode()


def test_a_file_tells_mode_and_time_and_links_are_followed_here():
    link = PathStat.from_header(stat_header(mode=1 << 27 | 0o777, linkTarget="../dash"))

    assert link.is_link
    assert link.leads_to("/usr/bin/sh") == "/usr/dash"
    assert PathStat(0, link="../../../x").leads_to("//a/b") == "/x"
    told = json.loads(base64.b64decode(answering.told_stat(link)))
    assert told == {"mode": 1 << 27 | 0o777, "mtime": "2026", "linkTarget": ""}


@pytest.mark.parametrize("text", ["", "x", "bm90IGpzb24=", "W10="])
def test_a_header_of_another_form_is_an_engine_error(text):
    with pytest.raises(EngineError):
        PathStat.from_header(text)


def archive(*files, kind=tarfile.REGTYPE):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, "/etc/shadow"
            entry.size = len(data) if kind == tarfile.REGTYPE else 0
            entry.uname = CANARY
            tar.addfile(entry, io.BytesIO(data))
    return made.getvalue()


def test_a_record_is_one_small_file_and_only_its_bytes_are_told():
    told = answering.told_record(archive(("../x", b"ended 0"), ("more", CANARY.encode())))

    assert CANARY.encode() not in told
    with tarfile.open(fileobj=io.BytesIO(told)) as tar:
        (only,) = tar.getmembers()
        assert (only.name, tar.extractfile(only).read()) == ("last", b"ended 0")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no tar" * 200,
        archive(("last", bytes(5000))),
        archive(("last", b""), kind=tarfile.SYMTYPE),
        archive(("last", b""), kind=tarfile.DIRTYPE),
    ],
)
def test_anything_else_is_no_record(data):
    with pytest.raises(EngineError):
        answering.told_record(data)


def event(action="start", kind="container", **attributes):
    said = {
        "Type": kind,
        "Action": action,
        "Actor": {"ID": "c1", "Attributes": {"name": "www-1", **LABELS, **attributes}},
        "scope": CANARY,
        "from": CANARY,
        "time": 1,
        "timeNano": 1000000001,
    }
    return json.dumps(said).encode()


def test_an_event_tells_what_when_and_of_whom():
    told = answering.told_event(event("health_status: healthy"), everything)

    assert CANARY not in told.decode()
    assert told.endswith(b"\n")
    assert json.loads(told) == {
        "Type": "container",
        "Action": "health_status: healthy",
        "Actor": {"ID": "c1", "Attributes": {}},
        "time": 1,
        "timeNano": 1000000001,
    }


@pytest.mark.parametrize(
    "line",
    [event("exec_create: sh -c x"), event("exec_die"), event("top"), event("start", "image")],
)
def test_other_events_are_kept_back(line):
    assert answering.told_event(line, everything) is None


def test_events_of_others_are_kept_back_and_a_rename_is_told_to_who_knew_the_name():
    shows = Gate(containers=(Shown(name="www-*"),)).shows

    assert answering.told_event(event(), nothing) is None
    assert answering.told_event(event(name="db"), shows) is None
    assert answering.told_event(event("rename", name="db", oldName="/www-1"), shows) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(CANARY),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Id", "Config", "Env", "Labels", "State", "Actor", "Type", "x"]),
            inner,
        )
    ),
    max_leaves=12,
)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=50))
def test_whatever_an_engine_answers_is_told_in_part_or_an_engine_error(body):
    for tell in (
        lambda: answering.decode(body, answering.Container).told(),
        lambda: answering.decode(body, answering.Image).told(),
        lambda: answering.shown_containers(body, everything),
        lambda: answering.shown_images(body, {""}),
        lambda: answering.told_processes(body),
        lambda: answering.told_event(body, everything),
        lambda: answering.told_record(body),
    ):
        with contextlib.suppress(EngineError):
            told = tell()
            assert told is None or isinstance(told, bytes | list)
