"""``hookrunner hook``: a post-receive hook for repositories that no forge serves."""

import os
from importlib import resources
from pathlib import Path

import click

from hookrunner.adapters.credentials import load_secrets
from hookrunner.cli.options import duration, with_config
from hookrunner.cli.settings import load
from hookrunner.cli.terminal import note
from hookrunner.config import Config, Door, TcpAddress
from hookrunner.errors import ConfigError, UsageError

PARTS = ("settings", "terminal", "pushes", "spool", "exchange", "main")
"""The hook's parts, in the order in which they make one script."""
BEGIN = "# --- settings"
END = "# --- end of settings"
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - nothing is bound here
"""What a hook on the same machine connects to, where the server listens everywhere."""


@click.command()
@click.argument("source")
@click.option(
    "--url",
    metavar="URL",
    help="Where the hook sends to.  [default: public_url or the first address that serves"
    " hooks, and /hooks/SOURCE]",
)
@click.option(
    "--repository",
    metavar="NAME",
    help="The repository's full name, such as ops/bind.  [default: $GL_REPO, git's"
    " configuration hookrunner.repository, or the last two parts of its path]",
)
@click.option(
    "--wait",
    callback=duration,
    default="60s",
    show_default=True,
    metavar="TIME",
    help="How long the pusher watches the update.",
)
@click.option(
    "--secret-file",
    type=click.Path(),
    help="Have the hook read the secret from this file at every push.  [default: the"
    " secret is written into the hook]",
)
@with_config
def hook(
    *,
    source: str,
    url: str | None,
    repository: str | None,
    wait: float,
    secret_file: str | None,
    config_file: str | None,
) -> None:
    """Print a post-receive hook that tells SOURCE what is pushed, and shows the update."""
    config = load(config_file)
    if source not in config.sources:
        raise UsageError(
            f"there is no source {source}",
            hint=f"the sources are: {', '.join(config.sources) or 'none yet'}",
        )
    if secret_file and not Path(secret_file).is_absolute():
        raise UsageError("--secret-file has to be absolute: the hook runs in the repository")
    target = url or f"{base_url(config)}/hooks/{source}"
    if not target.startswith(("http://", "https://")):
        raise UsageError(f"{target} is no http:// or https:// URL")
    secret = None
    if not secret_file:
        chosen = {source: config.sources[source]}
        secret = load_secrets(chosen, os.environ)[source][0]
    click.echo(
        fill(
            {
                "URL": target,
                "REPOSITORY": repository,
                "WAIT": wait,
                "SECRET": secret,
                "SECRET_FILE": secret_file,
            }
        ),
        nl=False,
    )
    _tell(config, source, secret)


def base_url(config: Config) -> str:
    """By which a hook reaches the server, as far as the configuration tells.

    Raises:
        ConfigError: No address on the network serves hooks.
    """
    if config.public_url:
        return config.public_url
    for listen in config.listen:
        address = listen.address
        if Door.hooks in listen.serves and isinstance(address, TcpAddress) and address.port:
            host = ANY_ADDRESS.get(address.host, address.host)
            return f"http://{TcpAddress(host, address.port)}"
    raise ConfigError("no address in `listen` can be used by a hook", hint="give --url URL")


def script() -> str:
    """The hook with the settings of nobody: its parts, one after the other."""
    folder = resources.files("hookrunner.cli").joinpath("post_receive")
    return "".join(folder.joinpath(name).read_text("utf-8") for name in PARTS)


def fill(settings: dict[str, str | bytes | float | None]) -> str:
    """The hook with its settings, each as a Python literal in ASCII."""
    before, begin, rest = script().partition(BEGIN)
    template, end, after = rest.partition(END)
    heading = template.partition("\n")[0]
    lines = [f"{name} = {value!a}" for name, value in settings.items()]
    return f"{before}{begin}{heading}\n" + "\n".join(lines) + f"\n{end}{after}"


def _tell(config: Config, source: str, secret: bytes | None) -> None:
    """Say on stderr where the hook goes."""
    holds = ", since it holds the secret" if secret else ""
    note(f"a bare repository: hooks/post-receive, chmod 0700{holds}")
    note(
        "gitolite: ~/.gitolite/hooks/common/post-receive, chmod 0700, then:"
        " gitolite setup --hooks-only"
    )
    forge = config.sources[source].forge
    if forge not in {None, "generic"}:
        note(f"hint: source {source} is for {forge}, and refuses what this hook sends")
    if not config.sources[source].stream:
        note(f"the pusher sees the update only with `stream: true` in source {source}")
    if not config.sources[source].url:
        note(
            "hint: the hook names no clone URL; containers that name their git_repo match"
            f" only with `url:` in source {source}"
        )
