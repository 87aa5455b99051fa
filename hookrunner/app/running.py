"""The life of the program: from its start to its end, and from one signal to the next."""

import asyncio
import gc
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from os import environ
from pathlib import Path

import structlog
from msgspec.structs import replace

from hookrunner import __version__
from hookrunner.adapters.credentials import load_secrets
from hookrunner.adapters.descriptors import raise_limit
from hookrunner.adapters.logs import configure
from hookrunner.adapters.systemd import notify, passed_sockets, watchdog_interval
from hookrunner.app.composition import built
from hookrunner.config import CONTROL_SOCKET, Config, LogLevel
from hookrunner.errors import HookrunnerError
from hookrunner.service.dispatcher import Dispatcher
from hookrunner.service.pulse import Pulse
from hookrunner.service.secrets import load_checked
from hookrunner.service.settings import Carried, Secrets
from hookrunner.service.sources import log_weaker_proofs
from hookrunner.web.reload import Reload
from hookrunner.web.server import control_socket, serving

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
    async with built(config, secrets) as (services, engines, group):
        pending = await services.dispatcher.restore()
        services.intake.resume(pending)
        engines.watch()
        group.create_task(services.intake.run(), name="intake")
        group.create_task(services.dispatcher.run(), name="dispatcher")
        async with (
            control_socket(services, state / CONTROL_SOCKET),
            serving(services, passed) as listeners,
        ):
            log_weaker_proofs(config)
            reload = Reload(
                lambda: _read_again(load),
                services=services,
                engines=engines,
                listeners=listeners,
            )
            services.settings.reload = reload.now
            group.create_task(_reload_on_signal(reload), name="reload")
            if services.certificate is not None:
                keep = services.certificate.keep_renewed()
                group.create_task(keep, name="certificate")
            for address in listeners.addresses:
                log.info("listening", address=address, version=__version__)
            gc.freeze()  # each look at all of what a program begins with stopped it for 50 ms
            gc.set_threshold(_YOUNG)
            listening = f"listening on {', '.join(listeners.addresses)}"
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
            if not listeners.is_kept:
                await listeners.close()
            await _drain(services.dispatcher, signals, patience)
            await listeners.close()
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
    configure(replace(config.log, level=LogLevel.error))
    with tempfile.TemporaryDirectory(prefix="hookrunner-") as directory:
        path = Path(directory) / CONTROL_SOCKET
        secrets = load_secrets(config.sources, environ)
        async with (
            built(config, secrets, is_offline=True) as (services, engines, _),
            control_socket(services, path),
        ):
            engines.watch()
            yield path


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
