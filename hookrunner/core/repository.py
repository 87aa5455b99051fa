"""Where a repository lives, whatever way its URL is written; and patterns over that.

Two URLs of one repository give one `RepositoryKey`, and a path alone never equals a URL.
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from urllib.parse import unquote

from hookrunner.model import RepositoryKey

_LONGEST = 2048
"""Characters of a URL: what browsers and proxies bear, a guess."""
_REMEMBERED = 1024
"""How many URLs are remembered once they were read, and how many answers of patterns: those
of pushes are the same again and again. All of them, at their longest, take some 10 MB."""

_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\\]")
_URL = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
_SCP = re.compile(r"((?:[^@/:]*@)?(?:\[[^\]/]*\]|[^@/:\[\]]+)):(?!:)(.+)", re.DOTALL)
_AUTHORITY = re.compile(r"(?:.*@)?(\[[^\]]*\]|[^:\[\]@]+)(?::[0-9]*)?", re.DOTALL)
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)*")
_WEB = frozenset({"http", "https", "git+http", "git+https"})
_HOSTED = _WEB | {"ssh", "git", "git+ssh", "ssh+git"}

_AZURE = "dev.azure.com"
_VISUAL_STUDIO = ".visualstudio.com"
_CONTEXTS = frozenset({"bitbucket", "stash"})
"""The paths under which a Bitbucket Data Center is put when it does not have its own host."""


def parse_repository_url(url: str) -> RepositoryKey | None:
    """Read a URL, an scp-like ``git@host:path`` or a plain absolute path.

    Scheme, user, port, ``.git``, case, percent-encoding, superfluous slashes and the query
    of a web address fall away. So does the case of a path on this machine, although two
    such directories may differ in nothing else: one rule for all is easier to explain.

    One repository of Azure DevOps and Bitbucket Data Center has several paths, so these
    are rewritten: ``_git``, ``v3``, ``DefaultCollection`` and ``ORG.visualstudio.com``;
    and ``/scm/PRJ/REPO`` and ``/projects/PRJ/repos/REPO/browse`` in web addresses, at the
    root or below ``/bitbucket`` or ``/stash``. On gitlab.com, where anyone may call a
    group ``scm``, the latter two are left as they are.

    Returns:
        The key, or None where the text is empty, relative, of another scheme, names no
        repository, has ``..`` or an encoded slash in it, or cannot be printed.

    Source:
        https://git-scm.com/docs/git-clone#_git_urls
        https://learn.microsoft.com/en-us/azure/devops/repos/git/use-ssh-keys-to-authenticate
    """
    url = url.strip()
    return _parsed(url) if len(url) <= _LONGEST else None


@lru_cache(_REMEMBERED)
def _parsed(url: str) -> RepositoryKey | None:
    if _FORBIDDEN.search(url):
        return None
    if url.startswith("/"):
        return _key("", url.lower().split("/"))
    # lower case first: "%2E" and "%2e" are one, and so are "HTTPS" and "https"
    lower = url.lower()
    if match := _URL.fullmatch(lower):
        scheme, authority, path = match.groups()
        if scheme == "file":
            return _key("", _decoded(path)) if authority in {"", "localhost"} else None
        if scheme not in _HOSTED:
            return None
        if scheme in _WEB:
            path = re.split(r"[?#]", path, maxsplit=1)[0]
        return _hosted(authority, path, is_web=scheme in _WEB)
    if "://" not in lower and (match := _SCP.fullmatch(lower)):
        return _hosted(match[1], match[2], is_web=False)
    return None


def host_aliases(hosts: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Turn the configuration's ``hosts`` around, for `canonical_host`.

    Args:
        hosts: The other names of each host: ``{git.example.net: [git.lan]}``.

    Returns:
        The canonical host of each other name, written as in a key.

    Raises:
        ValueError: A name is no host, or stands for two of them.
    """
    aliases: dict[str, str] = {}
    for name, others in hosts.items():
        canonical = _checked_host(name)
        for other in others:
            alias = _checked_host(other)
            if aliases.setdefault(alias, canonical) != canonical:
                raise ValueError(f"{other!r} is an alias of two hosts")
    return aliases


def canonical_host(key: RepositoryKey, aliases: Mapping[str, str]) -> RepositoryKey:
    """The key with its host under the name that all of the host's aliases share.

    Args:
        key: Any key; one of a path on this machine stays as it is.
        aliases: As `host_aliases` makes it.
    """
    host = aliases.get(key.host) if key.host else None
    return RepositoryKey(host, key.path) if host else key


def matches_repository(pattern: str, key: RepositoryKey) -> bool:
    """Whether a pattern of a source's ``repositories`` covers a repository.

    ``*`` is any text within a part of the path, ``**`` any text at all. Case and a last
    ``.git`` do not count. The whole path has to fit: ``ops/*`` covers neither
    ``ops/team/app`` nor ``evil/ops/app``, which are somebody else's on a forge with
    subgroups.

    The first part is a host if it looks like one (it has a dot, is ``localhost`` or is in
    brackets) and two more parts follow; of two parts, if it is the key's own host. Hosts
    are those of keys: without port, and canonical.

    A path on this machine has no owner at a known place. So a pattern that starts with
    ``/`` has to fit all of it, any other its last parts: ``/srv/git/ops/app.git`` is
    covered by ``/srv/git/ops/*`` and by ``ops/*``.
    """
    if len(key.path) > _LONGEST:
        return False
    return _covers(pattern, key)


@lru_cache(_REMEMBERED)
def _covers(pattern: str, key: RepositoryKey) -> bool:
    pattern = _normal_pattern(pattern)
    if not pattern:
        return False
    host, path = _split_pattern(pattern)
    if key.host and host is None and path.partition("/")[0] == key.host and "/" in path:
        host, _, path = path.partition("/")
    if not key.host:
        anchored = path if path.startswith("/") else f"**/{path}"
        return host is None and _fits(anchored, f"/{key.path}")
    return (host is None or _fits(host, key.host)) and _fits(path, key.path)


def fixes_owner(pattern: str) -> bool:
    """Whether all that a pattern covers has one owner: ``ops/*``, but not ``*/*``.

    The owner is the first part of the path behind the host, and of a path on this machine
    all but the last part. Where a pattern of two parts begins with what may be a host or
    an owner (``john.doe/*``), the answer is no; the host in front makes it clear.
    """
    pattern = _normal_pattern(pattern)
    if "*" not in pattern:
        return bool(pattern)
    host, path = _split_pattern(pattern)
    if path.startswith("/"):
        return "*" not in path.rpartition("/")[0] and "**" not in path
    owner, slash, _ = path.partition("/")
    return bool(slash) and "*" not in owner and (host is not None or not _is_host_like(owner))


def _hosted(authority: str, path: str, *, is_web: bool) -> RepositoryKey | None:
    match = _AUTHORITY.fullmatch(authority)
    host = _normal_host(match[1]) if match else None
    if not host:
        return None
    parts = [part for part in _decoded(path) if part]
    if host == _AZURE or host.endswith(_VISUAL_STUDIO):
        return _key(_AZURE, _azure_parts(host, parts, is_web=is_web))
    if is_web and host != "gitlab.com":
        parts = _bitbucket_parts(parts)
    return _key(host, parts)


def _normal_host(text: str) -> str | None:
    text = text.lower().removesuffix(".")
    if text.startswith("["):
        try:
            return f"[{IPv6Address(text[1:-1]).compressed}]"
        except AddressValueError:
            return None
    if not _HOST.fullmatch(text):
        return None
    for prefix in ("ssh.", "altssh."):
        rest = text.removeprefix(prefix)
        if rest != text and "." in rest:
            return rest
    return text


def _checked_host(text: str) -> str:
    host = _normal_host(text.strip())
    if not host:
        raise ValueError(f"{text!r} is not a host")
    return host


def _decoded(path: str) -> list[str]:
    """The parts of a path; an encoded slash stays in its part, where `_key` refuses it."""
    try:
        return [unquote(part, errors="strict").lower() for part in path.split("/")]
    except UnicodeDecodeError:
        return [".."]


def _azure_parts(host: str, parts: list[str], *, is_web: bool) -> list[str]:
    match parts:
        case ["v3", org, project, repository] if not is_web:
            return [org, project, repository]
    if host != _AZURE:
        parts = [host.removesuffix(_VISUAL_STUDIO), *parts]
    if parts[1:2] == ["defaultcollection"]:
        parts = [parts[0], *parts[2:]]
    match parts:
        case [org, "_git", repository]:  # the first repository has its project's name
            return [org, repository, repository]
        case [org, project, "_git", repository]:
            return [org, project, repository]
    return parts


def _bitbucket_parts(parts: list[str]) -> list[str]:
    below = parts[1:] if parts and parts[0] in _CONTEXTS else parts
    match below:
        case ["scm", project, repository]:
            return [project, repository]
        case ["projects", project, "repos", repository, *rest] if rest in ([], ["browse"]):
            return [project, repository]
        case ["users", user, "repos", repository, *rest] if rest in ([], ["browse"]):
            return [f"~{user}", repository]
    return parts


def _key(host: str, parts: Iterable[str]) -> RepositoryKey | None:
    kept = [part for part in parts if part not in {"", "."}]
    if kept and kept[-1] == ".git":  # the inside of a checkout
        kept.pop()
    if not kept:
        return None
    kept[-1] = kept[-1].removesuffix(".git")
    if any(part in {".", ".."} or "/" in part or _FORBIDDEN.search(part) for part in kept):
        return None
    return RepositoryKey(host, "/".join(kept))


def _normal_pattern(pattern: str) -> str:
    return pattern.strip().lower().rstrip("/").removesuffix(".git")


def _split_pattern(pattern: str) -> tuple[str | None, str]:
    first, _, rest = pattern.partition("/")
    return (first, rest) if _is_host_like(first) and "/" in rest else (None, pattern)


def _is_host_like(part: str) -> bool:
    return "." in part or part == "localhost" or part.startswith("[")


def _fits(pattern: str, text: str) -> bool:
    """Match without going back, in time proportional to both lengths' product."""
    steps = re.findall(r"\*\*+|\*|[^*]", pattern)
    places = _past_stars({0}, steps)
    for character in text:
        after: set[int] = set()
        for place in places:
            step = steps[place] if place < len(steps) else ""
            if step.startswith("**") or (step == "*" and character != "/"):
                after.add(place)
            elif step == character:
                after.add(place + 1)
        places = _past_stars(after, steps)
    return len(steps) in places


def _past_stars(places: set[int], steps: list[str]) -> set[int]:
    """The places, and those behind stars that stand for nothing; two stars never meet."""
    return places | {
        place + 1 for place in places if place < len(steps) and steps[place][0] == "*"
    }
