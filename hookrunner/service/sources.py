"""What the kinds of git servers that are configured need, and what they prove less."""

from importlib.util import find_spec

import structlog

from hookrunner.config import Config
from hookrunner.errors import ConfigError
from hookrunner.forges import FORGES, weaknesses

log = structlog.get_logger()


def check_extras(config: Config) -> None:
    """Make sure that what a source's forge needs is installed.

    Raises:
        ConfigError: It is not.
    """
    for name, source in config.sources.items():
        forge = FORGES[source.forge] if source.forge else None
        if forge is None or (forge.key_is_enough and source.public_key is None):
            continue
        needs = forge.needs
        if needs is not None and find_spec(needs[0]) is None:
            raise ConfigError(
                f"source `{name}` is of {source.forge}, whose signatures need the package"
                f" {needs[0]}, which is not installed",
                hint=f"pip install 'hookrunner[{needs[1]}]'",
            )


def mark_weaker(config: Config) -> None:
    """Say which sources prove less than others, for whoever reads the log."""
    for name, weakness in weaknesses(config.sources).items():
        log.warning(
            "source with a weaker proof",
            source=name,
            forge=config.sources[name].forge,
            reason=weakness,
        )
