"""Whether a git server in a container gets through to us: by address, and by its own rules.

In a container 127.0.0.1 is the container, and most git servers send no webhook to private
addresses unless they are told to. Both end in a webhook that never arrives.
"""

import ipaddress
from collections.abc import Sequence

import msgspec

from hookrunner.config import Config, Door, TcpAddress
from hookrunner.core.findings import Finding, Level
from hookrunner.model import Container, Surroundings


class _Kind(msgspec.Struct, frozen=True):
    """A kind of git server.

    Attributes:
        variables: The environment variables that have its setting.
        setting: Where the setting is, for people; ``{host}`` is the address to allow.
    """

    name: str
    title: str
    setting: str
    variables: tuple[str, ...] = ()


_ALLOWED = (
    "[webhook] ALLOWED_HOST_LIST = {host} in its app.ini (in a container the environment"
    " variable {variable}={host})"
)
_KINDS = (
    _Kind(
        "forgejo",
        "Forgejo",
        _ALLOWED.replace("{variable}", "FORGEJO__webhook__ALLOWED_HOST_LIST"),
        ("FORGEJO__webhook__ALLOWED_HOST_LIST", "GITEA__webhook__ALLOWED_HOST_LIST"),
    ),
    _Kind(
        "gitea",
        "Gitea",
        _ALLOWED.replace("{variable}", "GITEA__webhook__ALLOWED_HOST_LIST"),
        ("GITEA__webhook__ALLOWED_HOST_LIST",),
    ),
    _Kind("gogs", "Gogs", "[security] LOCAL_NETWORK_ALLOWLIST = {host} in its app.ini"),
    _Kind(
        "gitlab",
        "GitLab",
        'Admin area, Settings, Network, Outbound requests: "Allow requests to the local'
        ' network from webhooks and integrations"',
    ),
)
"""Source:
https://forgejo.org/docs/latest/admin/config-cheat-sheet/#webhook-webhook,
https://github.com/gogs/gogs/blob/main/conf/app.ini,
https://docs.gitlab.com/security/webhooks/
"""


def setting_of(forge: str, host: str) -> str | None:
    """The setting by which a kind of git server sends to a private address, or None."""
    kind = next((kind for kind in _KINDS if kind.name == forge), None)
    return kind.setting.replace("{host}", host) if kind else None


def forge_of(image: str) -> str | None:
    """The kind of git server that an image's name says it is, or None."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
    if "runner" in name:
        return None
    return next((kind.name for kind in _KINDS if name.startswith(kind.name)), None)


def forge_access(container: Container, surroundings: Surroundings, config: Config) -> Finding:
    """Say whether a git server in a container can deliver, and what it needs for it.

    Args:
        container: One of which `forge_of` knows the kind.
    """
    kind = next(kind for kind in _KINDS if kind.name == forge_of(container.image))
    about = f"{kind.title} in container {container.name}"
    gateway = next(iter(surroundings.gateways), None)
    doors = [
        listen.address
        for listen in config.listen
        if Door.hooks in listen.serves and isinstance(listen.address, TcpAddress)
    ]
    port = doors[0].port if doors else 4665
    path = f"/hooks/{_source(config, kind.name)}"
    if config.public_url is not None:
        return Finding(
            level=Level.note,
            about=about,
            text=f"its webhook's URL is {config.public_url}{path}",
            remedy="where that is a private address, it needs "
            + kind.setting.replace("{host}", "private"),
        )
    if surroundings.is_on_host:
        host = _open_host(doors, on_host=True)
    else:
        host = _open_host(doors, on_host=False)
        host = gateway if host is not None and _is_any(host) else host
    if host is None:
        address = gateway or "ADDRESS"
        shut = ", ".join(str(door) for door in doors) or "any address"
        lines = [
            "let hookrunner listen where containers reach this machine, and start it again:",
            "  listen:",
            *(f"    - {door}" for door in doors),
            f"    - {{address: '{address}:{port}', serves: [hooks]}}",
            f"its webhook's URL is http://{address}:{port}{path}",
            f"it also needs {kind.setting.replace('{host}', address)}",
        ]
        return Finding(
            level=Level.wrong,
            about=about,
            text=f"it cannot reach {shut}: in a container that is the container itself",
            remedy="\n".join(lines),
        )
    url = f"its webhook's URL is http://{_bracketed(host)}:{port}{path}"
    said = next((v for n in kind.variables if (v := surroundings.environment.get(n))), None)
    if said is not None and _allows(said, host):
        return Finding(level=Level.ok, about=about, text=f"{url}, and it may send there")
    return Finding(
        level=Level.note,
        about=about,
        text=url,
        remedy="it sends nothing to private addresses without "
        + kind.setting.replace("{host}", host),
    )


def _source(config: Config, forge: str) -> str:
    """The source that a git server of this kind would be, or what stands for its name."""
    named = (name for name, source in config.sources.items() if source.forge == forge)
    free = (name for name, source in config.sources.items() if source.forge is None)
    return next(named, None) or next(free, None) or "SOURCE"


def _open_host(doors: Sequence[TcpAddress], *, on_host: bool) -> str | None:
    """The first address that a container can reach."""
    return next((d.host for d in doors if on_host or not _is_loopback(d.host)), None)


def _is_loopback(host: str) -> bool:
    return host == "localhost" or _has(host, "is_loopback")


def _is_any(host: str) -> bool:
    return _has(host, "is_unspecified")


def _has(host: str, quality: str) -> bool:
    try:
        return bool(getattr(ipaddress.ip_address(host), quality))
    except ValueError:
        return False


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _allows(said: str, host: str) -> bool:
    """Whether an ``ALLOWED_HOST_LIST`` lets an address in.

    Source:
        https://forgejo.org/docs/latest/admin/config-cheat-sheet/#webhook-webhook
    """
    for word in (word.strip() for word in said.split(",")):
        if word in {"*", host}:
            return True
        if word == "private" and _has(host, "is_private") and not _is_loopback(host):
            return True
        if word == "loopback" and _is_loopback(host):
            return True
        try:
            if ipaddress.ip_address(host) in ipaddress.ip_network(word, strict=False):
                return True
        except ValueError:
            continue
    return False
