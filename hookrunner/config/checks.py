"""What has to fit together in a configuration, beyond what each key may say."""

from collections.abc import Callable
from typing import Any

from hookrunner.config import nodes
from hookrunner.config.schema import STATUS_APIS, Config
from hookrunner.errors import ConfigError
from hookrunner.units import format_size

Places = Callable[..., Any]
"""Tells the place of the first of some values that the file has."""


def check(config: Config, place: Places) -> None:
    """Check a configuration whole.

    Raises:
        ConfigError: Two of its values do not fit together.
    """
    _check_limits(config, place)
    _check_listen(config, place)
    _check_hosts(config, place)
    _check_statuses(config, place)
    _check_chat(config, place)
    _check_polls(config, place)


def _check_limits(config: Config, place: Places) -> None:
    limits = config.limits
    if limits.in_flight < limits.body:
        raise ConfigError(
            f"`in_flight` ({format_size(limits.in_flight)}) must be at least `body`"
            f" ({format_size(limits.body)}), or the largest body never gets in",
            **place(("limits", "in_flight")),
        )


def _check_listen(config: Config, place: Places) -> None:
    seen = set()
    for index, listen in enumerate(config.listen):
        address = str(listen.address)
        if address in seen and not address.endswith(":0"):
            raise ConfigError(
                f"`{nodes.shown(address)}` is there twice", **place(("listen", index))
            )
        seen.add(address)


def _check_hosts(config: Config, place: Places) -> None:
    owners = {host: host for host in config.hosts}
    for host, aliases in config.hosts.items():
        for index, alias in enumerate(aliases):
            owner = owners.setdefault(alias, host)
            if owner != host:
                raise ConfigError(
                    f"`{alias}` cannot be another name of `{host}`, it belongs to `{owner}`",
                    **place(("hosts", host, index)),
                )


def _check_statuses(config: Config, place: Places) -> None:
    for name, source in config.sources.items():
        if source.status is None:
            continue
        where = place(("sources", name, "status"))
        if source.forge is None:
            raise ConfigError(
                f"`{name}` has a `status`, and no `forge` that tells how it is reported",
                **where,
            )
        if source.forge not in STATUS_APIS:
            raise ConfigError(
                f"{source.forge} has no statuses of commits",
                hint=f"those that have: {', '.join(STATUS_APIS)}",
                **where,
            )
        if source.status.api is None and STATUS_APIS[source.forge] is None:
            raise ConfigError(f"the `status` of `{name}` needs the key `api`", **where)
        if config.public_url is None and source.forge in {"bitbucket-cloud", "bitbucket-dc"}:
            raise ConfigError(
                f"{source.forge} takes no status without a link",
                hint="set `public_url` to the URL by which people reach this server",
                **where,
            )


def _check_chat(config: Config, place: Places) -> None:
    for name, platform in config.chat.configured().items():
        for index, allow in enumerate(platform.allow):
            if not allow.users and not allow.channels:
                raise ConfigError(
                    "`allow` names neither `users` nor `channels`, which would be everybody",
                    hint=f"whoever tries a command in {name} is told the ids",
                    **place(("chat", name, "allow", index)),
                )


def _check_polls(config: Config, place: Places) -> None:
    for name, source in config.sources.items():
        if source.poll is None:
            continue
        where = place(("sources", name, "poll"))
        scheme = (source.url or "").partition("://")[0]
        if scheme not in {"https", "ssh"}:
            raise ConfigError(
                f"the `poll` of `{name}` needs a `url` that begins with https:// or ssh://",
                hint='as in url: "https://git.example.net/{repository}"',
                **where,
            )
        if "{repository}" in (source.url or "").split("/")[2]:
            raise ConfigError(f"the `url` of `{name}` needs a host of its own", **where)
        if source.poll.secrets and scheme != "https":
            raise ConfigError(
                f"the `poll` of `{name}` has a token, which is for https", **where
            )
        if source.poll.ssh_key is not None and scheme != "ssh":
            raise ConfigError(
                f"the `poll` of `{name}` has an `ssh_key`, and no ssh://", **where
            )
