"""Taking pushes as fast as they come, over 32 connections at once."""

import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from bench import containers
from bench.figures import Figure
from bench.pushes import stock
from bench.servers import Hookrunner, Server, Webhook, running
from bench.setting import Bench

CONNECTIONS = 32
SECONDS = 4
"""Of each round."""
STOCK = 8000 * SECONDS
"""Pushes in a round's file: more than either could take."""
_LUA = Path(__file__).parent / "accepting.lua"
_UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


def measure(bench: Bench) -> Iterator[Figure]:
    """Each push is on the disk before it is answered, and none is lost."""
    rates: dict[str, list[float]] = {"ours": [], "webhook": []}
    tails: dict[str, list[float]] = {"ours": [], "webhook": []}
    lost = 0.0
    place = bench.work / "accepting"
    with containers.started("accepting", project="accepting"):
        ours = Hookrunner(place / "hookrunner")
        theirs = Webhook(place / "webhook", (shutil.which("true") or "true",), waits=False)
        with running(ours, theirs):
            ours.knows(1)
            ours.cli("hold", "accepting", "--for", "1h")
            for _ in range(bench.amount(5, 2)):
                for name, server, path in (
                    ("ours", ours, "/hooks/bench"),
                    ("webhook", theirs, "/hooks/bench"),
                ):
                    before = _stored(ours)
                    count, rate, tail = _load(server, path, place)
                    server.settle()
                    rates[name].append(rate)
                    tails[name].append(tail)
                    if name == "ours":
                        lost += max(0, count - (_stored(ours) - before))
    against = "webhook 2.8.0 starting /bin/true, and keeping nothing"
    yield Figure(
        what="pushes accepted a second, 32 connections, each on the disk before its answer",
        against=against,
        unit="/s",
        ours=rates["ours"],
        theirs=rates["webhook"],
        goal=2.0,
        bound=0.15,
        at_least=True,
    )
    yield Figure(
        what="the time within which 99 % of them are answered",
        against=against,
        unit="ms",
        ours=tails["ours"],
        theirs=tails["webhook"],
        goal=0.25,
        bound=1.5,
    )
    yield Figure(
        what="of those accepted, lost",
        against="none",
        unit="",
        ours=[lost],
        theirs=[1],
        goal=0,
        bound=0,
    )


def _stored(server: Hookrunner) -> int:
    [database] = server.state.glob("*.db")
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        [count] = connection.execute("SELECT count(*) FROM deliveries").fetchone()
    connection.close()
    return int(count)


def _load(server: Server, path: str, place: Path) -> tuple[int, float, float]:
    """Send for a while; how many were taken, how many a second, and the 99th percentile, ms."""
    pushes = place / "pushes"
    stock(pushes, "ops/accepting", STOCK)
    host, port = server.address
    done = subprocess.run(
        [
            *("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--latency"),
            *("--timeout", "30", "--duration", f"{SECONDS}s", "--script", str(_LUA)),
            *(f"http://{host}:{port}{path}", "--", str(pushes)),
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    text = done.stdout
    if "Non-2xx" in text or "Socket errors" in text:
        raise RuntimeError(text)
    count = int(re.search(r"(\d+) requests in", text)[1])
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", text)[1])
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", text).groups()
    return count, rate, float(number) * _UNITS[unit]
