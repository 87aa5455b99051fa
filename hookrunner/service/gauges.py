"""How things are at the moment that Prometheus asks: the queue, the engines, the containers."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from hookrunner.core.matching import Known
from hookrunner.core.standing import Standing, standing
from hookrunner.model import Container, MonitorState, Status, Step
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.holding import Holding
from hookrunner.service.watcher import Watcher

_STATES = ("waiting", "held", "running", "stuck")
"""How an open step stands; ``held`` waits for another of its roll-out, or for a hold."""


class Gauges(Collector):
    """Looks up figures.

    Args:
        known: What a match looks at.
        store_size: Bytes that the database takes, its log included.
        expect: Called with each project that has containers.
    """

    def __init__(
        self,
        *,
        known: Callable[[], Known],
        dispatcher: Dispatcher,
        holding: Holding,
        watchers: Mapping[str, Watcher],
        store_size: Callable[[], int],
        expect: Callable[[str], None],
    ) -> None:
        self._expect = expect
        self._known = known
        self._dispatcher = dispatcher
        self._holding = holding
        self._watchers = watchers
        self._store_size = store_size

    def describe(self) -> Iterable[Metric]:
        """Name no families, so that registering looks nothing up."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """Look everything up."""
        yield from self._queue()
        yield from self._engines()
        yield from self._containers()
        yield self._monitored()
        yield _gauge(
            "hookrunner_store_bytes",
            "Bytes that the database takes on the disk, its log included.",
            self._store_size(),
        )

    def _queue(self) -> Iterable[Metric]:
        steps = [*self._dispatcher.open_steps]
        states = Counter(self._state(step) for step in steps)
        states["stuck"] = len(self._dispatcher.stuck)
        found = GaugeMetricFamily(
            "hookrunner_queue_steps",
            "Steps that are not over, by how they stand.",
            None,
            ["state"],
        )
        for state in _STATES:
            found.add_metric([state], states[state])
        yield found
        now = datetime.now(UTC)
        waiting = [
            (now - max(step.created_at, step.not_before or step.created_at)).total_seconds()
            for step in steps
            if self._state(step) == "waiting"
        ]
        yield _gauge(
            "hookrunner_queue_oldest_seconds",
            "Seconds that the step has waited which has waited longest; 0 while none waits.",
            max([0.0, *waiting]),
        )

    def _state(self, step: Step) -> str:
        if step.status is Status.running:
            return "running"
        return "held" if step.held or self._holding.of_step(step) else "waiting"

    def _engines(self) -> Iterable[Metric]:
        up = GaugeMetricFamily(
            "hookrunner_engine_up",
            "1 while an engine answers, and its events are followed.",
            None,
            ["engine"],
        )
        for name, watcher in self._watchers.items():
            up.add_metric([name], float(watcher.is_connected))
        yield up

    def _containers(self) -> Iterable[Metric]:
        known = self._known()
        all_of: Counter[tuple[str, str]] = Counter()
        marked: dict[str, Counter[str]] = {name: Counter() for name in _MARKS}
        since = {
            name: GaugeMetricFamily(
                f"hookrunner_container_{name}_since_timestamp_seconds",
                meaning,
                None,
                ["engine", "project", "container"],
            )
            for name, meaning in _SINCE.items()
        }
        held = self._holding.places()
        for container in known.inventory:
            all_of[container.engine, container.project] += 1
            compared = standing(container, known)
            marks = {
                "behind": compared.behind is True,
                "image_behind": compared.image_behind is True,
                "dirty": container.dirty,
                "invalid": _is_invalid(container),
                "held": (container.engine, container.name) in held,
            }
            for name, is_so in marks.items():
                marked[name][container.project] += is_so
            for name, at in _times(container, compared):
                labels = [container.engine, container.project, container.name]
                since[name].add_metric(labels, at.timestamp())
        for step in self._dispatcher.stuck:
            marked["stuck"][step.project] += 1
        total = GaugeMetricFamily(
            "hookrunner_containers",
            "Containers that are known.",
            None,
            ["engine", "project"],
        )
        for (engine, project), count in sorted(all_of.items()):
            total.add_metric([engine, project], count)
        yield total
        projects = sorted({project for _, project in all_of} | {*marked["stuck"]})
        for project in projects:
            self._expect(project)
        for name, meaning in _MARKS.items():
            found = GaugeMetricFamily(
                f"hookrunner_containers_{name}", meaning, None, ["project"]
            )
            for project in projects:
                found.add_metric([project], marked[name][project])
            yield found
        yield from since.values()

    def _monitored(self) -> Metric:
        states: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for container in self._known().inventory:
            if container.monitored is not None:
                states[container.project][container.monitored.state] += 1
        monitored = GaugeMetricFamily(
            "hookrunner_containers_monitored",
            "Containers by what `container --monitor` said last.",
            None,
            ["project", "state"],
        )
        for project, counts in sorted(states.items()):
            for state in MonitorState:
                monitored.add_metric([project, state], counts[state])
        return monitored


_MARKS = {
    "behind": "Containers that do not serve the last push known for them.",
    "image_behind": "Containers whose image is made of what was pushed over since.",
    "dirty": "Containers whose last update did not succeed.",
    "invalid": "Containers whose last validation did not pass.",
    "held": "Containers in which nothing runs because somebody holds them.",
    "stuck": "Containers in which a step is stuck.",
}


_SINCE = {
    "behind": "Since when a container that is behind does not serve the last push.",
    "valid": "Since when a container that is valid is.",
    "invalid": "Since when a container that is not valid is not.",
}


def _times(container: Container, compared: Standing) -> Iterable[tuple[str, datetime]]:
    """Since when a container is what: each a name of `_SINCE`."""
    if compared.behind_since is not None:
        yield "behind", compared.behind_since
    if container.validity is not None:
        yield "valid" if container.validity.valid else "invalid", container.validity.since


def _is_invalid(container: Container) -> bool:
    return container.validity is not None and not container.validity.valid


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)
