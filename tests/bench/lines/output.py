"""An update that prints a lot, and somebody who reads all of it."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from bench import containers
from bench.engine import PIECE, UnixConnection
from bench.figures import Figure
from bench.servers import Hookrunner, running
from bench.setting import Bench

LINE = "one line of what an update has to say, as long as such lines are in general"
SLACK = 64.0
"""MiB that the server may grow by: what is between engine, disk and reader."""


def measure(bench: Bench) -> Iterator[Figure]:
    """By way of the record on the disk."""
    megabytes = bench.amount(500, 60)
    size = megabytes * 10**6
    update = f"yes '{LINE}' | head -c {size}"
    times: dict[str, list[float]] = {"ours": [], "docker": [], "raw": []}
    growth = []
    with containers.started("output", project="output", update=update) as [container]:
        ours = Hookrunner(bench.work / "output", projects={"output": {"output_limit": "1GiB"}})
        with running(ours):
            ours.knows(1)
            for _ in range(bench.amount(3, 2)):
                times["docker"].append(_docker(container, bench.work / "copy", size))
                before = ours.memory()
                ours.forget_peak()
                times["ours"].append(_ours(ours, size))
                growth.append(ours.memory("VmHWM") - before)
                began = time.monotonic()
                count = containers.execute_update(bench.engine, container, project="output")
                times["raw"].append(time.monotonic() - began)
                if count < size:
                    raise RuntimeError(f"{count} of {size} bytes came")
    rates = {name: [megabytes / one for one in took] for name, took in times.items()}
    for against, name, goal, bound in (
        ("docker exec, written to a file", "docker", 1.0, 0.35),
        ("the engine's stream, read by hand and thrown away", "raw", 0.7, 0.25),
    ):
        yield Figure(
            what=f"{megabytes} MB of output, through to an HTTP client",
            against=against,
            unit="MB/s",
            ours=rates["ours"],
            theirs=rates[name],
            goal=goal,
            bound=bound,
            at_least=True,
        )
    yield Figure(
        what="the server's memory grows meanwhile by",
        against="what is on its way",
        unit="MiB",
        ours=growth,
        theirs=[1],
        goal=SLACK,
        bound=2 * SLACK,
    )


def _docker(container: str, copy: Path, size: int) -> float:
    began = time.monotonic()
    with copy.open("wb") as file:
        subprocess.run(
            ["docker", "exec", container, "container", "--update"], stdout=file, check=True
        )
    took = time.monotonic() - began
    found = copy.stat().st_size
    copy.unlink()
    if found != size:
        raise RuntimeError(f"{found} of {size} bytes came")
    return took


def _ours(server: Hookrunner, size: int) -> float:
    connection = UnixConnection(str(server.state / "hookrunner.sock"))
    began = time.monotonic()
    connection.request(
        "POST",
        "/api/v1/updates",
        '{"project": "output", "force": true}',
        {"Content-Type": "application/json", "Accept": "text/plain"},
    )
    answer = connection.getresponse()
    count, last = 0, b""
    while piece := answer.read1(PIECE):
        count += len(piece)
        last = (last + piece)[-200:]
    took = time.monotonic() - began
    connection.close()
    if count < size or b"succeeded" not in last:
        raise RuntimeError(f"{count} of {size} bytes came: {last!r}")
    return took
