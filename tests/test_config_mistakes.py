"""Where each mistake in a configuration is found, and what is said of it."""

import pytest

from hookrunner.config import (
    Config,
    loads,
)
from hookrunner.config.loading import VALUES_LIMIT
from hookrunner.config.nodes import DEPTH_LIMIT, TEXT_LIMIT
from hookrunner.errors import ConfigError

NAME = "hookrunner.yaml"


def load(text: str) -> Config:
    return loads(text, name=NAME)


def mistake(text: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(text)
    return caught.value


def source(line: str) -> str:
    """A configuration with one source, whose fourth line is `line`."""
    return f"sources:\n  gitea:\n    repositories: ['ops/*']\n    {line}\n"


def project(line: str) -> str:
    """A configuration with one project, whose third line is `line`."""
    return f"projects:\n  bind:\n    {line}\n"


# A row a line: the table is long, and so are messages.
# fmt: off
# ruff: disable[E501]
MISTAKES = {
    # name: (text, line:column, what the message says)
    "template with an unknown field": ("notify:\n  ops: {title: '$what $password'}\n", "2:16", "must name no other fields than $what"),
    "template with a lone dollar": ("notify:\n  ops: {text: 'costs 5 $'}\n", "2:15", "$$ for a $"),
    "an event that there is not": ("notify:\n  ops: {events: [fire]}\n", "2:18", "item 1 of `events` must be failure"),
    "secret of a receiver in the file": ("notify:\n  ops: {secret: abc}\n", "2:9", "a secret does not belong"),
    "status of no forge": (source("status: {api: 'https://x'}"), "4:13", "no `forge`"),
    "status of a forge without": (source("forge: gogs\n    status: {api: 'https://x'}"), "5:13", "gogs has no statuses"),
    "status without an API": (source("forge: gitea\n    status: {}"), "5:13", "needs the key `api`"),
    "status without a link": (source("forge: bitbucket-cloud\n    status: {}"), "5:13", "takes no status without a link"),
    "poll without a URL": (source("poll: 10m"), "4:11", "needs a `url` that begins with https"),
    "poll of a file": (source("url: 'file:///srv/{repository}'\n    poll: 10m"), "5:11", "needs a `url`"),
    "poll of any host": (source("url: 'https://{repository}/x'\n    poll: 10m"), "5:11", "a host of its own"),
    "poll too often": (source("url: 'https://h/{repository}'\n    poll: 10s"), "5:11", "between 1m and 30d"),
    "poll by ssh with a token": (source("url: 'ssh://h/{repository}'\n    poll: {every: 1h, token_env: T}"), "5:11", "is for https"),
    "poll by https with a key": (source("url: 'https://h/{repository}'\n    poll: {every: 1h, ssh_key: /k}"), "5:11", "no ssh://"),
    "token in the file": (source("status: {token: abc}"), "4:14", "a token does not belong"),
    "chat that lets everybody": ("chat: {slack: {secret_file: /s, allow: [{may: run}]}}", "1:41", "neither `users` nor `channels`"),
    "chat user by name": ("chat: {slack: {secret_file: /s, allow: [{users: ['@ada']}]}}", "1:50", "an id, not a name"),
    "chat secret in the file": ("chat: {teams: {secret: abc}}", "1:16", "a secret does not belong"),
    "Mattermost nowhere": ("chat: {mattermost: {secret_file: /s}}", "1:8", "needs the key `url`"),
    "Discord without a key": ("chat: {discord: {public_key: abc}}", "1:30", "64 hexadecimal digits"),
    "chat of another name": ("chat: {slak: {}}", "1:8", "did you mean `slack`?"),
    "status API with a user": (source("forge: gitea\n    status: {api: 'https://a:b@x'}"), "5:19", "without a password"),
    "unknown key": ("drain_timout: 5s", "1:1", "unknown key `drain_timout` (did you mean `drain_timeout`?)"),
    "unknown key far from any": ("\n\nxyzzy: 5s", "3:1", "unknown key `xyzzy`"),
    "unknown key of a source": (source("steam: true"), "4:5", "unknown key `steam` (did you mean `stream`?)"),
    "unknown key of a project": (project("brunch: x"), "3:5", "did you mean `branch`?"),
    "unknown key of limits": ("limits: {bodi: 1MiB}", "1:10", "did you mean `body`?"),
    "unknown key of an address": ("listen: [{adress: 'a:1'}]", "1:11", "did you mean `address`?"),
    "key of a later version": ("fleet: {}", "1:1", "unknown key `fleet`"),
    "duplicate key": ("state: /a\nstate: /b", "2:1", "duplicate key `state`, first in line 1"),
    "duplicate key within": ("log:\n  level: info\n  level: debug", "3:3", "duplicate key `level`, first in line 2"),
    "duplicate merge key": ("log: {<<: {level: info}, <<: {format: json}}", "1:26", "duplicate key `<<`"),
    "duplicate source": (source("stream: no") + "  gitea: {}", "5:3", "duplicate key `gitea`"),
    "duplicate host in other case": ("hosts: {A.net: [b.net], a.net: [c.net]}", "1:25", "duplicate key `a.net`"),
    "key that is a number": ("projects:\n  5: {}", "2:3", "a key must be text, not a number"),
    "key that is a truth": ("on: 5", "1:1", "a key must be text, not true or false"),
    "key that is a list": ("? [a]\n: b", "1:3", "a key must be text, not a list"),
    "key that is a mapping": ("{? {a: b} : c}", "1:4", "a key must be text, not a mapping"),
    "list instead of the file": ("- a", "1:1", "the file must be a mapping, not a list"),
    "text instead of the file": ("\nhello", "2:1", "the file must be a mapping, not text"),
    "text instead of a mapping": ("limits: 5MiB", "1:9", "`limits` must be a mapping, not text"),
    "list instead of a mapping": ("sources: [gitea]", "1:10", "`sources` must be a mapping, not a list"),
    "mapping instead of text": ("state: {a: b}", "1:8", "`state` must be text, not a mapping"),
    "list instead of text": ("state: [a]", "1:8", "`state` must be text, not a list"),
    "truth instead of text": (project("branch: on"), "3:13", "`branch` must be text, not true or false"),
    "text instead of a truth": (project("tags: 'true'"), "3:11", "`tags` must be true or false, not text"),
    "number instead of a truth": (source("stream: 1"), "4:13", "`stream` must be true or false, not a number"),
    "text instead of a number": ("max_parallel: 'four'", "1:15", "`max_parallel` must be a whole number between 1 and 64, not text"),
    "fraction instead of a number": ("max_parallel: 1.5", "1:15", "must be a whole number"),
    "octal number": ("max_parallel: 010", "1:15", "must be a whole number between 1 and 64, not `010`"),
    "no number": ("max_parallel:", "1:14", "must be a whole number between 1 and 64, not nothing"),
    "number too small": ("max_parallel: 0", "1:15", "between 1 and 64, not `0`"),
    "number too large": ("max_parallel: 65", "1:15", "between 1 and 64, not `65`"),
    "negative number": (project("max_parallel: -1"), "3:19", "between 1 and 64, not `-1`"),
    "endless number": (f"max_parallel: {'9' * 5000}", "1:15", "between 1 and 64, not `999"),
    "bare number for a duration": ("drain_timeout: 30", "1:16", "`drain_timeout` must be a duration with its unit, as in 30s or 10m, not `30`"),
    "sexagesimal for a duration": ("drain_timeout: 1:30", "1:16", "must be a duration with its unit"),
    "size for a duration": (project("timeout: 5MiB"), "3:14", "must be a duration with its unit"),
    "list for a duration": (project("timeout: [5s]"), "3:14", "`timeout` must be text, not a list"),
    "duration too short": (project("timeout: 999ms"), "3:14", "`timeout` must be between 1s and 1d, not `999ms`"),
    "duration too long": (project("timeout: 24h1s"), "3:14", "must be between 1s and 1d"),
    "endless duration": (project(f"timeout: {'9' * 400}s"), "3:14", "must be between 1s and 1d, not `999"),
    "drain too long": ("drain_timeout: 61m", "1:16", "must be between 0ms and 1h"),
    "body too slow": ("limits:\n  body_timeout: 301s", "2:17", "must be between 100ms and 5m"),
    "bare number for a size": ("limits:\n  body: 1024", "2:9", "`body` must be a size with its unit, as in 512KiB or 10MiB, not `1024`"),
    "decimal size": ("limits:\n  body: 25MB", "2:9", "must be a size with its unit"),
    "size too small": ("limits: {body: 1023B}", "1:16", "between 1KiB and 256MiB"),
    "size too large": (project("output_limit: 2GiB"), "3:19", "`output_limit` must be between 64KiB and 1GiB, not `2GiB`"),
    "endless size": (project(f"output_limit: {'9' * 5000}B"), "3:19", "must be a size"),
    "too many followers": ("limits: {followers: 10001}", "1:21", "between 1 and 10000"),
    "budget below one body": ("limits:\n  in_flight: 1MiB", "2:14", "`in_flight` (1MiB) must be at least `body` (25MiB)"),
    "bad forge": (source("forge: githob"), "4:12", "standard-webhooks or generic, not `githob` (did you mean `github`?)"),
    "bad discover": ("discover: some", "1:11", "`discover` must be all or labelled, not `some`"),
    "bad level": ("log:\n  level: warn", "2:10", "`level` must be debug, info, warning or error, not `warn` (did you mean `warning`?)"),
    "bad format": ("log: {format: xml}", "1:15", "`format` must be auto, json or console, not `xml`"),
    "bad rollout": (project("rollout: one_first"), "3:14", "must be one-first, serial or parallel, not `one_first` (did you mean `one-first`?)"),
    "bad door": ("listen:\n- address: a:1\n  serves: [hook]", "3:12", "item 1 of `serves` must be hooks, api, page or metrics, not `hook` (did you mean `hooks`?)"),
    "no doors": ("listen:\n- address: a:1\n  serves: []", "3:11", "`serves` must not be empty"),
    "no address": ("listen:\n- serves: [api]", "2:3", "item 1 of `listen` needs the key `address`"),
    "no addresses": ("listen: []", "1:9", "`listen` must not be empty"),
    "empty listen": ("listen:", "1:8", "`listen` must be a list, not nothing"),
    "address twice": ("listen: ['a:1', 'b:1', 'a:1']", "1:24", "`a:1` is there twice"),
    "address without a port": ("listen: localhost", "1:9", "must be an address: host:port, [::1]:port or unix:/path"),
    "port alone": ("listen: 4665", "1:9", "must be an address"),
    "address without a host": ("listen: ':4665'", "1:9", "must name a host: 0.0.0.0 or [::]"),
    "port too large": ("listen: a:65536", "1:9", "a port between 0 and 65535"),
    "bad IPv4 address": ("listen: 1.2.3.256:80", "1:9", "must be a proper IPv4 address"),
    "bad IPv6 address": ("listen: '[::g]:80'", "1:9", "must be a proper IPv6 address"),
    "IPv6 address without brackets": ("listen: ::1:80", "1:9", "must have brackets"),
    "relative socket": ("listen: unix:run/x.sock", "1:9", "after `unix:` comes an absolute path"),
    "socket with a long path": (f"listen: unix:/{'x' * 107}", "1:9", "at most 107 bytes"),
    "relative state": ("state: var", "1:8", "`state` must be an absolute path"),
    "bad engine name": ("engines: {Local: unix:///x}", "1:11", "`Local` must be a name"),
    "bad engine scheme": ("engines: {a: npipe:////./pipe/x}", "1:14", "begins with one of unix://, tcp://, http://, https://, ssh://"),
    "engine of two slashes": ("engines: {a: unix://run/x}", "1:14", "must have three slashes"),
    "engine without a host": ("engines: {a: ssh://}", "1:14", "must name a host after ssh://"),
    "engine without a port": ("engines: {a: tcp://b}", "1:14", "must name a port"),
    "engine with a bad port": ("engines: {a: 'tcp://b:99999'}", "1:14", "a proper host and port"),
    "engine with a bad host": ("engines: {a: 'http://[b'}", "1:14", "a proper host and port"),
    "engine that is nothing": ("engines: {a: }", "1:13", "`a` must be text, not nothing"),
    "engine with port 0": ("engines: {a: 'tcp://b:0'}", "1:14", "a port between 1 and 65535"),
    "engine with half a port": ("engines: {a: 'http://b:'}", "1:14", "a port between 1 and 65535"),
    "engine with a password": ("engines: {a: 'ssh://u:p@b'}", "1:14", "must be a URL without a password"),
    "public URL of another scheme": ("public_url: ftp://a", "1:13", "begins with http:// or https://"),
    "public URL with a query": ("public_url: http://a?b", "1:13", "without `?` and `#`"),
    "public URL with a user": ("public_url: http://u@a", "1:13", "without a user"),
    "host that is a URL": ("hosts: {'https://a': [b]}", "1:9", "must be the name of a host"),
    "host with an empty part": ("hosts: {a..b: [c]}", "1:9", "must be the name of a host"),
    "alias with a port": ("hosts: {a: ['b:22']}", "1:13", "item 1 of `a` must be the name of a host"),
    "alias as text": ("hosts: {a: b}", "1:12", "`a` must be a list, not text"),
    "alias of two hosts": ("hosts: {a: [x], b: [y, X]}", "1:24", "`x` cannot be another name of `b`, it belongs to `a`"),
    "alias that is a host": ("hosts:\n  a: [b]\n  b: [c]", "2:7", "`b` cannot be another name of `a`, it belongs to `b`"),
    "empty prefix": ("match: {strip_prefixes: ['']}", "1:26", "item 1 of `strip_prefixes` must not be empty"),
    "source without repositories": ("sources:\n  gitea:\n    stream: true", "2:3", "`gitea` needs the key `repositories`"),
    "source of nothing": ("sources:\n  gitea:", "2:3", "`gitea` needs the key `repositories`"),
    "no repositories": ("sources: {a: {repositories: []}}", "1:29", "`repositories` must not be empty"),
    "empty pattern": ("sources: {a: {repositories: ['']}}", "1:30", "item 1 of `repositories` must be a pattern"),
    "pattern as text": ("sources: {a: {repositories: ops/*}}", "1:29", "`repositories` must be a list, not text"),
    "bad source name": ("sources: {Gitea: {repositories: [a]}}", "1:11", "`Gitea` must be a name"),
    "long source name": (f"sources: {{{'a' * 64}: {{}}}}", "1:11", "must be a name of at most 63"),
    "inline secret": (source("secret: hunter2hunter2hunter2"), "4:5", "a secret does not belong in this file"),
    "relative secret file": (source("secret_file: secret"), "4:18", "`secret_file` must be an absolute path"),
    "relative secret file in a list": (source("secret_file: [/a, b]"), "4:23", "item 2 of `secret_file` must be an absolute path"),
    "no secret files": (source("secret_file: []"), "4:18", "`secret_file` must not be empty"),
    "secret file of nothing": (source("secret_file:"), "4:17", "`secret_file` must be a list, not nothing"),
    "bad variable": (source("secret_env: $A"), "4:17", "must be the name of an environment variable"),
    "template without a place": (source("url: https://a/b"), "4:10", "must contain `{repository}`"),
    "template with more places": (source("url: 'https://{host}/{repository}'"), "4:10", "no braces but those"),
    "empty project name": ("projects: {'': {}}", "1:12", "must be a name of 1 to 255 characters"),
    "command as text": (project("update: git pull"), "3:13", "`update` must be a list, not text"),
    "empty command": (project("update: []"), "3:13", "`update` must not be empty"),
    "empty argument": (project("update: [git, '']"), "3:19", "item 2 of `update` must not be empty"),
    "argument of nothing": (project("validate: [~]"), "3:16", "item 1 of `validate` must be text, not nothing"),
    "argument with NUL": (project(r'gitref: ["a\0"]'), "3:14", "a character that text cannot have"),
    "argument with half a character": (project(r'gitref: ["\uD800"]'), "3:14", "a character that text cannot have"),
    "full ref": (project("branch: refs/heads/main"), "3:13", "must be a short name"),
    "pattern of branches": (project("branch: 'release/*'"), "3:13", "must be the name of one branch"),
    "absolute file": (project("paths: [/zones]"), "3:13", "must not begin with a slash"),
    "bad user": (project("user: 'a b'"), "3:11", "must be user, uid, user:group or uid:gid"),
    "tab": ("log:\n\tlevel: info", "2:1", "not valid YAML: found character '\\t'"),
    "unclosed list": ("listen: [a", "1:11", "not valid YAML: expected ',' or ']'"),
    "bad indent": ("log:\n   level: info\n  format: json", "3:3", "not valid YAML"),
    "two documents": ("state: /a\n---\nstate: /b", "2:1", "not valid YAML"),
    "unknown alias": ("state: *a", "1:8", "not valid YAML: found undefined alias"),
    "control character": ("state: /a\nlisten: \x07", "2:9", "the character U+0007 is not allowed"),
    "impossible character": (r'state: "\UFFFFFFFF"', "1:11", "no such character"),
    "tag": ("state: !!python/object:os.system x", "1:8", "must be text, not a value with the tag"),
    "tag on a mapping": ("log: !x {}", "1:6", "must be a mapping, not a value with the tag `!x`"),
    "tag on the truth": (project("tags: !!bool perhaps"), "3:11", "must be true or false"),
    "merge of text": ("log: {<<: x}", "1:11", "`<<` must be a mapping, not text"),
    "mapping merged with itself": ("log: &a {<<: *a}", "1:6", "merge keys are nested too deeply"),
    "list that has itself": (project("paths: &a [*a]"), "3:12", "item 1 of `paths` must be text, not a list"),
    "deep nesting": ("state: " + "[" * 10_000, f"1:{7 + DEPTH_LIMIT}", "nested too deeply"),
    "long file": ("#" * TEXT_LIMIT + "#", f"1:{TEXT_LIMIT + 1}", "the file is longer than"),
}


# ruff: enable[E501]
# fmt: on
@pytest.mark.parametrize(("text", "place", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_is_told_with_its_place(text: str, place: str, message: str):
    error = mistake(text)

    assert str(error).startswith(f"{NAME}:{place}: ")
    assert message in str(error)
    assert f"{error.line}:{error.column}" == place
    assert error.exit_code == 78


def test_message_has_the_usual_form_of_compilers():
    assert str(mistake("sources: {}\nlog: {}\n\n\n  \ndrain_timout: 1s")) == (
        "hookrunner.yaml:6:1: unknown key `drain_timout` (did you mean `drain_timeout`?)"
    )


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            project("update: git -C '/srv/my www' pull"),
            'write ["git", "-C", "/srv/my www", "pull"]',
        ),
        (project("update: it's"), 'write ["it\'s"]'),
        (project("repositories: ops/*"), 'write ["ops/*"]'),
        (project("branch: on"), "put it in quotes"),
        (
            source("secret: x"),
            "use `secret_file: /path/of/a/file` or `secret_env: NAME_OF_A_VARIABLE`",
        ),
        ("sources: {a: {}}", 'write `repositories: ["ops/*"]`, or `["**"]` for all'),
        ("log: {colour: red}", "possible here: level, format"),
        ("\tstate: /a", "indent with spaces, not with tabs"),
    ],
    ids=lambda value: value.splitlines()[-1][:30],
)
def test_hint_says_what_to_write_instead(text: str, hint: str):
    assert mistake(text).hint == hint


@pytest.mark.parametrize("line", ["secret: {0}", "secret_env: {0}!", "secret_file: {0}", "{0}"])
def test_message_does_not_repeat_what_may_be_a_secret(line: str):
    secret = "0aZ9-hunter2-hunter2-hunter2"

    error = mistake(source(line.format(secret)))

    assert secret not in f"{error} {error.hint}"


def test_message_shows_no_control_characters_and_no_more_than_a_line_of_a_word():
    error = mistake(f'"\\e[31m{"x" * 1000}": 1')

    assert str(error).isprintable()
    assert len(str(error)) < 200


def test_first_mistake_of_the_file_is_the_one_told():
    assert mistake("state: x\nmax_parallel: 0").line == 1
    assert mistake("max_parallel: 0\nstate: x").line == 1


def test_mistake_in_a_merged_entry_is_told_where_it_is_written():
    error = mistake("projects:\n  a: &a\n    timeout: 1m\n    tag: x\n  b: {<<: *a}\n")

    assert (error.line, error.column) == (4, 5)


@pytest.mark.parametrize(
    "text",
    [
        f"hosts:\n  a: &a [{'x,' * 2000}]\n" + "".join(f"  b{n}: *a\n" for n in range(500)),
        "projects:\n  a: &l0 {tags: yes}\n"
        + "".join(f"  b{n}: &l{n + 1} {{<<: [{f'*l{n},' * 9}]}}\n" for n in range(20)),
    ],
    ids=["aliases of a list", "merges of merges"],
)
def test_aliases_cannot_blow_a_short_text_up(text: str):
    assert f"more than {VALUES_LIMIT} values" in str(mistake(text))
