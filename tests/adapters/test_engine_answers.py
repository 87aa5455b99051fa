"""What the adapter reads in an engine's answers."""

import msgspec
import pytest

from hookrunner.adapters.engine.answers import InspectedExec, InspectedImage, Listed
from hookrunner.core.engine_api import PathStat
from hookrunner.errors import (
    EngineError,
)
from hookrunner.model import ExecState


def listed(**changes):
    entry = {
        "Id": "f" * 64,
        "Names": ["/other/alias", "/web"],
        "Image": "sha256:0123",
        "ImageID": "sha256:0123",
        "Created": 1795425823,
        "State": "running",
        "Status": "Up 3 minutes",
        "Labels": None,
        "Mounts": None,
    }
    return msgspec.convert(entry | changes, Listed).container("local")


def test_a_listed_container_has_its_own_name_and_no_link():
    container = listed()

    assert (container.name, container.engine, container.image) == (
        "web",
        "local",
        "sha256:0123",
    )
    assert container.created_at.isoformat() == "2026-11-23T09:23:43+00:00"
    assert (container.labels, container.mounts) == ({}, {})


@pytest.mark.parametrize(
    ("status", "health"),
    [
        ("Up 3 minutes (healthy)", "healthy"),
        ("Up 3 minutes (unhealthy)", "unhealthy"),
        ("Up 2 seconds (health: starting)", "starting"),
        ("Up 3 minutes (Paused)", None),
        ("Up 3 minutes", None),
        (None, None),
    ],
)
def test_health_is_read_from_the_status_text(status, health):
    assert listed(Status=status).health == health


def test_mounts_lead_to_volume_names_and_host_paths():
    mounts = [
        {
            "Type": "volume",
            "Destination": "/srv/data",
            "Name": "data",
            "Source": "/var/lib/docker/volumes/data/_data",
        },
        {"Type": "bind", "Destination": "/srv/www", "Source": "/srv/web"},
        {"Type": "tmpfs", "Destination": "/run", "Source": ""},
    ]

    assert listed(Mounts=mounts).mounts == {"/srv/data": "data", "/srv/www": "/srv/web"}


def test_an_image_without_path_has_the_default_one_and_relative_parts_are_dropped():
    bare = InspectedImage(id="i").image()
    config = {"Id": "i", "Config": {"Labels": None, "Env": ["X=1", "PATH=/a:b::/c"]}}
    relative = msgspec.convert(config, InspectedImage).image()

    assert bare.search_path[:2] == ("/usr/local/sbin", "/usr/local/bin")
    assert relative.search_path == ("/a", "/c")


@pytest.mark.parametrize(
    ("told", "code"),
    [
        ({"Running": True, "ExitCode": 0, "Pid": 9, "CanRemove": False}, None),
        ({"Running": False, "ExitCode": None, "Pid": 0, "CanRemove": False}, None),
        ({"Running": False, "ExitCode": 0, "Pid": 0, "CanRemove": False}, None),
        ({"Running": False, "ExitCode": 0, "Pid": 0, "CanRemove": True}, 0),
        ({"Running": False, "ExitCode": 0, "Pid": 9, "CanRemove": False}, 0),
        ({"Running": False, "ExitCode": 7, "Pid": 0, "CanRemove": True}, 7),
        ({"Running": False, "ExitCode": 0}, 0),
    ],
    ids=[
        *("running", "created in Docker", "created in Podman", "ended in Podman"),
        *("ended in Docker", "failed in Podman", "ended, and no more is told"),
    ],
)
def test_an_exec_has_an_exit_code_only_once_it_ended(told, code):
    state = msgspec.convert(told, InspectedExec).state()

    assert state == ExecState(running=told["Running"], exit_code=code)


@pytest.mark.parametrize("header", ["", "!", "e30=", "eyJtb2RlIjoieCJ9"])
def test_a_path_stat_of_another_form_is_refused(header):
    with pytest.raises(EngineError):
        PathStat.from_header(header)
