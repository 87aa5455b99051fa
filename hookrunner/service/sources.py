"""What the git servers and chats that are configured need, and what they prove less."""

from importlib.util import find_spec
from shutil import which

import structlog

from hookrunner.config import Config
from hookrunner.errors import ConfigError
from hookrunner.forges import FORGES, weaknesses
from hookrunner.forges.ed25519 import NEEDS

log = structlog.get_logger()


def check_extras(config: Config) -> None:
    """Make sure that what sources and chats need is installed.

    Raises:
        ConfigError: It is not.
    """
    if config.chat.discord is not None:
        _check_installed("`chat.discord` needs, for Discord's signatures,", NEEDS)
    for name, source in config.sources.items():
        if source.poll is not None and which("git") is None:
            raise ConfigError(
                f"source `{name}` has a `poll`, and there is no git",
                hint="install git, and ssh where its `url` begins with ssh://",
            )
        forge = FORGES[source.forge] if source.forge else None
        if forge is None or (forge.key_is_enough and source.public_key is None):
            continue
        if forge.needs is not None:
            what = f"source `{name}` is of {source.forge}, whose signatures need"
            _check_installed(what, forge.needs)


def _check_installed(what: str, needs: tuple[str, str]) -> None:
    package, extra = needs
    if find_spec(package) is None:
        raise ConfigError(
            f"{what} the package {package}, which is not installed",
            hint=f"pip install 'hookrunner[{extra}]', or"
            f" systemd/install --upgrade --with {extra}",
        )


def log_weaker_proofs(config: Config) -> None:
    """Say which sources prove less than others, for whoever reads the log."""
    for name, weakness in weaknesses(config.sources).items():
        log.warning(
            "source with a weaker proof",
            source=name,
            forge=config.sources[name].forge,
            reason=weakness,
        )
