"""What strangers may use, and that it is nothing that others need."""

import asyncio
import contextlib
import gc
import gzip
import json
import tracemalloc

import pytest

from hookrunner.web.body import SMALL

LARGE = 128 * 2**10
CONFIG = """\
sources:
  github: {secret_env: SECRET, repositories: ["ops/*"]}
"""


def limits(**values):
    told = ", ".join(f"{name}: {value}" for name, value in values.items())
    return f"limits: {{{told}}}\n{CONFIG}"


async def test_a_body_above_the_limit_is_refused_before_and_while_it_comes(door, body, signed):
    async with door(limits(body="100KiB", in_flight="1MiB")) as client:
        data = body(padding="x" * (100 * 1024))

        before = await client.status(data, signed(data))
        reader, writer = await client.connect(
            "POST /hooks/github HTTP/1.1",
            "Host: x",
            *(f"{name}: {value}" for name, value in signed(data).items()),
            "Transfer-Encoding: chunked",
            "",
        )
        writer.write(f"{len(data):x}\r\n".encode() + data)
        while_it_comes = await asyncio.wait_for(reader.readline(), 30)

        assert before == 413
        assert b" 413 " in while_it_comes
        writer.close()


async def test_a_dripping_body_is_cut(door):
    async with door(limits(body_timeout="300ms")) as client:
        reader, writer = await client.connect(
            "POST /hooks/github HTTP/1.1",
            "Host: x",
            "X-GitHub-Event: push",
            "X-Hub-Signature-256: sha256=0",
            "Content-Length: 100",
            "",
            then=b"{",
        )

        told = (await asyncio.wait_for(reader.read(), 30)).lower()

        assert told.startswith(b"http/1.1 503 ")
        assert b"connection: close" in told
        writer.close()


async def test_a_large_body_that_still_comes_is_not_cut(door, body, signed):
    async with door(limits(body_timeout="300ms")) as client:
        data = body(padding="x" * LARGE)
        head = ("POST /hooks/github HTTP/1.1", "Host: x", f"Content-Length: {len(data)}")
        proof = [f"{name}: {value}" for name, value in signed(data).items()]

        reader, writer = await client.connect(*head, *proof, "", then=data[: 2 * SMALL])
        dripping, other = await client.connect(*head, *proof, "", then=data[:10])
        cut = await asyncio.wait_for(dripping.readline(), 30)
        writer.write(data[2 * SMALL :])
        answer = await asyncio.wait_for(reader.readline(), 30)

        assert b" 503 " in cut
        assert b" 202 " in answer
        writer.close()
        other.close()


async def test_a_dripping_head_is_cut(door):
    async with door(limits(head_timeout="300ms")) as client:
        reader, writer = await client.connect("POST /hooks/github HTTP/1.1")

        assert await asyncio.wait_for(reader.read(), 30) == b""
        writer.close()


async def test_a_head_above_the_limit_is_refused(door, body, signed):
    async with door() as client:
        data = body()

        status = await client.status(data, signed(data, Padding="x" * 9000))

        assert status == 400


async def test_a_head_of_many_lines_is_cut(door):
    async with door() as client:
        lines = [f"Padding-{number}: {'x' * 8000}" for number in range(100)]

        reader, writer = await client.connect("POST /hooks HTTP/1.1", "Host: x")
        with contextlib.suppress(ConnectionError):
            writer.write("\r\n".join(lines).encode())
            await writer.drain()

        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 30)
        writer.close()


async def test_large_bodies_that_are_refused_leave_nothing_in_memory(door, body, signed):
    async with door() as client:
        data = body(padding="x" * 2**20)
        gc.collect()
        gc.disable()
        tracemalloc.start()
        try:
            for secret in [b"guess", b"another guess"] * 5:
                assert await client.status(data, signed(data, secret=secret)) == 401
            taken = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
            gc.enable()

        # The last one may be on its way out.
        assert taken < 4 * 2**20, "an error that keeps itself keeps the body too"


async def test_large_bodies_of_one_address_push_out_its_own_and_nobody_elses(
    door, body, signed
):
    async with door(limits(body="300KiB", in_flight="400KiB")) as client:
        head = (
            "POST /hooks/github HTTP/1.1",
            "Host: x",
            "X-GitHub-Event: push",
            "X-Hub-Signature-256: sha256=0",
            f"Content-Length: {LARGE + 1}",
            "",
        )
        first, second, other = [
            await client.connect(*head, then=b"x" * LARGE, source_address=address)
            for address in ("127.0.0.2", "127.0.0.2", "127.0.0.3")
        ]

        data = body(padding="x" * (LARGE - 10_000))
        good = await client.status(data, signed(data), source_address="127.0.0.4")
        answers = []
        for _, writer in (second, other):
            writer.write(b"x")
        for reader, writer in (first, second, other):
            answers.append((await asyncio.wait_for(reader.readline(), 30)).split()[1])
            writer.close()

        assert good == 202
        assert answers == [b"503", b"401", b"401"]


async def test_a_small_push_gets_in_while_large_ones_use_all_there_is(door, body, signed):
    async with door(limits(body="150KiB", in_flight="150KiB")) as client:
        reader, writer = await client.connect(
            "POST /hooks/github HTTP/1.1",
            "Host: x",
            "X-GitHub-Event: push",
            "X-Hub-Signature-256: sha256=0",
            f"Content-Length: {150 * 1024}",
            "",
            then=b"x" * (150 * 1024 - 1000),
        )
        data = body()

        assert await client.status(data, signed(data)) == 202
        assert not reader.at_eof()
        writer.close()


async def test_bad_proofs_of_an_address_are_429_and_good_ones_of_it_202(door, body, signed):
    async with door(limits(bad_proofs="3/10m")) as client:
        statuses = [
            await client.status(data, signed(data, secret=b"guess")) for data in [body()] * 5
        ]
        data = body()
        status, said, headers = await client.send(data, signed(data, secret=b"guess"))
        good, large = body(), body(padding="x" * (LARGE))

        assert statuses == [401, 401, 401, 429, 429]
        assert (status, said["status"]) == (429, 429)
        assert 0 < int(headers["Retry-After"]) <= 200
        assert await client.status(good, signed(good)) == 202
        assert await client.status(large, signed(large)) == 202
        assert await client.status(b"{", {}, path="/hooks/nobody") == 429
        assert await client.status(data, signed(b""), source_address="127.0.0.2") == 401


async def test_the_clients_address_counts_where_a_proxy_is_trusted(door, body, signed):
    text = "trusted_proxies: [127.0.0.1]\n" + limits(bad_proofs="1/10m")
    async with door(text) as client:

        async def bad(forwarded, **more):
            data = body()
            headers = signed(data, secret=b"guess") | {"X-Forwarded-For": forwarded}
            return await client.status(data, headers, **more)

        assert await bad("198.51.100.1") == 401
        assert await bad("198.51.100.1") == 429
        assert await bad("203.0.113.9, 198.51.100.1") == 429, "the client wrote the first one"
        assert await bad("198.51.100.2") == 401
        assert await bad("2001:db8::1") == 401
        assert await bad("2001:db8::2") == 429, "one network is one sender"
        assert await bad("198.51.100.3", source_address="127.0.0.9") == 401
        assert await bad("198.51.100.4", source_address="127.0.0.9") == 429, "not trusted"
        data = body()
        headers = signed(data) | {"X-Forwarded-For": "198.51.100.1"}
        _, said, _ = await client.send(data, headers)
        _, delivery = await client.api("GET", f"/api/v1/deliveries/{said['delivery']}")

        assert delivery["remote"] == "198.51.100.1"


async def test_a_source_above_its_rate_is_told_to_come_again(door, body, signed):
    text = CONFIG.replace("]}", "], rate: 2/10m}")
    async with door(text) as client:
        statuses = []
        for _ in range(3):
            data = body()
            status, _, headers = await client.send(data, signed(data))
            statuses.append(status)

        assert statuses == [202, 202, 503]
        assert int(headers["Retry-After"]) > 100


async def test_connections_of_strangers_make_room_for_others(door, body, signed):
    async with door(limits(connections=10)) as client:
        idle = [
            await client.connect("POST /hooks HTTP/1.1", source_address="127.0.0.2")
            for _ in range(20)
        ]
        data = body()

        assert await client.status(data, signed(data)) == 202
        for reader, _ in idle[:10]:
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await asyncio.wait_for(reader.readexactly(1), 30)
        assert not any(reader.at_eof() for reader, _ in idle[-8:])
        for _, writer in idle:
            writer.close()


@pytest.mark.parametrize(
    "path", ["/hooks/", "/hooks/github/", "/hooks/github/more", "/hooks/gone", "/hooks"]
)
async def test_no_path_below_hooks_is_404_or_a_redirect_to_a_proof_that_holds(
    door, path, body, signed
):
    async with door() as client:
        data = body()

        assert await client.status(data, signed(data), path=path) in {202, 401}


@pytest.mark.parametrize("path", ["//hooks", "//hooks/github", "///hooks/github/"])
async def test_a_slash_too_many_in_front_as_proxies_put_it_there_changes_nothing(
    door, path, body, signed
):
    async with door() as client:
        data = body()

        assert await client.status(data, signed(data), path=path) == 202
        assert await client.status(data, signed(data, secret=b"another"), path=path) == 401
        _, counted = await client.api("GET", "/metrics", text=True)

    assert 'hookrunner_deliveries_total{answer="202",source="github"} 1.0' in counted


async def test_a_compressed_body_is_what_was_sent_and_not_what_it_becomes(door, signed):
    async with door() as client:
        data = gzip.compress(b"x" * 10_000_000)

        status, said, _ = await client.send(data, signed(data) | {"Content-Encoding": "gzip"})

        assert (status, "compressed" in said["title"]) == (415, True), json.dumps(said)
