"""The metrics of containers: the last text of each is kept, however often somebody reads it."""

import asyncio
import time

import structlog
from msgspec import Struct

from hookrunner.core import exposition
from hookrunner.core.exposition import Exposition
from hookrunner.core.inventory import Inventory
from hookrunner.errors import HookrunnerError
from hookrunner.model import Container, MonitorState

log = structlog.get_logger()

TOTAL_LIMIT = 64 * 2**20
"""Bytes of all texts together, with the labels that they get."""
_FRESH = 1.0
"""Seconds for which what was put together is given again: many who read cost as one does."""
_STALE = 600.0
"""Seconds after which a text is not offered any more: its container is paused, held, or has
been updated all the time. Prometheus itself forgets after 300."""
_STATES = {state: code for code, state in enumerate(MonitorState)}


class Scrape(Struct, frozen=True, kw_only=True):
    """What one container said.

    Attributes:
        at: When, in seconds since the epoch.
        taken: The same by the loop's clock.
        text: None where it was none, or not valid.
        size: Bytes of it, with the labels that it gets.
        problem: Why that is.
    """

    at: float
    taken: float
    text: Exposition | None = None
    size: int = 0
    problem: str | None = None


class Scrapes:
    """Keeps what containers said, and puts it together."""

    def __init__(self, inventory: Inventory) -> None:
        self._inventory = inventory
        self._kept: dict[tuple[str, str], Scrape] = {}
        self._lock = asyncio.Lock()
        self._made: tuple[float, str] = (0.0, "")

    def of(self, container: Container) -> Scrape | None:
        """What a container said last; None where it was not asked."""
        return self._kept.get((container.engine, container.id))

    async def take(self, container: Container, text: bytes) -> None:
        """Take what a container printed; a text with a mistake is left out whole."""
        try:
            found = await asyncio.to_thread(exposition.parse, text)
        except HookrunnerError as error:
            self.fail(container, f"what it printed is left out: {error}")
            return
        place = (container.engine, container.id)
        others = sum(one.size for key, one in self._kept.items() if key != place)
        size = found.size + found.samples * len(self._own(container))
        if others + size > TOTAL_LIMIT:
            limit = f"{TOTAL_LIMIT // 2**20} MiB"
            self.fail(container, f"with it all containers' texts are longer than {limit}")
            return
        self._keep(container, Scrape(at=time.time(), taken=_now(), text=found, size=size))

    def fail(self, container: Container, problem: str) -> None:
        """Take that a container said nothing that can be offered."""
        before = self.of(container)
        if before is None or before.problem != problem:
            log.warning("no metrics", container=container.name, reason=problem)
        self._keep(container, Scrape(at=time.time(), taken=_now(), problem=problem))

    def forget(self) -> None:
        """Let go of what containers said that are gone."""
        for place in [one for one in self._kept if self._inventory.get(*one) is None]:
            del self._kept[place]

    async def exposition(self) -> str:
        """All of it, with what we know of each container, in Prometheus' text format."""
        async with self._lock:
            made_at, text = self._made
            if not text or _now() - made_at > _FRESH:
                shown = sorted(self._inventory, key=lambda c: (c.engine, c.name))
                parts = [(self._own(one), one, self.of(one)) for one in shown]
                text = await asyncio.to_thread(_written, parts, _now())
                self._made = (_now(), text)
            return text

    def _keep(self, container: Container, scrape: Scrape) -> None:
        self._kept[container.engine, container.id] = scrape

    def _own(self, container: Container) -> str:
        return exposition.own_labels(
            project=container.project,
            container=self._inventory.label(container.engine, container.name),
            image=container.image,
        )


_Part = tuple[str, Container, Scrape | None]


def _written(parts: list[_Part], now: float) -> str:
    told = [(own, one, scrape) for own, one, scrape in parts if scrape is not None]
    fresh = [
        (own, scrape.text)
        for own, _, scrape in told
        if scrape.text is not None and now - scrape.taken < _STALE
    ]
    return "".join(
        [
            _gauge(
                "hookrunner_container_monitor_state",
                "What `container --monitor` says: 0 ok, 1 warning, 2 critical, 3 unknown.",
                [(own, _STATES[c.monitored.state]) for own, c, _ in parts if c.monitored],
            ),
            _gauge(
                "hookrunner_container_metrics_up",
                "1 where `container --metrics` gave a valid text when it was last asked.",
                [(own, int(scrape.text is not None)) for own, _, scrape in told],
            ),
            _gauge(
                "hookrunner_container_metrics_timestamp_seconds",
                "When a container was last asked for its metrics.",
                [(own, round(scrape.at, 3)) for own, _, scrape in told],
            ),
            exposition.merged(fresh),
        ]
    )


def _gauge(name: str, meaning: str, values: list[tuple[str, float]]) -> str:
    lines = "".join(f"{name}{{{own}}} {value}\n" for own, value in values)
    return f"# HELP {name} {meaning}\n# TYPE {name} gauge\n{lines}"


def _now() -> float:
    return asyncio.get_running_loop().time()
