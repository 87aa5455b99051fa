"""What can be configured: frozen values, with the type of each key and its bounds.

The annotations are the table that `hookrunner.config.loading` reads a file by: the type
says what a value is, and a mark (`Duration`, `Size`, `Range`, `Form`, ...) how it is
written and within which bounds. Numbers are seconds and bytes once they are in here.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec.structs import FieldInfo

from hookrunner.config.chat import Chat, Mattermost, Slack, Teams
from hookrunner.config.marks import (
    Duration,
    Form,
    Items,
    Keys,
    Range,
    Shorthand,
    Size,
    Words,
)
from hookrunner.config.notify import Notify
from hookrunner.config.operating import Log, Monitoring, Retention, Tls
from hookrunner.config.polling import Poll
from hookrunner.config.secrets import SecretReference, secret_keys
from hookrunner.config.values import (
    Network,
    Rate,
    TcpAddress,
    UnixAddress,
    parse_address,
    parse_branch,
    parse_engine_url,
    parse_glob,
    parse_header,
    parse_host,
    parse_name,
    parse_nonempty,
    parse_path,
    parse_pattern,
    parse_project_name,
    parse_proxy,
    parse_public_key,
    parse_public_url,
    parse_rate,
    parse_url_template,
    parse_user,
)
from hookrunner.model import Rollout

KIB, MIB, GIB = 2**10, 2**20, 2**30
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
FORGES = (
    "github",
    "gitlab",
    "gitea",
    "forgejo",
    "gogs",
    "bitbucket-cloud",
    "bitbucket-dc",
    "azure-devops",
    "gerrit",
    "gitee",
    "sourcehut",
    "standard-webhooks",
    "generic",
)
"""What ``forge:`` may say."""
DEFAULT_STATE = "/var/lib/hookrunner"
"""The state directory where root or a service's user runs it and nothing else is said."""
CONTROL_SOCKET = "hookrunner.sock"
"""The name of the control socket in the state directory."""
DEFAULT_ENGINE = "unix:///var/run/docker.sock"
"""The one engine where nothing else is said, neither here nor by ``$DOCKER_HOST``."""


Argv = Annotated[tuple[Annotated[str, Form(parse_nonempty)], ...], Items(1, command=True)]
Patterns = tuple[Annotated[str, Form(parse_pattern)], ...]


class Door(StrEnum):
    """What a listening address lets in."""

    hooks = "hooks"
    api = "api"
    page = "page"
    metrics = "metrics"


class Access(StrEnum):
    """Who may look at the page."""

    sign_in = "sign-in"
    public_read = "public-read"


class Discover(StrEnum):
    """Which containers are asked for metadata."""

    all = "all"
    labelled = "labelled"


STATUS_APIS: Mapping[str, str | None] = {
    "github": "https://api.github.com",
    "gitlab": "https://gitlab.com/api/v4",
    "gitea": None,
    "forgejo": None,
    "bitbucket-cloud": "https://api.bitbucket.org/2.0",
    "bitbucket-dc": None,
    "azure-devops": None,
}
"""The forges that take statuses of commits, each with its API where there is one for all."""


class StatusApi(msgspec.Struct, frozen=True, kw_only=True):
    """Where and as whom a source's forge is told what became of a push.

    Attributes:
        secrets: The token; without any key it is the systemd credential SOURCE.status.
        api: The base of the forge's API; None is the one of `STATUS_APIS`.
    """

    secrets: Annotated[tuple[SecretReference, ...], Items(1)]
    api: Annotated[str, Form(parse_public_url)] | None = None


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A sender of deliveries: what proves that it is the sender, and its repositories.

    Attributes:
        forge: One of `FORGES`; None lets the headers decide among those whose proof the
            secret can give.
        secrets: In the file's order, newest first while one is rotated out. Without any
            key it is the systemd credential of the source's name, or none where a public
            key is enough (Standard Webhooks).
        repositories: Patterns of the repositories that it may speak for: ``*`` within a
            path segment, ``**`` across. Required, so that a leaked secret opens no more
            than somebody wrote down.
        url: What makes a URL of a repository's full name, where the sender names none;
            it contains ``{repository}``.
        public_key: What the server itself signs with, where it does (SourceHut, Standard
            Webhooks): 32 bytes, in the file as base64, with ``whpk_`` in front or not. None
            is the key of sr.ht.
        stream: The sender may ask for the live output in the reply. Off, since it shows
            what containers print to whoever may push.
        rate: How many deliveries it may send in a time; those above are answered 503. None
            is no limit, since waiting updates supersede one another: a flood of pushes
            costs their records, and not as many updates.
        status: Where it is told what became of its pushes; None: nowhere.
        poll: How it is asked what its branches have, by `url`, where deliveries get lost;
            None: never.
    """

    secrets: tuple[SecretReference, ...]
    repositories: Annotated[Patterns, Items(1)]
    forge: Annotated[str, Words(FORGES)] | None = None
    url: Annotated[str, Form(parse_url_template)] | None = None
    public_key: Annotated[bytes, Form(parse_public_key)] | None = None
    stream: bool = False
    rate: Annotated[Rate, Form(parse_rate)] | None = None
    status: StatusApi | None = None
    poll: Annotated[Poll, Shorthand("every")] | None = None


class Listen(msgspec.Struct, frozen=True, kw_only=True):
    """An address to listen on.

    Attributes:
        address: Loopback and port 4665 by default: nothing faces a network unasked, and
            a reverse proxy brings TLS.
        serves: What is let in there; all by default. Hooks alone is the choice for an
            address that faces the internet.
        tls: It speaks TLS where there is a certificate; a Unix socket never does. Off is
            for a proxy on this machine beside clients that come without one.
    """

    address: Annotated[TcpAddress | UnixAddress, Form(parse_address)]
    serves: Annotated[frozenset[Door], Items(1)] = frozenset(Door)
    tls: bool = True


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """How a project's name is compared with a repository's.

    Attributes:
        strip_prefixes: Taken from the repository's name first. The default is the seed's
            habit: project ``bind`` lives in the repository ``docker_bind``.
    """

    strip_prefixes: tuple[Annotated[str, Form(parse_nonempty)], ...] = ("docker_", "docker-")


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Who may use the page, beside those who sign in with a token.

    Attributes:
        access: ``sign-in``: nothing is shown to strangers. ``public-read``: whoever reaches
            the page sees everything, and does nothing without signing in.
        user_header: The header in which a proxy of `trusted_proxies` names the user that it
            let in, such as ``Remote-User``; None: nobody is believed.
        users_may: What such a user may do.
        session: Seconds until somebody has to sign in again. 12 h: a working day.
    """

    access: Access = Access.sign_in
    user_header: Annotated[str, Form(parse_header)] | None = None
    users_may: Annotated[str, Words(("read", "run"))] = "read"
    session: Annotated[float, Duration(MINUTE, 90 * DAY)] = 12 * HOUR


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps strangers and slow readers from using the machine up.

    Where something is full, the client address that holds most of it loses what it has
    held longest, as long as that is not proved to be anybody's: so others' bad requests
    take nothing from good ones.

    Attributes:
        body: Bytes of one request. 25 MiB: GitHub and GitLab send up to 25 MB, and nothing
            above it. At most 256 MiB, since a decoded body takes several times its size.
        in_flight: Bytes on the disk of all bodies above 32 KiB that are on their way or at
            work, at least `body`. 1 GiB: forty of the largest, which take two seconds to
            prove, so that nobody waits longer for others. Smaller ones are in memory, and
            let in always; `connections` bounds them.
        body_timeout: Seconds in which a body must arrive; a large one that still comes gets
            a second more for each 64 KiB. 10 s: GitHub, GitLab and Bitbucket give up after
            as long, so nobody is waiting for the answer. At most 5 min, since each slow
            sender holds memory and a connection.
        head: Bytes of the request line, and of each header; four times as much of all
            together. 8 KiB, as nginx and Apache have it; the longest of a forge, a URL
            with a secret in it, are below 1 KiB.
        head_timeout: Seconds in which a request's head must arrive, and that an idle
            connection stays. 15 s: longer than a few lost packets take, and half of what
            reverse proxies keep idle connections for.
        connections: How many are open at once on all addresses together, the control socket
            aside. 1000: forges open a few each, and a thousand idle ones are 30 MB.
        bad_proofs: How many requests whose proof does not hold one address may send in a
            time, before they are answered 429. 10 a minute: a wrong secret is still told as
            401 to who tries it out, and guessing is hopeless at any rate; it is the log and
            the time for checking that are spared.
        followers: How many streams may be followed at once; an open page has two. 500: each
            that stopped reading holds 256 KiB in the kernel, so 125 MiB at the worst.
    """

    body: Annotated[int, Size(1 * KIB, 256 * MIB)] = 25 * MIB
    in_flight: Annotated[int, Size(1 * KIB, 64 * GIB)] = 1 * GIB
    body_timeout: Annotated[float, Duration(0.1, 5 * MINUTE)] = 10.0
    head: Annotated[int, Size(1 * KIB, 1 * MIB)] = 8 * KIB
    head_timeout: Annotated[float, Duration(0.1, 5 * MINUTE)] = 15.0
    connections: Annotated[int, Range(10, 100_000)] = 1000
    bad_proofs: Annotated[Rate, Form(parse_rate)] = Rate(10, MINUTE)
    followers: Annotated[int, Range(1, 10_000)] = 500


class Commands(msgspec.Struct, frozen=True, kw_only=True):
    """What is executed in containers, where it is not what the standard says.

    Attributes:
        update: The command instead of ``container --update``, as an argument list.
        validate: The command instead of ``container --validate``.
        gitref: The command instead of ``container --gitref``.
        user: Who runs the commands in the container; None is the container's own user.
    """

    update: Argv | None = None
    validate: Argv | None = None
    gitref: Argv | None = None
    user: Annotated[str, Form(parse_user)] | None = None


class Project(Commands, frozen=True, kw_only=True):
    """What the operator says of a project, beside its containers' own metadata.

    Attributes:
        repositories: Patterns; where there are any, they alone bind the project.
        branch: Its short name; None leaves it to labels and metadata.
        tags: Pushes of tags count as well. Off: a tag moves no checkout of a branch.
        paths: Only pushes that touch one of these patterns count; empty is all.
        timeout: Seconds that a step may take. 10 min: a fetch and a reload take seconds,
            a build of assets minutes. At most a day, so that nothing hangs for ever.
        rollout: ``one-first``: a revision that breaks its container breaks only one.
        max_parallel: How many of its steps run at once; None is the general limit alone.
        every: Seconds between updates that nobody pushed for, for senders that lose events;
            None: never. At least a minute, at most 30 days.
        catch_up: A container that starts behind is updated. Off: what a container starts
            with is what somebody deployed, unless they say so.
        validate_every: Seconds between validations; None: only after starts and updates.
        output_limit: Bytes of output kept per step, the first 1 MiB and the last of it.
            10 MiB is a guess: far more than anyone reads, and a thousand steps in 10 GiB.
    """

    repositories: Patterns = ()
    branch: Annotated[str, Form(parse_branch)] | None = None
    tags: bool = False
    paths: tuple[Annotated[str, Form(parse_glob)], ...] = ()
    timeout: Annotated[float, Duration(1.0, DAY)] = 10 * MINUTE
    rollout: Rollout = Rollout.one_first
    max_parallel: Annotated[int, Range(1, 64)] | None = None
    every: Annotated[float, Duration(MINUTE, 30 * DAY)] | None = None
    catch_up: bool = False
    validate_every: Annotated[float, Duration(MINUTE, 30 * DAY)] | None = None
    output_limit: Annotated[int, Size(64 * KIB, 1 * GIB)] = 10 * MIB


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole configuration; without arguments it is that of an empty file.

    Attributes:
        sources: By name, which is a part of the webhook's path. None: the door is shut.
        listen: The addresses, never empty.
        state: The state directory; None leaves it to the caller, since it depends on who
            runs the program (`DEFAULT_STATE`, or a directory of the user's).
        engines: URLs by name; empty leaves it to the caller, since it depends on the
            environment (``local`` at ``$DOCKER_HOST``, else at `DEFAULT_ENGINE`).
        max_parallel: How many steps run at once. 4: updates wait for the network more than
            they compute, and a push must not stop a small machine. At most 64, since
            each holds connections to the engine.
        drain_timeout: Seconds that running steps get when the program stops. 30 s: well
            below the 90 s after which systemd kills; what runs longer is found again.
            At most an hour.
        public_url: By which forges and browsers reach this server, without a slash at its
            end; None: links are left out.
        discover: Which containers are asked for metadata.
        hosts: Other names of git servers, by the name that counts; all in lower case.
        match: How projects are matched by name.
        log: The program's own messages.
        limits: What one request or reader may use.
        page: Who may use the page.
        trusted_proxies: Whose ``X-Forwarded-For`` is believed; ``unix`` is whoever connects
            by a Unix socket. None by default: anybody can write that header.
        notify: Who is told when something fails, by names of the operator's choice.
        monitoring: How often containers are asked how they are.
        chat: From which chats commands are taken, and who may do what there.
        tls: The server's own certificate; None: a proxy brings TLS, or nobody does.
        retention: How long what is over stays.
        projects: By name, as the containers' metadata says it.
    """

    sources: Annotated[Mapping[str, Source], Keys(parse_name)] = {}
    listen: Annotated[
        tuple[Annotated[Listen, Shorthand("address")], ...], Items(1, single=True)
    ] = (Listen(address=TcpAddress("127.0.0.1", 4665)),)
    state: Annotated[str, Form(parse_path)] | None = None
    engines: Annotated[
        Mapping[str, Annotated[str, Form(parse_engine_url)]], Keys(parse_name)
    ] = {}
    max_parallel: Annotated[int, Range(1, 64)] = 4
    drain_timeout: Annotated[float, Duration(0.0, HOUR)] = 30.0
    public_url: Annotated[str, Form(parse_public_url)] | None = None
    discover: Discover = Discover.all
    hosts: Annotated[
        Mapping[str, Annotated[tuple[Annotated[str, Form(parse_host)], ...], Items(1)]],
        Keys(parse_host),
    ] = {}
    match: Match = Match()
    log: Log = Log()
    limits: Limits = Limits()
    page: Annotated[Page, Shorthand("access")] = Page()
    trusted_proxies: tuple[Annotated[Network | Literal["unix"], Form(parse_proxy)], ...] = ()
    notify: Annotated[Mapping[str, Notify], Keys(parse_name)] = {}
    monitoring: Monitoring = Monitoring()
    chat: Chat = Chat()
    tls: Tls | None = None
    retention: Retention = Retention()
    projects: Annotated[Mapping[str, Project], Keys(parse_project_name)] = {}

    def project(self, name: str | None) -> Project:
        """What the operator says of a project; the defaults where that is nothing."""
        return self.projects.get(name or "") or Project()


def keys(struct: type[msgspec.Struct]) -> dict[str, FieldInfo]:
    """The keys that a mapping of the file may have, each with the field that it fills."""
    fields = {field.name: field for field in msgspec.structs.fields(struct)}
    if struct in SECRETS:
        secrets = fields.pop("secrets")
        fields |= dict.fromkeys(secret_keys(SECRETS[struct]), secrets)
    return fields


SECRETS: Mapping[type, str] = {
    Source: "secret",
    StatusApi: "token",
    Notify: "secret",
    Slack: "secret",
    Mattermost: "secret",
    Teams: "secret",
    Poll: "token",
}
"""The structs that have secrets, and what these are called there."""
