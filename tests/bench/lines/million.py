"""A server with a million runs in its store, beside one with a thousand."""

import shutil
import time
from collections.abc import Callable, Iterator, Mapping

from bench import containers, stores
from bench.figures import Figure
from bench.pushes import Push
from bench.servers import Hookrunner, running, until
from bench.setting import Bench

PAGES: Mapping[str, str] = {
    "now": "/",
    "containers": "/containers",
    "runs": "/runs",
    "runs of a project that failed": "/runs?project=many&status=failed",
    "deliveries": "/deliveries",
}
LISTS: Mapping[str, str] = {
    "all runs": "/runs",
    "runs of a repository": "/runs?repository=ops/many",
    "all deliveries": "/deliveries",
    "all containers": "/containers",
}
KEPT: Mapping[str, object] = {"runs": 10_000_000, "age": "36500d"}
"""All of them: the default keeps 100,000, and would take the others out meanwhile."""


def measure(bench: Bench) -> Iterator[Figure]:
    """The slowest of all pages and lists, and a push."""
    large = bench.amount(1_000_000, 50_000)
    place = bench.work / "million"
    sizes = {1000: place / "small", large: place / "large"}
    more = {"page": {"access": "public-read"}, "retention": KEPT}
    with containers.started("many", project="many"):
        _record(Hookrunner(sizes[1000], more=more))
        for count, directory in sizes.items():
            if count != 1000:
                shutil.copytree(sizes[1000] / "state", directory / "state")
            stores.multiply(directory / "state", count)
        servers = {count: Hookrunner(one, more=more) for count, one in sizes.items()}
        times: dict[str, dict[int, list[float]]] = {}
        with running(*servers.values()):
            for server in servers.values():
                server.knows(1)
            for number in range(bench.amount(30, 10) + 2):
                for count, server in servers.items():
                    for what, ask in _ways(server).items():
                        began = time.perf_counter()
                        ask()
                        if number > 1:  # the first ones fill caches
                            took = (time.perf_counter() - began) * 1000
                            times.setdefault(what, {}).setdefault(count, []).append(took)
    for kind, ways in (("page", PAGES), ("API list", LISTS), ("accepting a push", ())):
        figures = [_figure(kind, one, times[one], large) for one in ways or (kind,)]
        yield max(figures, key=lambda figure: figure.ratio)


def _figure(kind: str, what: str, found: Mapping[int, list[float]], large: int) -> Figure:
    """One of a kind, of which the slowest counts."""
    slowest = f"the {kind} that is slowed most ({what})" if what != kind else what
    return Figure(
        what=f"{slowest}, {large:,} runs in the store",
        against="1,000 runs",
        unit="ms",
        ours=found[large],
        theirs=found[1000],
        goal=1.5,
        bound=2.5,
    )


def _record(server: Hookrunner) -> None:
    """Some real runs."""
    with running(server):
        server.knows(1)
        for _ in range(5):
            Push("ops/many").send(server.address, "/hooks/bench?stream=1")
        until(lambda: not server.api("GET", "/runs?status=running")["items"], "quiet")


def _ways(server: Hookrunner) -> Mapping[str, Callable[[], object]]:
    pages = {what: _page(server, path) for what, path in PAGES.items()}
    lists = {what: _list(server, path) for what, path in LISTS.items()}
    return pages | lists | {"accepting a push": _accept(server)}


def _page(server: Hookrunner, path: str) -> Callable[[], object]:
    return lambda: server.ask(path, Accept="text/html")


def _list(server: Hookrunner, path: str) -> Callable[[], object]:
    return lambda: server.api("GET", path)


def _accept(server: Hookrunner) -> Callable[[], object]:
    """A push that reaches nothing, so that no update runs meanwhile."""
    return lambda: Push("ops/nobody").send(server.address, "/hooks/bench")
