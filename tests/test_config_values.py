"""What a configuration may say, and what it then means."""

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.config import (
    Config,
    Discover,
    Door,
    Limits,
    Listen,
    Log,
    LogFormat,
    LogLevel,
    Project,
    SecretReference,
    TcpAddress,
    UnixAddress,
    loads,
)
from hookrunner.model import Rollout
from hookrunner.units import format_duration, format_size

NAME = "hookrunner.yaml"


def load(text: str) -> Config:
    return loads(text, name=NAME)


def source(line: str) -> str:
    """A configuration with one source, whose fourth line is `line`."""
    return f"sources:\n  gitea:\n    repositories: ['ops/*']\n    {line}\n"


def project(line: str) -> str:
    """A configuration with one project, whose third line is `line`."""
    return f"projects:\n  bind:\n    {line}\n"


@pytest.mark.parametrize("text", ["", "\n", "# nothing\n", "---\n", "{}", "~", "\ufeff"])
def test_file_that_says_nothing_means_the_defaults(text: str):
    assert load(text) == Config()


@pytest.mark.parametrize(
    "key", ["sources", "engines", "hosts", "match", "log", "limits", "projects"]
)
def test_mapping_whose_entries_are_all_commented_out_means_its_default(key: str):
    assert load(f"{key}:\n#  a: b\n") == Config()


def test_project_without_entries_is_all_defaults():
    assert load("projects: {bind: }").projects == {"bind": Project()}


def test_smallest_useful_file_of_the_readme_is_understood():
    config = load(
        "sources:\n"
        "  gitea:\n"
        "    secret_file: /etc/hookrunner/gitea.secret\n"
        '    repositories: ["ops/*"]\n'
    )

    gitea = config.sources["gitea"]
    assert gitea.repositories == ("ops/*",)
    assert gitea.forge is None
    assert gitea.secrets == (
        SecretReference(
            kind="file", value="/etc/hookrunner/gitea.secret", file=NAME, line=3, column=18
        ),
    )


def test_secrets_keep_the_order_and_the_places_of_the_file():
    config = load(source("secret_env: [NEW, OLD]\n    secret_file:\n    - /oldest"))

    assert config.sources["gitea"].secrets == (
        SecretReference(kind="environment", value="NEW", file=NAME, line=4, column=18),
        SecretReference(kind="environment", value="OLD", file=NAME, line=4, column=23),
        SecretReference(kind="file", value="/oldest", file=NAME, line=6, column=7),
    )


@pytest.mark.parametrize(("forge", "secrets"), [("standard-webhooks", 0), ("sourcehut", 1)])
def test_a_public_key_is_enough_where_it_proves_the_sender(forge, secrets):
    key = "whpk_" + "A" * 43 + "="
    text = f"sources: {{x: {{forge: {forge}, public_key: {key}, repositories: [a/b]}}}}"

    found = load(text).sources["x"]

    assert (found.public_key, len(found.secrets)) == (bytes(32), secrets)


def test_source_without_a_secret_means_the_credential_of_its_name():
    config = load(source("stream: yes"))

    assert config.sources["gitea"].secrets == (
        SecretReference(kind="credential", value="gitea", file=NAME, line=2, column=3),
    )
    assert config.sources["gitea"].stream is True


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:0", TcpAddress("0.0.0.0", 0)),  # noqa: S104 - read, not bound
        ("localhost:80", TcpAddress("localhost", 80)),
        ("'[::1]:65535'", TcpAddress("::1", 65535)),
        ("unix:/run/x.sock", UnixAddress("/run/x.sock")),
        ("unix:///run/x.sock", UnixAddress("/run/x.sock")),
    ],
)
def test_address_alone_serves_everything(text: str, address: TcpAddress | UnixAddress):
    expected = (Listen(address=address, serves=frozenset(Door)),)

    assert load(f"listen: {text}").listen == expected
    assert load(f"listen: [{text}]").listen == expected
    assert load(f"listen: {{address: {text}}}").listen == expected
    assert load(f"listen: '{address}'").listen == expected


def test_any_free_port_can_be_listened_on_twice():
    assert len(load("listen: ['a:0', 'a:0']").listen) == 2


def test_addresses_may_serve_a_part_each():
    config = load("listen:\n- address: a:1\n  serves: [hooks, metrics]\n- b:2\n")

    assert [listen.serves for listen in config.listen] == [
        {Door.hooks, Door.metrics},
        frozenset(Door),
    ]


def test_every_other_value_arrives():
    config = load(
        """
        state: /srv/state
        engines:
          local: unix:///run/podman/podman.sock
          far: ssh://root@node2
          tls: tcp://node3:2376
        max_parallel: 64
        drain_timeout: 1m30s
        public_url: https://hooks.example.net/base/
        discover: labelled
        hosts: {Git.example.net: [SSH.git.example.net]}
        match: {strip_prefixes: []}
        log: {level: error, format: json}
        limits: {body: 1KiB, in_flight: 4GiB, body_timeout: 100ms, followers: 1}
        projects:
          docker/Bind:
            repositories: ["ops/**"]
            branch: 1.10
            tags: on
            paths: ["zones/*", "*.conf"]
            update: [sleep, 5]
            validate: ["true"]
            gitref: [git, rev-parse, HEAD]
            user: 1000:1000
            timeout: 24h
            rollout: serial
            max_parallel: 2
            output_limit: 64KiB
        """
    )

    assert config == Config(
        state="/srv/state",
        engines={
            "local": "unix:///run/podman/podman.sock",
            "far": "ssh://root@node2",
            "tls": "tcp://node3:2376",
        },
        max_parallel=64,
        drain_timeout=90.0,
        public_url="https://hooks.example.net/base",
        discover=Discover.labelled,
        hosts={"git.example.net": ("ssh.git.example.net",)},
        match=msgspec.structs.replace(Config().match, strip_prefixes=()),
        log=Log(level=LogLevel.error, format=LogFormat.json),
        limits=Limits(body=1024, in_flight=2**32, body_timeout=0.1, followers=1),
        projects={
            "docker/Bind": Project(
                repositories=("ops/**",),
                branch="1.10",
                tags=True,
                paths=("zones/*", "*.conf"),
                update=("sleep", "5"),
                validate=("true",),
                gitref=("git", "rev-parse", "HEAD"),
                user="1000:1000",
                timeout=86400.0,
                rollout=Rollout.serial,
                max_parallel=2,
                output_limit=65536,
            )
        },
    )


@pytest.mark.parametrize("word", ["github", "gitlab", "gitea", "forgejo", "gogs", "generic"])
def test_every_forge_can_be_named(word: str):
    assert load(source(f"forge: {word}")).sources["gitea"].forge == word


def test_merge_keys_share_entries_and_own_entries_win():
    config = load(
        "projects:\n"
        "  a: &a {timeout: 1m, tags: yes}\n"
        "  b: &b {timeout: 2m, branch: b}\n"
        "  c:\n"
        "    <<: [*a, *b]\n"
        "    tags: no\n"
    )

    assert config.projects["c"] == Project(timeout=60.0, tags=False, branch="b")


def test_merge_key_in_quotes_is_a_name():
    assert load("projects: {'<<': {}}").projects == {"<<": Project()}


@given(st.integers(64 * 2**10, 2**30), st.integers(1, 86400))
def test_amounts_come_back_as_they_were_written(size: int, seconds: int):
    text = project(
        f"output_limit: {format_size(size)}\n    timeout: {format_duration(seconds)}"
    )

    bind = load(text).projects["bind"]

    assert (bind.output_limit, bind.timeout) == (size, seconds)


def test_defaults_come_back_when_written_out():
    defaults = Config()
    limits, bind = defaults.limits, Project()
    written = {
        "listen": [
            {"address": str(one.address), "serves": sorted(map(str, one.serves))}
            for one in defaults.listen
        ],
        "max_parallel": defaults.max_parallel,
        "drain_timeout": format_duration(defaults.drain_timeout),
        "discover": str(defaults.discover),
        "match": {"strip_prefixes": list(defaults.match.strip_prefixes)},
        "log": {"level": str(defaults.log.level), "format": str(defaults.log.format)},
        "limits": {
            "body": format_size(limits.body),
            "in_flight": format_size(limits.in_flight),
            "body_timeout": format_duration(limits.body_timeout),
            "followers": limits.followers,
        },
        "projects": {
            "bind": {
                "timeout": format_duration(bind.timeout),
                "rollout": str(bind.rollout),
                "output_limit": format_size(bind.output_limit),
            }
        },
    }

    config = load(yaml.safe_dump(written))

    assert config == msgspec.structs.replace(defaults, projects={"bind": bind})
