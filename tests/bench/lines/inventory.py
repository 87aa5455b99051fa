"""Many containers: known at the start, and one that comes."""

import http.client
import json
import os
import threading
import time
from collections.abc import Iterator
from queue import Queue

from bench import containers
from bench.engine import UnixConnection, docker
from bench.figures import Figure
from bench.servers import Hookrunner, running
from bench.setting import Bench


def measure(bench: Bench) -> Iterator[Figure]:
    """As many as there are, and one of them again and again."""
    count = bench.amount(300, 40)
    names = [f"many-{number}" for number in range(count)]
    place = bench.work / "inventory"
    known, by_hand = [], []
    with containers.started(*names, project="many") as ids:
        for number in range(bench.amount(5, 3)):
            by_hand.append(_by_hand(ids))
            known.append(_found(Hookrunner(place / f"{number}", more={"engines": {}}), count))
        yield Figure(
            what=f"an engine is first heard of until its {count} containers are known",
            against="docker ps, and docker inspect of all of them",
            unit="s",
            ours=known,
            theirs=by_hand,
            goal=1.5,
            bound=3.0,
        )
        ours = Hookrunner(place / "events")
        with running(ours):
            ours.knows(count)
            delays = list(_events(bench, ours, ids[0], bench.amount(20, 6)))
        yield Figure(
            what="a container starts until it is known",
            against="after the engine's own event",
            unit="ms",
            ours=delays,
            theirs=[1],
            goal=50,
            bound=250,
        )


def _by_hand(ids: list[str]) -> float:
    began = time.monotonic()
    docker("inspect", *docker("ps", "--quiet", "--no-trunc").split())
    took = time.monotonic() - began
    return took if ids else 0.0


def _found(server: Hookrunner, count: int) -> float:
    """Seconds from the engine's name in the configuration until all are known.

    It is named to a server that runs already: a start takes as long as all the rest.
    """
    with running(server):
        began = time.monotonic()
        server.change(engines={"local": os.environ["DOCKER_HOST"]})
        while _counted(server) < count:  # which is asked for less than a list of them
            time.sleep(0.01)
        return time.monotonic() - began


def _counted(server: Hookrunner) -> int:
    engines = server.api("GET", "/health")["engines"].values()
    return sum(engine["containers"] for engine in engines)


def _events(bench: Bench, server: Hookrunner, container: str, rounds: int) -> Iterator[float]:
    """Milliseconds by which hookrunner tells of a start later than the engine, each time."""
    engine: Queue[float] = Queue()
    told: Queue[float] = Queue()
    filters = json.dumps({"container": [container], "event": ["start"]})
    _listen(
        bench.engine.connection(), f"/v1.41/events?filters={_quoted(filters)}", b"{", engine
    )
    mark = b'"' + container.encode() + b'"'
    connection = UnixConnection(str(server.state / "hookrunner.sock"))
    _listen(connection, "/api/v1/events", mark, told)
    for _ in range(rounds):
        docker("stop", "--time", "0", container)
        told.get(timeout=30)  # that it went
        while not told.empty():
            told.get()
        docker("start", container)
        at = engine.get(timeout=30)
        yield max(0.0, (told.get(timeout=30) - at) * 1000)


def _listen(
    connection: http.client.HTTPConnection, path: str, mark: bytes, heard: Queue[float]
) -> None:
    """Note when each line came that has a mark in it."""
    connection.request("GET", path, headers={"Accept": "text/event-stream"})
    answer = connection.getresponse()

    def listen() -> None:
        while line := answer.readline():
            if mark in line:
                heard.put(time.monotonic())

    threading.Thread(target=listen, daemon=True).start()


def _quoted(text: str) -> str:
    return "".join(f"%{ord(one):02x}" if not one.isalnum() else one for one in text)
