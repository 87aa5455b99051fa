"""The composition root: build everything, run it, and take it down in the reverse order."""

import asyncio
import gc
import signal
import tempfile
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from os import environ
from pathlib import Path

import msgspec
import structlog

from hookrunner import __version__
from hookrunner.adapters.certificate import Certificate
from hookrunner.adapters.credentials import load_secrets
from hookrunner.adapters.descriptors import raise_limit
from hookrunner.adapters.logs import configure
from hookrunner.adapters.outgoing import Sender
from hookrunner.adapters.spool import Spool
from hookrunner.adapters.store import Store
from hookrunner.adapters.systemd import notify, passed_sockets, watchdog_interval
from hookrunner.config import CONTROL_SOCKET, Config, LogLevel
from hookrunner.core.history import KEPT_PER_REF, History
from hookrunner.core.inventory import Inventory
from hookrunner.core.matching import Known
from hookrunner.core.repository import host_aliases
from hookrunner.errors import HookrunnerError
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
from hookrunner.service.pulse import Pulse
from hookrunner.service.recorder import Recorder
from hookrunner.service.secrets import load_carried, load_checked
from hookrunner.service.settings import Carried, Secrets, Settings
from hookrunner.service.sources import log_weaker_proofs
from hookrunner.service.tasks import tasks
from hookrunner.service.telling import begin_telling
from hookrunner.service.upkeep import Upkeep
from hookrunner.web.reload import Reload
from hookrunner.web.senders import REFUSALS
from hookrunner.web.server import control_socket, serving
from hookrunner.web.services import Services
from hookrunner.web.views import Views

log = structlog.get_logger()

_YOUNG = 5000
"""New objects after which the collector looks at them: those of some hundred pushes. At 700,
the default, it finds many of them at work, which took 7 % of the CPU of each push; at more
than this nothing is gained."""
_BEGINNING = 2.0
"""Seconds in which a step that is just being started gets to be, at the end: the engine keeps
an exec that never starts for as long as its container. A guess."""


async def run(config: Config, load: Callable[[], Config]) -> None:
    """Run the server until SIGTERM or ^C.

    The first signal stops accepting, and lets running steps end within `drain_timeout`;
    the second leaves at once. What still runs goes on in its container. Where systemd keeps
    the listening sockets, deliveries are taken and stored until the end: the next server
    carries them out.

    Args:
        config: With `state` and `engines` filled in.
        load: Reads it again.

    Raises:
        HookrunnerError: It cannot start, or something that it rests on failed for good.
    """
    secrets, _ = load_checked(config, environ)
    configure(config.log)
    raise_limit()
    state = Path(config.state or "")
    passed = passed_sockets()
    async with _built(config, secrets) as (services, engines, group):
        pending = await services.dispatcher.restore()
        services.intake.resume(pending)
        engines.watch()
        group.create_task(services.intake.run(), name="intake")
        group.create_task(services.dispatcher.run(), name="dispatcher")
        async with (
            control_socket(services, state / CONTROL_SOCKET),
            serving(services, passed) as door,
        ):
            log_weaker_proofs(config)
            reload = Reload(
                lambda: _read_again(load), services=services, engines=engines, door=door
            )
            services.settings.reload = reload.now
            group.create_task(_reload_on_signal(reload), name="reload")
            if services.certificate is not None:
                keep = services.certificate.keep_renewed()
                group.create_task(keep, name="certificate")
            for address in door.addresses:
                log.info("listening", address=address, version=__version__)
            gc.freeze()  # each look at all of what a program begins with stopped it for 50 ms
            gc.set_threshold(_YOUNG)
            listening = f"listening on {', '.join(door.addresses)}"
            notify("READY=1", f"STATUS={listening}")
            if (interval := watchdog_interval()) is not None:
                pulse = Pulse(
                    services.store,
                    services.watchers.values(),
                    notify=notify,
                    listening=listening,
                    interval=interval,
                )
                group.create_task(pulse.run(), name="pulse")
            signals = _signals()
            await anext(signals)
            notify("STOPPING=1")
            patience = services.config.drain_timeout
            log.info("stopping", drain_timeout=patience)
            if not door.is_kept:
                await door.close()
            await _drain(services.dispatcher, signals, patience)
            await door.close()
    log.info("stopped")


def _read_again(load: Callable[[], Config]) -> tuple[Config, Secrets, Carried]:
    config = load()
    return config, *load_checked(config, environ)


async def _reload_on_signal(reload: Reload) -> None:
    """Reload at each SIGHUP, for ever; what goes wrong is in the log."""
    asked = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, asked.set)
    while True:
        await asked.wait()
        asked.clear()
        with suppress(HookrunnerError):
            await reload.now()


@asynccontextmanager
async def offline(config: Config) -> AsyncIterator[Path]:
    """Answer the API without a server: nothing is accepted, and nothing runs.

    Yields:
        A socket that serves as the control socket does.

    Raises:
        HookrunnerError: A server runs after all, or the state cannot be read.
    """
    configure(msgspec.structs.replace(config.log, level=LogLevel.error))
    with tempfile.TemporaryDirectory(prefix="hookrunner-") as directory:
        path = Path(directory) / CONTROL_SOCKET
        async with (
            _built(config, load_secrets(config.sources, environ), is_offline=True) as built,
            control_socket(built[0], path),
        ):
            built[1].watch()
            yield path


@asynccontextmanager
async def _built(
    config: Config, secrets: Secrets, *, is_offline: bool = False
) -> AsyncIterator[tuple[Services, Engines, asyncio.TaskGroup]]:
    """Build everything; order of entering is order of starting."""
    state = Path(config.state or "")
    settings = Settings(config, secrets, load_carried(config, environ))
    certificate = None
    if config.tls is not None and not is_offline:
        certificate = await asyncio.to_thread(Certificate, config.tls)
    metrics = Metrics(sources=config.sources, engines=config.engines)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(Store.open(state, on_write=metrics.written))
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
            known=lambda: Known(
                config=settings.config,
                inventory=inventory,
                history=history,
                bindings=bindings,
            ),
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
        notifying, probing, answering = None, None, None
        if not is_offline:
            sender = await stack.enter_async_context(Sender.open())
            catchup = Catchup(
                settings=settings,
                store=store,
                inventory=inventory,
                watchers=watchers,
                dispatcher=dispatcher,
                intake=intake,
                upkeep=upkeep,
                intervals=await store.intervals(),
            )
            group.create_task(catchup.run(), name="catch-up")
            group.create_task(
                Polling(
                    settings=settings,
                    store=store,
                    planner=planner,
                    upkeep=upkeep,
                    feed=feed,
                    metrics=metrics,
                ).run(),
                name="polling",
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
            group.create_task(probing.run(), name="probing")
            answering = Answering(
                settings=settings, group=group, sender=sender, metrics=metrics
            )
            group.create_task(housekeeping.run(), name="housekeeping")
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
            notifying=notifying,
            probing=probing,
            answering=answering,
        )
        yield services, engines, group


async def _signals() -> AsyncIterator[None]:
    """Wait for the next SIGTERM or ^C, again and again."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[None] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, arrived.put_nowait, None)
    while True:
        await arrived.get()
        yield


async def _drain(dispatcher: Dispatcher, signals: AsyncIterator[None], patience: float) -> None:
    """Let running steps end; a second signal, or the time, ends the waiting."""
    dispatcher.drain()
    async with asyncio.TaskGroup() as group:
        again = group.create_task(_next(signals), name="second signal")
        idle = group.create_task(dispatcher.wait_idle(), name="drain")
        done, _ = await asyncio.wait(
            {again, idle}, timeout=patience, return_when=asyncio.FIRST_COMPLETED
        )
        if idle not in done:
            left = [step.id for step in dispatcher.running]
            log.warning("steps go on in their containers", steps=left)
        again.cancel()
        idle.cancel()
    with suppress(TimeoutError):
        async with asyncio.timeout(_BEGINNING):
            await dispatcher.wait_begun()


async def _next(signals: AsyncIterator[None]) -> None:
    await anext(signals)
