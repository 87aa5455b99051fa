"""Each example of a reverse proxy as it is shipped, but for ports and paths, run for real."""

import asyncio
import re
import shutil
import signal
import ssl
import subprocess
import time
from pathlib import Path

import aiohttp
import pytest

pytestmark = pytest.mark.process

EXAMPLES = Path(__file__).parents[2] / "config/proxy"
DEADLINE = 60.0
APACHE = """\
ServerRoot {place}
DefaultRuntimeDir {place}
PidFile {place}/apache.pid
ServerName 127.0.0.1
ErrorLog {place}/main.log
Listen 127.0.0.1:{port}
User www-data
Group www-data
{modules}
{example}
"""
CADDY = """\
{
	admin off
	auto_https off
	grace_period 1s
}
"""
NGINX = """\
daemon off;
pid {place}/nginx.pid;
error_log {place}/main.log;
events {{}}
http {{
client_body_temp_path {place}/body;
proxy_temp_path {place}/proxy;
fastcgi_temp_path {place}/fastcgi;
uwsgi_temp_path {place}/uwsgi;
scgi_temp_path {place}/scgi;
access_log off;
{example}
}}
"""


def nginx(place, example):
    (place / "file").write_text(NGINX.format(place=place, example=example))
    return ["nginx", "-c", place / "file", "-e", place / "main.log"]


def apache(place, example):
    folder = Path("/usr/lib/apache2/modules")
    names = (
        "mpm_event authz_core ssl proxy proxy_http headers setenvif log_config socache_shmcb"
    )
    modules = "\n".join(
        f"LoadModule {name}_module {folder}/mod_{name}.so"
        for name in names.split()
        if (folder / f"mod_{name}.so").exists()
    )
    port = re.search(r"VirtualHost [^:]*:([0-9]+)", example)[1]
    text = APACHE.format(place=place, port=port, modules=modules, example=example)
    (place / "file").write_text(text)
    return ["apache2", "-D", "FOREGROUND", "-f", place / "file"]


def caddy(place, example):
    (place / "file").write_text(
        "{\n\tadmin off\n\tauto_https off\n\tgrace_period 1s\n}\n" + example
    )
    return ["caddy", "run", "--adapter", "caddyfile", "--config", place / "file"]


def haproxy(place, example):
    (place / "file").write_text(example)
    return ["haproxy", "-db", "-f", place / "file"]


PROXIES = {
    "nginx": ("nginx.conf", nginx),
    "apache2": ("apache.conf", apache),
    "caddy": ("Caddyfile", caddy),
    "haproxy": ("haproxy.cfg", haproxy),
}


def substituted(text, place, *, port, backend):
    """The example with this test's ports and paths."""
    text = text.replace("127.0.0.1:4665", f"127.0.0.1:{backend}")
    text = text.replace("/etc/ssl/hooks.example.net", str(place / "x"))
    text = text.replace("/etc/haproxy/hooks.example.net.pem", str(place / "both"))
    text = text.replace(f"{place}/x.", f"{place}/")
    text = re.sub(r"/var/log/\w+", str(place), text)
    text = text.replace("listen 443", f"listen 127.0.0.1:{port}")
    return re.sub(r"(hooks\.example\.net|\*):443", f"127.0.0.1:{port}", text)


def started(command, said):
    with said.open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


@pytest.fixture(params=sorted(PROXIES))
async def proxied(request, program, tmp_path, free_port, certify):
    """A server behind a proxy: the program, its public URL, how to trust it, and the logs."""
    if shutil.which(request.param) is None:
        pytest.skip(f"no {request.param}: apt-get install it, as tests/run does")
    place = tmp_path / "proxy"
    place.mkdir()
    place.chmod(0o755)
    certify(place)
    port = free_port()
    program.url = f"https://127.0.0.1:{port}/hookrunner"
    program.configure("trusted_proxies: [127.0.0.1]", f"public_url: {program.url}")
    program.start()
    name, start = PROXIES[request.param]
    text = substituted((EXAMPLES / name).read_text(), place, port=port, backend=program.port)
    process = started(start(place, text), place / "said")
    trust = ssl.create_default_context(cafile=place / "pem")

    def logs():
        names = ("said", "hookrunner.log", "hookrunner-error.log", "main.log")
        return "\n".join((place / n).read_text() for n in names if (place / n).exists())

    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            status = (await program.get("/healthz", url=program.url, ssl=trust))[0]
            assert status == 200
            break
        except aiohttp.ClientConnectorError:
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"{request.param} does not answer: {logs()}")
            await asyncio.to_thread(time.sleep, 0.05)
    yield program, trust, logs
    process.send_signal(signal.SIGTERM)
    process.wait(DEADLINE)


async def events(answer):
    """The events of a stream, each with its id."""
    told = {}
    async for raw in answer.content:
        line = raw.decode().rstrip("\n")
        if not line:
            if told:
                yield told
            told = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(": ")
            told[name] = value


async def test_proxy_lets_through_what_hookrunner_needs(proxied):
    program, trust, logs = proxied
    token = program.run("token", "create", "x", "--scope", "read").stdout.strip()
    allowed = {"Authorization": f"Bearer {token}"}
    as_events = allowed | {"Accept": "text/event-stream"}
    connector = aiohttp.TCPConnector(ssl=trust, force_close=True)

    async with aiohttp.ClientSession(connector=connector) as session:
        async with (
            asyncio.timeout(DEADLINE),
            session.get(f"{program.url}/api/v1/events", headers=as_events) as stream,
        ):
            status, accepted = await program.push(session, padding="x" * 10 * 2**20)
            async for told in events(stream):
                if told.get("event") == "delivery":
                    break
        run = f"{program.url}/api/v1/runs/{accepted['run']}"
        async with (
            asyncio.timeout(DEADLINE),
            session.get(f"{run}/output", headers=as_events | {"Last-Event-ID": "0"}) as output,
        ):
            assert output.status == 200
        async with (
            asyncio.timeout(DEADLINE),
            session.get(f"{run}/output", headers=allowed | {"Accept": "text/plain"}) as text,
        ):
            cancelled = await program.get(
                f"/api/v1/runs/{accepted['run']}/cancel", method="POST"
            )
            last = (await text.read()).decode().splitlines()[-1]
        async with session.post(f"{program.url}/hooks/github/the-secret-in-the-path") as shut:
            assert shut.status == 401
        forged = {"X-Forwarded-For": "203.0.113.9"}
        async with session.post(f"{program.url}/hooks/github", headers=forged) as shut:
            assert shut.status == 401
        async with session.get(f"{program.url}/", allow_redirects=False) as page:
            assert page.status == 303
            there = page.headers["Location"]
        async with session.get(page.url.join(aiohttp.client.URL(there))) as sign_in:
            assert sign_in.status == 200

    assert status == 202
    assert accepted["url"] == run
    assert cancelled[0] in {200, 202}
    assert last.startswith(f"hookrunner: run {accepted['run']} cancelled")
    _, refusals = await program.get("/api/v1/refusals")
    assert {one["address"] for one in refusals["items"]} == {"127.0.0.1"}
    assert "/hookrunner/hooks/github" in logs()
    assert "the-secret-in-the-path" not in logs()
