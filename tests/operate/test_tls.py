"""TLS without a proxy: renewed without a restart, and kept where the new pair is bad."""

import asyncio
import ssl

import aiohttp
import pytest

from hookrunner.adapters.certificate import Certificate
from hookrunner.config import Tls

pytestmark = pytest.mark.process


async def presented(program, **options):
    """The certificate that the server shows."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for name, value in options.items():
        setattr(context, name, value)
    _, writer = await asyncio.open_connection("127.0.0.1", program.port, ssl=context)
    found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    await writer.wait_closed()
    return found


@pytest.fixture
def secured(program, tmp_path, certify):
    """A program with a certificate of its own; its directory."""
    place = tmp_path / "tls"
    place.mkdir()
    certify(place)
    program.configure(f"tls: {{certificate: {place}/pem, key: {place}/key}}")
    program.start()
    return place


@pytest.mark.filterwarnings("ignore:.*TLSv1_1:DeprecationWarning")
async def test_delivery_comes_by_tls_and_old_versions_are_refused(program, secured):
    trust = ssl.create_default_context(cafile=secured / "pem")
    connector = aiohttp.TCPConnector(ssl=trust)
    async with aiohttp.ClientSession(connector=connector) as session:
        status, _ = await program.push(session, url=f"https://127.0.0.1:{program.port}")

    with pytest.raises(OSError, match=r"(?i)ssl|reset|closed"):
        await presented(program, maximum_version=ssl.TLSVersion.TLSv1_1)
    assert status == 202
    assert f"https://127.0.0.1:{program.port}" in program.said()


async def test_renewed_pair_is_taken_up_and_a_bad_one_is_not(program, secured, certify):
    first = await presented(program)
    certify(secured)
    program.run("reload")
    second = await presented(program)
    (secured / "key").write_text("no key")

    refused = program.run("reload", check=False)

    _, health = await program.get("/api/v1/health")
    assert first != second
    assert await presented(program) == second
    assert refused.returncode == 78
    assert "`tls`:" in refused.stderr
    assert health["certificate"] is None, "it was looked at by the reload alone so far"


def test_bad_pair_that_is_found_while_looking_is_told_and_not_used(tmp_path, certify):
    certify(tmp_path)
    used = Certificate(Tls(certificate=f"{tmp_path}/pem", key=f"{tmp_path}/key"))

    (tmp_path / "key").write_text("no key")

    assert not used.renew()
    assert "cannot be used" in used.error


async def test_address_may_do_without(program, tmp_path, certify):
    certify(tmp_path)
    address = f"[{{address: '127.0.0.1:{program.port}', tls: false}}]"
    program.configure(
        f"tls: {{certificate: {tmp_path}/pem, key: {tmp_path}/key}}", listen=address
    )
    program.start()

    assert (await program.get("/readyz", url=program.url))[0] == 200
