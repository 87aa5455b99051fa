"""What it takes to be there."""

import time
from collections.abc import Iterator

from bench import containers
from bench.figures import Figure
from bench.servers import Hookrunner, Server, Webhook, running
from bench.setting import Bench


def measure(bench: Bench) -> Iterator[Figure]:
    """Start, and wait."""
    starts: dict[str, list[float]] = {"ours": [], "webhook": []}
    memory: dict[str, list[float]] = {"ours": [], "webhook": []}
    with containers.started("idle", project="idle"):
        for number in range(bench.amount(7, 3)):
            place = bench.work / f"idle-{number}"
            servers: dict[str, Server] = {
                "ours": Hookrunner(place / "hookrunner"),
                "webhook": Webhook(place / "webhook", ("/bin/true",), waits=False),
            }
            with running(*servers.values()):
                time.sleep(1)
                for name, server in servers.items():
                    starts[name].append(server.ready_after)
                    memory[name].append(server.memory())
    webhook_start = sorted(starts["webhook"])[len(starts["webhook"]) // 2]
    webhook_memory = sorted(memory["webhook"])[len(memory["webhook"]) // 2]
    yield Figure(
        what="start until ready",
        against=f"(webhook: {webhook_start:.2f} s)",
        unit="s",
        ours=starts["ours"],
        theirs=[1],
        goal=0.6,
        bound=1.5,
    )
    yield Figure(
        what="memory when idle",
        against=f"(webhook: {webhook_memory:.0f} MiB)",
        unit="MiB",
        ours=memory["ours"],
        theirs=[1],
        goal=60,
        bound=80,
    )
