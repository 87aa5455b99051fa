"""All the rooms of the program, each made with those that it works with."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from os import environ
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from hookrunner.adapters.certificate import Certificate
from hookrunner.adapters.outgoing import Sender
from hookrunner.adapters.spool import Spool
from hookrunner.adapters.store import Store
from hookrunner.config import Config
from hookrunner.core.history import KEPT_PER_REF, History
from hookrunner.core.inventory import Inventory
from hookrunner.core.repository import host_aliases
from hookrunner.service.again import Again
from hookrunner.service.answering import Answering
from hookrunner.service.broadcast import Broadcast
from hookrunner.service.catchup import Catchup
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.engines import Engines
from hookrunner.service.feed import Feed, Moved
from hookrunner.service.following import Following
from hookrunner.service.gauges import Gauges
from hookrunner.service.holding import Holding
from hookrunner.service.housekeeping import Housekeeping
from hookrunner.service.intake import Intake
from hookrunner.service.metrics import Metrics
from hookrunner.service.planner import Planner
from hookrunner.service.polling import Polling
from hookrunner.service.probing import Probing
from hookrunner.service.recorder import Recorder
from hookrunner.service.secrets import load_carried
from hookrunner.service.settings import Secrets, Settings
from hookrunner.service.tasks import tasks
from hookrunner.service.telling import begin_telling
from hookrunner.service.upkeep import Upkeep
from hookrunner.web.senders import REFUSALS
from hookrunner.web.services import Services
from hookrunner.web.views import Views


class Built(NamedTuple):
    """The program, before anything is accepted or runs.

    Attributes:
        group: Where its tasks live; one that fails ends the program.
    """

    services: Services
    engines: Engines
    group: asyncio.TaskGroup


@asynccontextmanager
async def built(
    config: Config, secrets: Secrets, *, is_offline: bool = False
) -> AsyncIterator[Built]:
    """Build everything; order of entering is order of starting.

    Args:
        is_offline: Only to answer what is asked: nothing is done unasked.
    """
    state = Path(config.state or "")
    settings = Settings(config, secrets, load_carried(config, environ))
    certificate = None
    if config.tls is not None and not is_offline:
        certificate = await asyncio.to_thread(Certificate, config.tls)
    metrics = Metrics(sources=config.sources, engines=config.engines)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store.open(state, on_write=metrics.written))
        # Tasks end before the connections that they use, and these before the store.
        connections = await stack.enter_async_context(AsyncExitStack())
        group = await stack.enter_async_context(tasks())
        spool = Spool(state / "output")
        broadcast = Broadcast()
        inventory = Inventory(host_aliases(config.hosts))
        history = History(await store.known_pushes(KEPT_PER_REF))
        bindings = {binding.project: binding for binding in await store.bindings()}
        recorder = Recorder(store)
        changed = asyncio.Event()
        feed = Feed()
        feed.observers.append(metrics.observe)
        upkeep = Upkeep(
            known=lambda: planner.known,  # made below, of what wakes this one
            recorder=recorder,
            attended=await store.attended(),
        )

        def on_change() -> None:
            changed.set()
            upkeep.wake.set()
            feed.tell(Moved())

        holding = Holding(
            store=store,
            inventory=inventory,
            settings=settings,
            holds=await store.holds(),
            on_change=on_change,
        )
        for known in await store.container_states():
            inventory.states[known.engine, known.container] = known
        engines = Engines(
            settings=settings,
            inventory=inventory,
            store=store,
            stack=connections,
            group=group,
            on_change=on_change,
            metrics=metrics,
        )
        engines.change(config.engines, await engines.prepare(config.engines))
        watchers = engines.watchers
        dispatcher = Dispatcher(
            settings=settings,
            store=store,
            spool=spool,
            inventory=inventory,
            history=history,
            watchers=watchers,
            holding=holding,
            upkeep=upkeep,
            broadcast=broadcast,
            feed=feed,
            recorder=recorder,
            group=group,
        )
        planner = Planner(
            settings=settings,
            store=store,
            inventory=inventory,
            history=history,
            bindings=bindings,
            holding=holding,
            last_id=await store.last_id(),
        )
        intake = Intake(
            settings=settings,
            store=store,
            inventory=inventory,
            history=history,
            planner=planner,
            watchers=watchers,
            dispatcher=dispatcher,
            changed=changed,
            feed=feed,
            group=group,
        )
        following = Following(
            store=store,
            spool=spool,
            dispatcher=dispatcher,
            broadcast=broadcast,
            settings=settings,
        )
        metrics.registry.register(
            Gauges(
                known=lambda: intake.known,
                dispatcher=dispatcher,
                holding=holding,
                watchers=watchers,
                store_size=lambda: store.figures.size,
                expect=metrics.expect,
            )
        )
        housekeeping = Housekeeping(settings=settings, store=store, spool=spool)
        group.create_task(recorder.run(), name="recorder")
        services = Services(
            settings=settings,
            store=store,
            inventory=inventory,
            holding=holding,
            intake=intake,
            dispatcher=dispatcher,
            following=following,
            feed=feed,
            metrics=metrics,
            again=Again(store, dispatcher, intake, settings=settings),
            watchers=watchers,
            views=Views(inventory, holding, settings=settings),
            certificate=certificate,
            housekeeping=housekeeping,
            refusals=deque(maxlen=REFUSALS),
            is_offline=is_offline,
        )
        if not is_offline:
            sender = await stack.enter_async_context(Sender.open())
            services = await _begin_unasked(
                services,
                planner=planner,
                upkeep=upkeep,
                recorder=recorder,
                sender=sender,
                group=group,
            )
        yield Built(services, engines, group)


async def _begin_unasked(
    services: Services,
    *,
    planner: Planner,
    upkeep: Upkeep,
    recorder: Recorder,
    sender: Sender,
    group: asyncio.TaskGroup,
) -> Services:
    """Begin what a server does that nobody asks for; give the services with it."""
    settings, store, inventory = services.settings, services.store, services.inventory
    watchers, dispatcher = services.watchers, services.dispatcher
    feed, metrics = services.feed, services.metrics
    catchup = Catchup(
        settings=settings,
        store=store,
        inventory=inventory,
        watchers=watchers,
        dispatcher=dispatcher,
        intake=services.intake,
        upkeep=upkeep,
        intervals=await store.intervals(),
    )
    polling = Polling(
        settings=settings,
        store=store,
        planner=planner,
        upkeep=upkeep,
        feed=feed,
        metrics=metrics,
    )
    notifying = await begin_telling(
        settings=settings,
        store=store,
        recorder=recorder,
        feed=feed,
        watchers=watchers,
        sender=sender,
        metrics=metrics,
        group=group,
    )
    probing = Probing(
        settings=settings,
        inventory=inventory,
        watchers=watchers,
        dispatcher=dispatcher,
        recorder=recorder,
        feed=feed,
        metrics=metrics,
        group=group,
    )
    answering = Answering(settings=settings, group=group, sender=sender, metrics=metrics)
    group.create_task(catchup.run(), name="catch-up")
    group.create_task(polling.run(), name="polling")
    group.create_task(probing.run(), name="probing")
    group.create_task(services.housekeeping.run(), name="housekeeping")
    return replace(services, notifying=notifying, probing=probing, answering=answering)
