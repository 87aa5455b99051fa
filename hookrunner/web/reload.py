"""Put a changed configuration in force: all of it, or nothing."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import structlog
from msgspec import Struct
from msgspec.structs import replace

from hookrunner.adapters.certificate import Certificate
from hookrunner.adapters.logs import configure
from hookrunner.adapters.systemd import notify
from hookrunner.config import Config, SecretReference
from hookrunner.core.repository import host_aliases
from hookrunner.errors import HookrunnerError
from hookrunner.service.engines import Engines
from hookrunner.service.settings import Carried, Reloaded, Secrets
from hookrunner.web.server import Listeners
from hookrunner.web.services import Services

log = structlog.get_logger()

_RESTART = "restart hookrunner for it"
_CLOSES = "that port closes while hookrunner restarts"


class Reload:
    """Reads the configuration again, when it is asked to.

    Args:
        load: Reads the file whole, with the secrets, and raises `HookrunnerError` for what
            is wrong.
    """

    def __init__(
        self,
        load: Callable[[], tuple[Config, Secrets, Carried]],
        *,
        services: Services,
        engines: Engines,
        listeners: Listeners,
    ) -> None:
        self._load = load
        self._services = services
        self._engines = engines
        self._listeners = listeners
        self._lock = asyncio.Lock()

    async def now(self) -> Reloaded:
        """Put what the file says in force; nothing that is under way is cut off.

        Raises:
            HookrunnerError: The file, a secret or a certificate is wrong, an address cannot
                be listened on, or an engine's is none: all is as it was.
        """
        async with self._lock:
            notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
            try:
                done = await self._change()
            except HookrunnerError as error:
                log.error(  # noqa: TRY400 - the reader wants the place, no traceback
                    "reload refused, the configuration stays as it was",
                    error=str(error),
                    hint=error.hint,
                )
                raise
            finally:
                notify("READY=1")
            log.info("reloaded", changed=done.changed)
            for one in done.kept:
                log.warning("not changed by the reload", reason=one)
            return done

    async def _change(self) -> Reloaded:
        settings, services = self._services.settings, self._services
        before, had = settings.config, settings.secrets
        told, secrets, carried = await asyncio.to_thread(self._load)
        config, kept = _possible(told, before)
        if config.tls is not None:
            await asyncio.to_thread(Certificate, config.tls)
        made = await self._engines.prepare(config.engines)
        for address in await self._listeners.change(config.listen):
            kept.append(f"`hookrunner.socket`, which has no ListenStream={address}: {_CLOSES}")
        # From here on nothing can fail, and nothing waits.
        settings.change(config, secrets, carried)
        configure(config.log)
        if services.certificate is not None:
            services.certificate.renew(config.tls)
        self._engines.change(config.engines, made)
        self._engines.watch()
        if config.hosts != before.hosts:
            services.inventory.take_aliases(host_aliases(config.hosts))
        if (config.projects, config.discover) != (before.projects, before.discover):
            self._engines.relearn()
        services.dispatcher.wake()
        changed = [k for k in Config.__struct_fields__ if _differs(config, before, k)]
        if secrets != had and "sources" not in changed:
            changed.append("secrets")
        return Reloaded(changed, kept)


def _possible(told: Config, before: Config) -> tuple[Config, list[str]]:
    """What can be put in force now, and what is kept, with the reason."""
    kept = []
    if told.state != before.state:
        told = replace(told, state=before.state)
        kept.append(f"`state` stays {before.state}: {_RESTART}")
    if (told.tls is None) is not (before.tls is None):
        word = "off" if before.tls is None else "on"
        told = replace(told, tls=before.tls)
        kept.append(f"`tls` stays {word}: {_RESTART}")
    had = {str(one.address): one.tls for one in before.listen}
    listen = tuple(replace(one, tls=had.get(str(one.address), one.tls)) for one in told.listen)
    kept += [
        f"`tls` of {one.address} stays {'on' if kept_.tls else 'off'}: {_RESTART}"
        for one, kept_ in zip(told.listen, listen, strict=True)
        if one.tls is not kept_.tls
    ]
    return replace(told, listen=listen), kept


def _differs(config: Config, before: Config, key: str) -> bool:
    return bool(_said(getattr(config, key)) != _said(getattr(before, key)))


def _said(value: Any) -> Any:
    """What a value says, wherever in the file: lines move when others are added."""
    if isinstance(value, SecretReference):
        return value.kind, value.value
    if isinstance(value, Struct):
        return [_said(getattr(value, name)) for name in value.__struct_fields__]
    if isinstance(value, Mapping):
        return {name: _said(one) for name, one in value.items()}
    if isinstance(value, tuple):
        return [_said(one) for one in value]
    return value
