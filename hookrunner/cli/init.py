"""``hookrunner init``: a configuration with a secret, and what the git server must be told."""

import asyncio
import os
import secrets
import socket
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from hookrunner.adapters.credentials import load_secrets
from hookrunner.adapters.engine import Engine
from hookrunner.cli.options import with_config
from hookrunner.cli.settings import find_file, load
from hookrunner.cli.terminal import facts, note, show_lines
from hookrunner.config import FORGES, loads
from hookrunner.config.gate import DEFAULT_LISTEN
from hookrunner.core.forge_access import forge_of, setting_of
from hookrunner.errors import ConflictError, HookrunnerError, UsageError

PORT = 4665
SECRET_BYTES = 32
"""Random bytes of a secret: 256 bits."""
PLACES = {
    "here": "on this machine",
    "container": "in a container on this machine",
    "network": "on another machine in the same network",
    "internet": "on the internet",
}
"""Where a git server may run, as seen from here."""
STEPS = {
    "github": "Settings, Webhooks, Add webhook; the secret goes into Secret",
    "gitlab": "Settings, Webhooks, Add new webhook; the secret goes into Secret token",
    "gitea": "Settings, Webhooks, Add webhook, Gitea; the secret goes into Secret",
    "forgejo": "Settings, Webhooks, Add webhook, Forgejo; the secret goes into Secret",
    "gogs": "Settings, Webhooks, Add a new webhook; the secret goes into Secret",
}
"""What to click in the repository, or in the organisation, of the best known git servers."""
HOSTED = {"github", "bitbucket-cloud", "azure-devops", "gitee"}
"""Those that mostly run on the internet."""
NAMELESS = {"generic", "gerrit"}
"""Those that name no URL of the repository."""
DOCKER0 = "172.17.0.1"
"""The address by which containers of docker's first network reach their machine, usually.

Source: https://docs.docker.com/engine/network/drivers/bridge/
"""
ENGINE_PATIENCE = 5.0
"""Seconds that the engine gets to say by which address containers reach us; a guess."""


class Reach(NamedTuple):
    """How a git server reaches us.

    Attributes:
        host: The host of its webhook's URL; empty where `public_url` is all of it.
        opens: An address of this machine has to be opened for it.
    """

    host: str
    opens: bool
    public_url: str | None = None


@click.command()
@click.option("--forge", type=click.Choice(FORGES), help="The kind of git server.")
@click.option("--where", type=click.Choice(list(PLACES)), help="Where it runs.")
@click.option(
    "--repositories",
    metavar="PATTERN",
    multiple=True,
    help="What it may speak for, such as ops/*; may be given several times.",
)
@click.option(
    "--address",
    metavar="HOST",
    help="The address by which it reaches this machine.  [default: found out]",
)
@click.option("--public-url", metavar="URL", help="By which it reaches the reverse proxy here.")
@click.option(
    "--service",
    "is_service",
    is_flag=True,
    help="For the systemd units: behind the gate, the secret as a credential.",
)
@with_config
def init(
    *,
    forge: str | None,
    where: str | None,
    repositories: tuple[str, ...],
    address: str | None,
    public_url: str | None,
    is_service: bool,
    config_file: str | None,
) -> None:
    """Write a configuration with a random secret, and say what the git server must be told.

    Asks for what no option says.
    """
    file, is_named = find_file(config_file)
    if file.exists():
        raise ConflictError(
            f"{file} is there already",
            hint="add to it by hand (config/hookrunner.yaml shows every key), or name another"
            " with --config",
        )
    forge = forge or click.prompt("Which git server", type=click.Choice(FORGES))
    where = where or _asked_where(forge)
    if not repositories:
        told = click.prompt("Which repositories may it speak for (such as ops/*)")
        repositories = tuple(told.replace(",", " ").split())
    reach = _reach(forge, where, address, public_url)
    secret_file = file.with_name(f"{forge}.secret")
    text = configuration(
        forge,
        repositories,
        reach=reach,
        secret_file=None if is_service else str(secret_file.absolute()),
    )
    config = loads(text, name=str(file))
    secret = _write(file, text, secret_file)
    load_secrets(config.sources, os.environ)
    note(f"wrote {file}, and {secret_file}, which only you can read")
    option = f" --config {file}" if is_named else ""
    _tell(forge, reach, secret, option)
    if is_service:
        return
    show_lines(
        "",
        "Then start it, by hand or as a service, and press the git server's test button:",
        f"  hookrunner serve{option}",
        f"  hookrunner check --await-delivery{option}",
    )


def configuration(
    forge: str, repositories: tuple[str, ...], *, reach: Reach, secret_file: str | None
) -> str:
    """The text of the file.

    Args:
        secret_file: None for a service that has its secret as a credential, and its engine
            behind the gate.
    """
    lines = ["## Made by `hookrunner init`; config/hookrunner.yaml has every key, explained."]
    if reach.public_url is not None:
        lines.append(f"public_url: {_quoted(reach.public_url)}")
    if reach.opens:
        lines += [
            "listen:",
            f"  - 127.0.0.1:{PORT}",
            f"  - {{address: {_quoted(_joined(reach.host))}, serves: [hooks]}}",
        ]
    if secret_file is None:
        lines.append(f"engines: {{local: {_quoted(f'unix://{DEFAULT_LISTEN}')}}}")
    secret = (
        f"## Its secret is a credential of the service: the file {forge}.secret beside this."
        if secret_file is None
        else f"secret_file: {_quoted(secret_file)}"
    )
    lines += [
        "sources:",
        f"  {forge}:",
        f"    forge: {forge}",
        f"    {secret}",
        f"    repositories: [{', '.join(_quoted(one) for one in repositories)}]",
    ]
    if forge in NAMELESS:
        lines += [
            "## It names no URL of a repository; containers that name their git_repo need it.",
            '#    url: "https://git.example.net/{repository}"',
        ]
    if forge == "generic":
        lines.append("    stream: true  # who pushes sees the update")
    return "\n".join(lines) + "\n"


def _asked_where(forge: str) -> str:
    choices = "\n".join(f"  {name:10} {words}" for name, words in PLACES.items())
    default = "internet" if forge in HOSTED else "here"
    click.echo(f"Where does it run, as seen from this machine?\n{choices}", err=True)
    told: str = click.prompt("Where", type=click.Choice(list(PLACES)), default=default)
    return told


def _reach(forge: str, where: str, address: str | None, public_url: str | None) -> Reach:
    if public_url is None and where == "internet":
        public_url = click.prompt(
            "By which https URL does the internet reach the reverse proxy here"
        )
    if public_url is not None:
        return Reach("", opens=False, public_url=public_url.rstrip("/"))
    if where == "here":
        return Reach(address or "127.0.0.1", opens=address is not None)
    found = address or (_gateway(forge) if where == "container" else _own_address())
    if found is None:
        default = DOCKER0 if where == "container" else None
        found = click.prompt("By which address does it reach this machine", default=default)
    return Reach(found, opens=True)


def _gateway(forge: str) -> str | None:
    """The address by which a container reaches us: that of the git server's network."""
    with suppress(HookrunnerError, TimeoutError):
        return asyncio.run(_asked_gateway(forge))
    return None


async def _asked_gateway(forge: str) -> str | None:
    (name, url), *_ = load(os.devnull).engines.items()
    async with asyncio.timeout(ENGINE_PATIENCE), Engine.connect(name, url, streams=1) as engine:
        await engine.ping()
        running = await engine.list_containers()
        running.sort(key=lambda one: forge_of(one.image) != forge)
        for container in running:
            gateways = (await engine.surroundings(container.id)).gateways
            if gateways:
                return gateways[0]
    return None


def _own_address() -> str | None:
    """This machine's address in its network; nothing is sent to find it out."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        try:
            one.connect(("192.0.2.1", 9))  # TEST-NET-1, which is nobody's
        except OSError:
            return None
        host: str = one.getsockname()[0]
        return None if host.startswith("127.") else host


def _write(file: Path, text: str, secret_file: Path) -> str:
    """Write both files; a secret that is there already is kept."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        if not secret_file.exists():
            _create(secret_file, f"{secrets.token_urlsafe(SECRET_BYTES)}\n", 0o600)
        _create(file, text, 0o644)
        return secret_file.read_text("ascii").removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot write {file}: {error}", hint="name another file with --config"
        ) from error


def _create(file: Path, text: str, mode: int) -> None:
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        opened.write(text)


def _tell(forge: str, reach: Reach, secret: str, option: str) -> None:
    """Say what the git server must be told, and what would keep it from sending."""
    url = f"{reach.public_url or f'http://{_joined(reach.host)}'}/hooks/{forge}"
    if forge == "generic":
        show_lines(
            "",
            "Put this hook into each bare repository, as hooks/post-receive with mode 0700:",
            f"  hookrunner hook {forge} --url {url}{option}",
        )
    else:
        steps = STEPS.get(forge, f"`hookrunner help {forge}` has the steps")
        show_lines("", f"Tell the git server: {steps}")
        pairs = [
            ("  URL", f"{url}/{secret}" if forge == "gerrit" else url),
            ("  secret", secret),
        ]
        facts([*pairs, ("  content type", "application/json"), ("  events", "push")])
    setting = setting_of(forge, reach.host)
    if reach.public_url is not None:
        show_lines(
            "",
            f"The reverse proxy at {reach.public_url} is to pass /hooks/ on to"
            f" http://127.0.0.1:{PORT}, unchanged.",
        )
    elif setting is not None:
        show_lines(
            "",
            "It sends nothing to private addresses without this setting of its own:",
            f"  {setting}",
        )
    elif forge in HOSTED:
        show_lines(
            "", "Its hosted form sends to public addresses only: that needs --public-url."
        )


def _joined(host: str) -> str:
    return f"[{host}]:{PORT}" if ":" in host else f"{host}:{PORT}"


def _quoted(text: str) -> str:
    """A text as YAML takes it."""
    return msgspec.json.encode(text).decode()
