"""The order of system calls: what is answered with 202 was synced to the disk before."""

import asyncio
import re
import signal
import subprocess

import pytest

pytestmark = pytest.mark.process
NO_ENGINE = "unix:///nonexistent/engine.sock"
DELIVERIES = 200
AT_ONCE = 10

CALL = re.compile(r"^(?P<pid>\d+) +(?P<name>\w+)\((?P<arguments>.*)$")
RESUMED = re.compile(r"^(?P<pid>\d+) +<\.\.\. (?P<name>\w+) resumed>(?P<rest>.*)$")


def calls(trace):
    """The calls of a trace as (first line, last line, name, arguments and result)."""
    open_calls, found = {}, []
    for number, line in enumerate(trace.splitlines()):
        if resumed := RESUMED.match(line):
            start, name, arguments = open_calls.pop((resumed["pid"], resumed["name"]))
            found.append((start, number, name, arguments + resumed["rest"]))
        elif call := CALL.match(line):
            arguments = call["arguments"]
            if arguments.endswith("<unfinished ...>"):
                open_calls[call["pid"], call["name"]] = (number, call["name"], arguments)
            else:
                found.append((number, number, call["name"], arguments))
    return sorted(found)


async def test_every_202_comes_after_a_sync_of_what_it_promises(
    make_server, tmp_path, invented_pushes, until
):
    trace = tmp_path / "trace"
    trace.touch()  # strace makes it anew once it has started
    server = await make_server(engine=NO_ENGINE)
    pushes = invented_pushes()
    tracer = subprocess.Popen(  # noqa: ASYNC220 - starts at once
        [
            *("strace", "-f", "-yy", "-s", "64", "-p", str(server.process.pid)),
            *("-o", str(trace), "-e", "trace=recvfrom,sendto,pwrite64,fdatasync,fsync"),
        ],
        stderr=subprocess.DEVNULL,
    )
    slots = asyncio.Semaphore(AT_ONCE)

    async def deliver(body):
        async with slots:
            return (await server.deliver(body))[0]

    try:

        async def is_traced():
            await server.deliver(next(pushes))
            return "HTTP/1.1 202" in trace.read_text()

        await until(is_traced)
        seen = len(trace.read_text())
        async with asyncio.TaskGroup() as group:
            for _ in range(DELIVERIES):
                group.create_task(deliver(next(pushes)))
    finally:
        tracer.send_signal(signal.SIGINT)
        tracer.wait(30)

    wal = str(server.state / "hookrunner.db-wal")
    asked, writes, syncs, waits = {}, [], [], []
    for first, last, name, told in calls(trace.read_text()[seen:]):
        socket = told.partition(",")[0]
        if name == "recvfrom" and '"POST /hooks' in told:
            asked[socket] = last
        elif name == "pwrite64" and wal in told:
            writes.append(last)
        elif name in {"fdatasync", "fsync"} and wal in told and told.endswith(" = 0"):
            syncs.append((first, last))
        elif name == "sendto" and '"HTTP/1.1 202' in told:
            waits.append((asked.pop(socket), first))
    assert len(waits) == DELIVERIES
    unsynced = [
        (received, answered)
        for received, answered in waits
        if not any(
            received < begin and end < answered and any(received < w < begin for w in writes)
            for begin, end in syncs
        )
    ]
    assert unsynced == []
    assert 0 < len(syncs) <= DELIVERIES  # those who come together share one
