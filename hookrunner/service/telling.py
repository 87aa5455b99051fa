"""Begin to tell others: forges of their commits, people of what went wrong."""

import asyncio
from collections.abc import Mapping

from hookrunner.adapters.outgoing import Sender
from hookrunner.adapters.store import Store
from hookrunner.service.feed import Feed
from hookrunner.service.metrics import Metrics
from hookrunner.service.notifying import Notifying
from hookrunner.service.recorder import Recorder
from hookrunner.service.reporting import Reporting
from hookrunner.service.settings import Settings
from hookrunner.service.watcher import Watcher


async def begin_telling(
    *,
    settings: Settings,
    store: Store,
    recorder: Recorder,
    feed: Feed,
    watchers: Mapping[str, Watcher],
    sender: Sender,
    metrics: Metrics,
    group: asyncio.TaskGroup,
) -> Notifying:
    """Watch the feed, and send what follows from it.

    Args:
        group: Where it is sent.
    """
    reporting = Reporting(
        settings=settings,
        group=group,
        store=store,
        recorder=recorder,
        sender=sender,
        metrics=metrics,
    )
    notifying = Notifying(
        settings=settings,
        group=group,
        steps=await store.last_steps(),
        states=await store.container_states(),
        watchers=watchers,
        sender=sender,
        metrics=metrics,
    )
    feed.observers += [reporting.observe, notifying.observe]
    group.create_task(reporting.run(), name="reporting")
    group.create_task(notifying.run(), name="notifying")
    return notifying
