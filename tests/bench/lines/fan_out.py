"""One push that a hundred containers belong to."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from bench import containers
from bench.figures import Figure
from bench.pushes import Push
from bench.servers import Hookrunner, running
from bench.setting import Bench

AT_ONCE = (2, 4, 6, 8, 12)


def measure(bench: Bench) -> Iterator[Figure]:
    """The best that the engine can do is looked for, in every round."""
    count = bench.amount(100, 20)
    names = [f"fan-{number}" for number in range(count)]
    ours_took, best_took, best_at = [], [], []
    with containers.started(*names, project="fan") as ids:
        ours = Hookrunner(bench.work / "fan-out", projects={"fan": {"rollout": "parallel"}})
        with running(ours):
            ours.knows(count)
            for _ in range(bench.amount(3, 2)):
                began = time.monotonic()
                answer = Push("ops/fan").send(ours.address, "/hooks/bench?stream=1")
                ours_took.append(time.monotonic() - began)
                if f"succeeded: {count} updated".encode() not in answer:
                    raise RuntimeError(answer[-300:].decode())
                took = {at_once: _by_hand(bench, ids, at_once) for at_once in AT_ONCE}
                best_at.append(min(took, key=lambda one: took[one]))
                best_took.append(took[best_at[-1]])
    yield Figure(
        what=f"one push to {count} containers",
        against="the same execs by hand, as many at once as is best",
        unit="s",
        ours=ours_took,
        theirs=best_took,
        goal=1.10,
        bound=1.35,
        note=f"at once by hand, the best of {AT_ONCE} in each round: {best_at};"
        " hookrunner has `max_parallel: 4`, its default",
    )


def _by_hand(bench: Bench, ids: list[str], at_once: int) -> float:
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        list(
            pool.map(
                lambda one: containers.execute_update(bench.engine, one, project="fan"), ids
            )
        )
    return time.monotonic() - began
