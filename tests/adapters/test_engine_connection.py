"""Which engines can be talked to, and what is said of the others."""

import os

import pytest

from hookrunner.adapters.engine import Engine
from hookrunner.errors import (
    EngineError,
    EngineUnavailableError,
    HookrunnerError,
)


async def test_connecting_contacts_nothing_and_a_missing_socket_is_unavailable(tmp_path):
    async with Engine.connect("away", f"unix://{tmp_path}/none", streams=1) as engine:
        with pytest.raises(EngineUnavailableError, match=f"engine away at unix://{tmp_path}/n"):
            await engine.ping()
        with pytest.raises(EngineUnavailableError):
            await engine.list_containers()


async def test_a_refused_connection_is_unavailable(hostile):
    async with hostile({}) as (engine, _, _):
        await engine.ping()
    async with Engine.connect("fake", engine.url, streams=1) as late:
        with pytest.raises(EngineUnavailableError) as caught:
            await late.ping()

    assert "running" in caught.value.hint


async def test_a_forbidden_socket_hints_at_the_group(hostile, tmp_path):
    async with hostile({}) as (engine, _, _):
        (tmp_path / "s").chmod(0)
        user = os.geteuid()
        os.seteuid(user or 65534)  # root may open every socket
        try:
            with pytest.raises(EngineUnavailableError) as caught:
                await engine.ping()
        finally:
            os.seteuid(user)

    assert "group `docker`" in caught.value.hint


async def test_tls_without_certificates_is_an_engine_error(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(tmp_path))

    with pytest.raises(EngineError, match="engine tls at"):
        async with Engine.connect("tls", "tcp://127.0.0.1:1", streams=1):
            pass


async def test_an_unused_tcp_port_is_unavailable(unused_tcp_port):
    url = f"tcp://127.0.0.1:{unused_tcp_port}"
    async with Engine.connect("away", url, streams=1) as engine:
        with pytest.raises(EngineUnavailableError, match=url):
            await engine.ping()


@pytest.mark.parametrize("url", ["/run/docker.sock", "ftp://x", "ssh://h\0/", "tcp://:x"])
async def test_a_wrong_url_is_an_engine_error(url):
    with pytest.raises(HookrunnerError):
        async with Engine.connect("bad", url, streams=1) as engine:
            await engine.ping()


async def test_a_password_in_the_url_is_not_shown():
    url = "tcp://me:geheim@127.0.0.1:1"
    async with Engine.connect("away", url, streams=1) as engine:
        with pytest.raises(EngineUnavailableError) as caught:
            await engine.ping()

    assert "geheim" not in f"{engine.url} {caught.value}"


@pytest.mark.parametrize("version", ["1.40", "1.9", "0.99"])
async def test_an_engine_that_is_too_old_is_refused(http, hostile, version):
    ping = http(b"OK").replace(b"1.99", version.encode())
    async with hostile({"/_ping": ping}) as (engine, _, _):
        with pytest.raises(EngineError, match=f"speaks API {version}.* 1.41"):
            await engine.list_containers()


@pytest.mark.parametrize("version", ["", "x", "1", "1.x", "1.\xb2"])
async def test_what_names_no_api_version_is_no_engine(http, hostile, version):
    ping = http(b"OK").replace(b"1.99", version.encode("latin-1"))
    async with hostile({"/_ping": ping}) as (engine, _, _):
        with pytest.raises(EngineError, match="is it an engine"):
            await engine.ping()


async def test_the_version_is_agreed_on_once_and_again_after_an_outage(http, hostile):
    answers = {"/containers/json": http(b"[]")}
    async with hostile(answers) as (engine, asked, _):
        await engine.list_containers()
        await engine.list_containers()
        answers["/exec/e/json"] = http(b"", "503 Service Unavailable")
        with pytest.raises(EngineUnavailableError):
            await engine.inspect_exec("e")
        await engine.list_containers()

    paths = [line.partition("?")[0].split()[1] for line in asked]
    listing = "/v1.44/containers/json"
    assert paths == ["/_ping", listing, listing, "/v1.44/exec/e/json", "/_ping", listing]


async def test_an_engine_that_is_starting_is_unavailable(http, hostile):
    async with hostile({"/_ping": http(b"", "500 Oops")}) as (engine, _, _):
        with pytest.raises(EngineUnavailableError):
            await engine.ping()
