"""Single values as people write them in the configuration: addresses, URLs, names.

Each function takes the text and gives the value, or raises ValueError with a text that
goes on from the key's name (``must be ...``). None of them repeats the text that it was
given: it may be a secret or a URL with a password in the wrong place.
"""

import ipaddress
import re
from base64 import b64decode
from typing import Literal
from urllib.parse import SplitResult, urlsplit

import msgspec

from hookrunner.units import format_duration, parse_duration

ENGINE_SCHEMES = ("unix", "tcp", "http", "https", "ssh")
"""Ways to an engine; ``npipe`` is Windows' and nothing here runs there."""
PUBLIC_KEY_BYTES = 32
"""Bytes of a public key of ed25519. Source: RFC 8032"""

UNIX_PATH_BYTES = 107
"""Longest path of a Unix socket: 108 bytes with the closing zero byte (unix(7))."""
PORT_MAX = 65535
"""Ports are 16 bits wide."""
PROJECT_NAME_CHARACTERS = 255
"""Longest name of a project, a guess: as long as a file name may be."""

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?")
_BRANCH_REFUSED = re.compile(r"[\s\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[-/.]|[/.]$|\.lock$")
_BLANK = re.compile(r"[\s\x00-\x1f\x7f]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DAY = 86400.0


class TcpAddress(msgspec.Struct, frozen=True):
    """Where to listen on the network.

    Attributes:
        host: A name or address, an IPv6 one without brackets.
        port: 0 takes any free port, which is of use in tests.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class UnixAddress(msgspec.Struct, frozen=True):
    """Where to listen on this machine alone: the absolute path of a socket."""

    path: str

    def __str__(self) -> str:
        return f"unix:{self.path}"


class Rate(msgspec.Struct, frozen=True):
    """So many in so long a time; as many may come at once.

    Attributes:
        count: At least 1.
        seconds: More than 0.
    """

    count: int
    seconds: float

    def __str__(self) -> str:
        return f"{self.count}/{format_duration(self.seconds)}"


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
UNIX = "unix"
"""Stands for whoever connects by a Unix socket, where addresses of networks are listed."""


def parse_rate(text: str) -> Rate:
    """Read ``60/m``, ``10/s`` or ``100/1h30m``.

    Raises:
        ValueError: It is of another form, or of no number that makes sense.
    """
    count, _, time = text.partition("/")
    try:
        seconds = parse_duration(time if time[:1].isdigit() else f"1{time}")
    except ValueError:
        seconds = 0.0
    if not re.fullmatch(r"[1-9][0-9]{0,5}", count) or not 0 < seconds <= _DAY:
        raise ValueError("must be a number in a time, as in 60/m or 10/30s")
    return Rate(int(count), seconds)


def parse_proxy(text: str) -> Network | Literal["unix"]:
    """Read an address or network such as ``10.0.0.0/8``, or the word ``unix``.

    Raises:
        ValueError: It is neither.
    """
    if text == UNIX:
        return "unix"
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise ValueError(
            "must be an address, a network such as 10.0.0.0/8, or `unix`"
        ) from error


def parse_address(text: str) -> TcpAddress | UnixAddress:
    """Read ``host:port``, ``[::1]:port`` or ``unix:/path``.

    Raises:
        ValueError: It is of another form.
    """
    if text.startswith("unix:"):
        path = text.removeprefix("unix:")
        path = path.removeprefix("//")  # the form of a URL, as engines have it
        if not path.startswith("/") or _CONTROL.search(path):
            raise ValueError("must be an address: after `unix:` comes an absolute path")
        if len(path.encode()) > UNIX_PATH_BYTES:
            raise ValueError(f"must be a path of at most {UNIX_PATH_BYTES} bytes")
        return UnixAddress(path)
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port):
        raise ValueError("must be an address: host:port, [::1]:port or unix:/path")
    if int(port) > PORT_MAX:
        raise ValueError(f"must be an address with a port between 0 and {PORT_MAX}")
    if not host:
        raise ValueError("must name a host: 0.0.0.0 or [::] stands for all addresses")
    if host.startswith("[") and host.endswith("]"):
        return TcpAddress(str(_ip(host[1:-1], version=6)), int(port))
    if ":" in host:
        raise ValueError("must have brackets around an IPv6 address: [::1]:port")
    return TcpAddress(_host(host), int(port))


def parse_engine_url(text: str) -> str:
    """Check an engine's URL: ``unix:///path``, ``tcp://host:port``, ``ssh://user@host``.

    Raises:
        ValueError: The scheme is unknown, or a part that it needs is missing.
    """
    url = _split(text)
    if url.scheme not in ENGINE_SCHEMES:
        schemes = ", ".join(f"{scheme}://" for scheme in ENGINE_SCHEMES)
        raise ValueError(f"must be a URL that begins with one of {schemes}")
    if url.scheme == "unix":
        if url.netloc or not url.path.startswith("/") or len(url.path) == 1:
            raise ValueError("must have three slashes: unix:///var/run/docker.sock")
        return text
    if not url.hostname:
        raise ValueError(f"must name a host after {url.scheme}://")
    if url.scheme == "tcp" and not url.port:
        raise ValueError("must name a port: tcp://host:2376")
    return text


def parse_public_url(text: str) -> str:
    """Check the URL by which others reach this server; a slash at its end is dropped.

    Raises:
        ValueError: It is no ``http`` or ``https`` URL, or has more than a path behind.
    """
    url = _split(text)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise ValueError("must be a URL that begins with http:// or https://")
    if url.username is not None:
        raise ValueError("must be a URL without a user")
    return text.rstrip("/")


def parse_public_key(text: str) -> bytes:
    """Read a public key of ed25519, in base64, as Standard Webhooks writes it or without.

    Raises:
        ValueError: It is no base64, or not of 32 bytes.
    """
    try:
        key = b64decode(text.removeprefix("whpk_"), validate=True)
    except ValueError:
        key = b""
    if len(key) != PUBLIC_KEY_BYTES:
        raise ValueError(f"must be the base64 of {PUBLIC_KEY_BYTES} bytes")
    return key


def parse_url_template(text: str) -> str:
    """Check a URL in which ``{repository}`` stands for the repository's full name.

    Raises:
        ValueError: The placeholder is missing, or there are other braces or blanks.
    """
    rest = text.replace("{repository}", "")
    if rest == text:
        raise ValueError("must contain `{repository}`")
    if "{" in rest or "}" in rest or _BLANK.search(rest):
        raise ValueError("must have no blanks, and no braces but those of `{repository}`")
    return text


_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,62}")


def parse_header(text: str) -> str:
    """Check the name of a header.

    Raises:
        ValueError: It has other characters, or is longer than 63.
    """
    if not _HEADER.fullmatch(text):
        raise ValueError("must be the name of a header, such as Remote-User")
    return text


def parse_name(text: str) -> str:
    """Check the name of a source or an engine: it becomes part of paths and labels.

    Raises:
        ValueError: It has other characters, or is longer than 63.
    """
    if not _NAME.fullmatch(text):
        raise ValueError(
            "must be a name of at most 63 lower-case letters, digits, `-` and `_`"
            " that begins with a letter or digit"
        )
    return text


def parse_project_name(text: str) -> str:
    """Check a project's name: images choose it, so almost anything goes.

    Raises:
        ValueError: It is empty, too long or has control characters.
    """
    if not text.strip() or len(text) > PROJECT_NAME_CHARACTERS or _CONTROL.search(text):
        raise ValueError(f"must be a name of 1 to {PROJECT_NAME_CHARACTERS} characters")
    return text


def parse_host(text: str) -> str:
    """Check the name of a git server's host, and put it in lower case.

    Raises:
        ValueError: It is a URL, has a port, or is no name of a host.
    """
    return _host(text).lower()


def parse_pattern(text: str) -> str:
    """Check a pattern of repositories.

    Raises:
        ValueError: It is empty or has blanks.
    """
    if not text or _BLANK.search(text):
        raise ValueError("must be a pattern such as ops/* or git.example.net/ops/*")
    return text


def parse_glob(text: str) -> str:
    """Check a pattern of files in a repository.

    Raises:
        ValueError: It is empty, has control characters or begins with a slash.
    """
    if not text.strip() or _CONTROL.search(text):
        raise ValueError("must be a pattern of files such as zones/**")
    if text.startswith("/"):
        raise ValueError("must not begin with a slash: files are named from the top directory")
    return text


def parse_branch(text: str) -> str:
    """Check a branch's short name.

    Raises:
        ValueError: git has no such branches, or it is a full ref.

    Source:
        https://git-scm.com/docs/git-check-ref-format
    """
    if text.startswith("refs/"):
        raise ValueError("must be a short name: `main`, not `refs/heads/main`")
    if not text or _BRANCH_REFUSED.search(text):
        raise ValueError("must be the name of one branch, patterns are not possible here")
    return text


def parse_user(text: str) -> str:
    """Check who runs a command in a container: ``user``, ``uid``, ``user:group``.

    Raises:
        ValueError: It is of another form.
    """
    if not _USER.fullmatch(text):
        raise ValueError("must be user, uid, user:group or uid:gid")
    return text


def parse_path(text: str) -> str:
    """Check the path of a file or directory.

    Raises:
        ValueError: It is relative, and a service's working directory is nobody's choice.
    """
    if not text.startswith("/") or _CONTROL.search(text):
        raise ValueError("must be an absolute path")
    return text


def parse_variable(text: str) -> str:
    """Check the name of an environment variable.

    Raises:
        ValueError: It has other characters.
    """
    if not _VARIABLE.fullmatch(text):
        raise ValueError("must be the name of an environment variable")
    return text


def parse_nonempty(text: str) -> str:
    """Check that there is something.

    Raises:
        ValueError: There is not.
    """
    if not text:
        raise ValueError("must not be empty")
    return text


def _split(text: str) -> SplitResult:
    """Take a URL apart, refusing what no URL here may have."""
    if _BLANK.search(text):
        raise ValueError("must be a URL without blanks")
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError as error:
        raise ValueError("must be a URL with a proper host and port") from error
    if url.password is not None:
        raise ValueError("must be a URL without a password")
    if "?" in text or "#" in text:
        raise ValueError("must be a URL without `?` and `#`")
    if url.netloc.endswith(":") or port == 0:
        raise ValueError(f"must be a URL with a port between 1 and {PORT_MAX}, or with none")
    return url


def _host(text: str) -> str:
    """Check a host's name or IPv4 address."""
    if not _HOST.fullmatch(text) or ".." in text:
        raise ValueError("must be the name of a host")
    if re.fullmatch(r"[0-9.]+", text):
        return str(_ip(text, version=4))
    return text


def _ip(text: str, *, version: int) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        address = None
    if address is None or address.version != version:
        raise ValueError(f"must be a proper IPv{version} address")
    return address
