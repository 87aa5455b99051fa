"""All secrets that a configuration names, read and found fit for what they are for."""

from collections.abc import Mapping

from hookrunner.adapters.credentials import (
    load_chat_secrets,
    load_notify_secrets,
    load_polls,
    load_secrets,
    load_tokens,
)
from hookrunner.chat import PLATFORMS
from hookrunner.config import Config
from hookrunner.errors import ConfigError
from hookrunner.service.notifying import check_receivers
from hookrunner.service.settings import Carried, Secrets
from hookrunner.service.sources import check_extras


def load_carried(config: Config, environment: Mapping[str, str]) -> Carried:
    """Read the secrets beside those of sources.

    Raises:
        ConfigError: One is missing, unreadable, too short or too long.
    """
    return Carried(
        load_tokens(config.sources, environment),
        load_notify_secrets(config.notify, environment),
        load_chat_secrets(config.chat, environment),
        load_polls(config.sources, environment),
    )


def load_checked(config: Config, environment: Mapping[str, str]) -> tuple[Secrets, Carried]:
    """Read all secrets, and make sure that the configuration can be put in force.

    Raises:
        ConfigError: It cannot.
    """
    check_extras(config)
    carried = load_carried(config, environment)
    check_receivers(config.notify, carried.notify)
    for name, secrets in carried.chat.items():
        if not all(map(PLATFORMS[name].fits, secrets)):
            raise ConfigError(f"`chat.{name}`: its secret is none: {PLATFORMS[name].key}")
    return load_secrets(config.sources, environment), carried
