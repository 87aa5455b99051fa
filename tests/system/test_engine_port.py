"""An engine at a TCP port with TLS, as docker's own variables have it."""

from pathlib import Path

import pytest
from relays import Relay

pytestmark = pytest.mark.engine


@pytest.mark.parametrize("way", ["server", "gate"])
async def test_an_engine_at_a_port_with_tls_does_what_is_pushed(  # noqa: PLR0917
    way, engine_url, docker_certificates, monkeypatch, make_site, make_server, make_gate
):  # fmt: skip
    if not engine_url.startswith("unix://"):
        pytest.skip("the engine is on another machine")
    certificates = docker_certificates("certificates")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(certificates))
    site = make_site(f"ported-{way}")

    with Relay(Path(engine_url.removeprefix("unix://")), certificates) as relay:
        engine = relay.url if way == "server" else make_gate(relay.url).url
        server = await make_server(engine=engine)
        await server.knows(site)
        _, answer = await server.deliver(site.push())
        run = await server.finished(answer["run"])
        server.stop()

    assert [(one["status"], one["outcome"]) for one in run["steps"]] == [
        ("succeeded", "updated")
    ]
