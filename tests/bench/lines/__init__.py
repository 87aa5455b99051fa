"""The benchmark's lines by name: each is a function of `Bench` that gives its figures."""

from collections.abc import Callable, Iterator, Mapping

from bench.figures import Figure
from bench.lines import (
    accepting,
    fan_out,
    following,
    idle,
    inventory,
    matching,
    million,
    output,
    superseding,
    updating,
    validating,
)
from bench.setting import Bench

LINES: Mapping[str, Callable[[Bench], Iterator[Figure]]] = {
    "push": updating.trivial,
    "bind": updating.name_server,
    "accept": accepting.measure,
    "supersede": superseding.measure,
    "fan-out": fan_out.measure,
    "output": output.measure,
    "follow": following.measure,
    "inventory": inventory.measure,
    "match": matching.measure,
    "million": million.measure,
    "idle": idle.measure,
    "validate": validating.measure,
}
