import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.repository import (
    canonical_host,
    fixes_owner,
    host_aliases,
    matches_repository,
    parse_repository_url,
)
from hookrunner.model import RepositoryKey

HOSTS = st.from_regex(r"[a-z][a-z0-9]{0,8}(\.[a-z][a-z0-9-]{0,6}[a-z]){1,2}", fullmatch=True)
PARTS = st.from_regex(r"[A-Za-z0-9_~][A-Za-z0-9_-]{0,10}", fullmatch=True).filter(
    lambda part: part.lower() not in {"scm", "projects", "users", "bitbucket", "stash"}
)
PATHS = st.lists(PARTS, min_size=1, max_size=4).map("/".join)

ONE_REPOSITORY = [
    "https://git.example.net/ops/docker_bind",
    "https://git.example.net/ops/docker_bind.git",
    "https://git.example.net/ops/docker_bind/",
    "https://git.example.net/ops/docker_bind.git/",
    "https://git.example.net//ops///docker_bind",
    "https://git.example.net/./ops/docker_bind",
    "https://git.example.net/ops/docker_bind/.git",
    "https://git.example.net/ops/docker_bind?tab=readme#top",
    "https://git.example.net/ops/docker%5Fbind",
    "https://git.example.net./ops/docker_bind",
    "http://git.example.net:3000/ops/docker_bind",
    "https://user:p@ss%40word@git.example.net/ops/docker_bind",
    "HTTPS://Git.Example.NET/Ops/Docker_Bind.GIT",
    "git://git.example.net/ops/docker_bind.git",
    "ssh://git@git.example.net/ops/docker_bind.git",
    "ssh://git@git.example.net:2222/ops/docker_bind.git",
    "ssh://git@git.example.net:/ops/docker_bind.git",
    "git+ssh://git@git.example.net/ops/docker_bind.git",
    "ssh://git@ssh.git.example.net:443/ops/docker_bind.git",
    "ssh://git@altssh.git.example.net:443/ops/docker_bind.git",
    "git@git.example.net:ops/docker_bind.git",
    "git@git.example.net:/ops/docker_bind.git",
    "git.example.net:ops/docker_bind",
    "  git@git.example.net:ops/docker_bind.git\n",
]

FORMS_OF_FORGES = {
    "azure": (
        RepositoryKey("dev.azure.com", "org/my project/repo"),
        [
            "https://org@dev.azure.com/org/My%20Project/_git/repo",
            "https://dev.azure.com/org/My Project/_git/repo",
            "https://dev.azure.com/org/DefaultCollection/my%20project/_git/repo",
            "git@ssh.dev.azure.com:v3/org/My%20Project/repo",
            "ssh://git@ssh.dev.azure.com:22/v3/org/My%20Project/repo",
            "https://org.visualstudio.com/My%20Project/_git/repo",
            "https://org.visualstudio.com/DefaultCollection/My%20Project/_git/repo",
            "org@vs-ssh.visualstudio.com:v3/org/My%20Project/repo",
        ],
    ),
    "azure's first repository": (
        RepositoryKey("dev.azure.com", "org/repo/repo"),
        [
            "https://dev.azure.com/org/_git/repo",
            "https://org.visualstudio.com/_git/repo",
            "git@ssh.dev.azure.com:v3/org/repo/repo",
        ],
    ),
    "bitbucket data center": (
        RepositoryKey("bb.example.net", "prj/repo"),
        [
            "https://bb.example.net/scm/prj/repo.git",
            "https://bb.example.net/bitbucket/scm/prj/repo.git",
            "https://bb.example.net/projects/PRJ/repos/repo/browse",
            "https://bb.example.net/projects/PRJ/repos/repo",
            "ssh://git@bb.example.net:7999/prj/repo.git",
        ],
    ),
    "bitbucket data center, personal": (
        RepositoryKey("bb.example.net", "~jo/repo"),
        [
            "https://bb.example.net/scm/~jo/repo.git",
            "https://bb.example.net/users/jo/repos/repo/browse",
            "ssh://git@bb.example.net:7999/~jo/repo.git",
        ],
    ),
    "github": (
        RepositoryKey("github.com", "ops/app"),
        ["git@github.com:ops/app.git", "ssh://git@ssh.github.com:443/ops/app.git"],
    ),
    "bitbucket cloud": (
        RepositoryKey("bitbucket.org", "ops/app"),
        ["git@bitbucket.org:ops/app.git", "ssh://git@altssh.bitbucket.org:443/ops/app.git"],
    ),
    "gitlab": (
        RepositoryKey("gitlab.com", "group/sub/sub2/app"),
        [
            "https://gitlab.com/group/sub/sub2/app.git",
            "ssh://git@altssh.gitlab.com:443/group/sub/sub2/app.git",
        ],
    ),
    "file": (
        RepositoryKey("", "srv/git/ops/docker_bind"),
        [
            "/srv/git/ops/docker_bind.git",
            "/srv//git/ops/./docker_bind/",
            "file:///srv/git/ops/docker_bind.git",
            "file://localhost/srv/git/ops/docker_bind",
            "/srv/git/Ops/docker_bind/.git",
        ],
    ),
    "ipv6": (
        RepositoryKey("[2001:db8::1]", "ops/app"),
        [
            "https://[2001:db8::1]:3000/ops/app.git",
            "ssh://git@[2001:0DB8:0::1]/ops/app",
            "git@[2001:db8::1]:ops/app.git",
        ],
    ),
}


@pytest.mark.parametrize("url", ONE_REPOSITORY)
def test_every_form_of_a_url_gives_one_key(url):
    assert parse_repository_url(url) == RepositoryKey("git.example.net", "ops/docker_bind")


@pytest.mark.parametrize(
    ("url", "key"),
    [(url, key) for key, urls in FORMS_OF_FORGES.values() for url in urls],
)
def test_forms_of_one_forge_give_one_key(url, key):
    assert parse_repository_url(url) == key


@given(HOSTS, PATHS)
def test_any_repository_has_one_key(host, path):
    forms = [
        f"https://{host}/{path}",
        f"http://jo@{host}:3000/{path}.git",
        f"ssh://git@{host}:22/{path}.git/",
        f"git://{host}//{path}",
        f"git@{host}:{path}.git",
        f"HTTPS://{host.upper()}/{path.upper()}",
    ]

    keys = {parse_repository_url(form) for form in forms}

    assert len(keys) == 1
    assert None not in keys


@given(HOSTS, PATHS, PATHS)
def test_different_paths_give_different_keys(host, path, other):
    same = parse_repository_url(f"https://{host}/{path}") == parse_repository_url(
        f"git@{host}:{other}.git"
    )

    assert same == (path.lower() == other.lower())


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "/",
        "//",
        "/.git",
        "ops/docker_bind",
        "https://",
        "https:///ops/app",
        "https://git.example.net",
        "https://git.example.net/",
        "https://git.example.net/.git",
        "https://git.example.net:port/ops/app",
        "https://git example.net/ops/app",
        "https://a..b/ops/app",
        "https://git.example.net/ops/../app",
        "https://git.example.net/ops/%2e%2E/app",
        "https://git.example.net/ops/...git",
        "https://git.example.net/ops%2Fapp",
        "https://git.example.net/ops/%00",
        "https://git.example.net/ops/%ff",
        "https://git.example.net/ops/a\x00pp",
        "https://git.example.net/ops/\udcff",
        "https://[::1/ops/app",
        "https://[nonsense]/ops/app",
        "/srv/git/../app",
        "file://other.example.net/srv/git/app",
        "ftp://git.example.net/ops/app",
        "javascript://git.example.net/ops/app",
        "ext::sh -c touch% /tmp/x",
        "git@host:",
        "git@host:..",
        r"git@host:ops\app",
        "https://git.example.net/" + "a" * 3000,
    ],
)
def test_what_names_no_repository_has_no_key(url):
    assert parse_repository_url(url) is None


@given(st.text() | st.from_regex(r"[a-z+]{0,8}:?/{0,3}[\[\]@:%./a-z0-9?#_-]*", fullmatch=True))
def test_reading_a_url_raises_nothing_and_keys_are_normal(url):
    key = parse_repository_url(url)

    if key is not None:
        assert key.path
        assert not {"", ".", ".."} & set(key.path.split("/"))
        assert key.path == key.path.lower()
        assert key.path.isprintable() or not key.path.isascii()


def test_a_path_equals_no_url():
    assert parse_repository_url("/ops/app") != parse_repository_url("https://ops/app")
    assert parse_repository_url("/h/ops/app") != parse_repository_url("https://h/ops/app")


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("git@git.example.net:scm/ops/app.git", "scm/ops/app"),
        ("https://gitlab.com/scm/ops/app.git", "scm/ops/app"),
        ("https://git.example.net/corp/scm/ops/app.git", "corp/scm/ops/app"),
        ("https://git.example.net/ops/_git/app", "ops/_git/app"),
        ("https://dev.azure.com/v3/org/_git/repo", "v3/org/repo"),
        ("https://evil.visualstudio.com/org/project/repo", "evil/org/project/repo"),
    ],
)
def test_nobody_can_dress_a_repository_up_as_another(url, path):
    key = parse_repository_url(url)

    assert key is not None
    assert key.path == path


def test_only_a_whole_domain_is_left_of_ssh():
    assert parse_repository_url("git@ssh.net:a/b") == RepositoryKey("ssh.net", "a/b")


def test_an_alias_becomes_the_canonical_host():
    aliases = host_aliases({"Git.example.net": ["ssh.Code.example.net", "gitea", "[::01]"]})

    for url in ("https://code.example.net/a/b", "http://gitea:3000/a/b", "git@[::1]:a/b"):
        key = parse_repository_url(url)
        assert key is not None
        assert canonical_host(key, aliases) == RepositoryKey("git.example.net", "a/b")


def test_other_hosts_and_files_have_no_alias():
    aliases = host_aliases({"git.example.net": ["gitea"]})

    for key in (RepositoryKey("other.net", "a/b"), RepositoryKey("", "gitea/a/b")):
        assert canonical_host(key, aliases) == key


@pytest.mark.parametrize("hosts", [{"a.net": ["x"], "b.net": ["X"]}, {"a.net": ["no host"]}])
def test_wrong_aliases_are_refused(hosts):
    with pytest.raises(ValueError, match="host"):
        host_aliases(hosts)


HOSTED = RepositoryKey("git.example.net", "ops/docker_bind")
DEEP = RepositoryKey("git.example.net", "evil/ops/docker_bind")
FILE = RepositoryKey("", "srv/git/ops/docker_bind")
PATTERNS = {
    "ops/*": (True, False, True),
    "Ops/Docker_*": (True, False, True),
    "ops/docker_bind": (True, False, True),
    "ops/docker_bind.git": (True, False, True),
    "ops/*_*": (True, False, True),
    "*/docker_bind": (True, False, True),
    "*/*": (True, False, True),
    "*/*/*": (False, True, True),
    "*": (False, False, True),
    "**": (True, True, True),
    "**/docker_bind": (True, True, True),
    "ops/**": (True, False, True),
    "evil/**": (False, True, False),
    "git.example.net/ops/*": (True, False, False),
    "git.example.net/**": (True, True, False),
    "git.example.net/*/*": (True, False, False),
    "*.example.net/ops/*": (True, False, False),
    "evil.net/ops/*": (False, False, False),
    "*/ops/*": (False, True, True),
    "/srv/git/ops/*": (False, False, True),
    "/srv/**": (False, False, True),
    "/git/ops/*": (False, False, False),
    "/srv/git/*": (False, False, False),
    "op/*": (False, False, False),
    "ops/docker": (False, False, False),
    "ops/docker_bind/x": (False, False, False),
    "": (False, False, False),
}


@pytest.mark.parametrize("pattern", PATTERNS)
def test_patterns_cover_what_they_say(pattern):
    covered = tuple(matches_repository(pattern, key) for key in (HOSTED, DEEP, FILE))

    assert covered == PATTERNS[pattern]


def test_a_group_with_a_hosts_name_is_not_that_host():
    group = RepositoryKey("gitlab.example.net", "git.example.net/ops/app")
    inside = RepositoryKey("git.example.net", "git.example.net/ops/app")

    assert not matches_repository("git.example.net/ops/*", group)
    assert not matches_repository("git.example.net/ops/*", inside)


def test_a_user_with_a_dot_is_an_owner():
    assert matches_repository("john.doe/*", RepositoryKey("git.example.net", "john.doe/app"))
    assert not matches_repository("john.doe/*", RepositoryKey("git.example.net", "jo/app"))


def test_brackets_are_a_host():
    assert matches_repository("[::1]/ops/*", RepositoryKey("[::1]", "ops/app"))


@given(PATHS)
def test_a_path_is_covered_by_itself_and_by_stars(path):
    path = path.lower()
    key = RepositoryKey("git.example.net", path)

    assert matches_repository(path, key)
    assert matches_repository("/".join("*" for _ in path.split("/")), key)
    assert matches_repository(f"git.example.net/{path}", key)
    assert not matches_repository(f"{path}/*", key)


def test_many_stars_do_not_take_for_ever():
    key = RepositoryKey("git.example.net", "a" * 2000)

    assert not matches_repository("*a" * 60 + "b", key)


@pytest.mark.parametrize(
    ("pattern", "fixes"),
    [
        ("ops/*", True),
        ("ops/app", True),
        ("ops/**", True),
        ("ops/docker_*", True),
        ("*/*", False),
        ("**", False),
        ("*", False),
        ("*/app", False),
        ("o*s/*", False),
        ("git.example.net/ops/*", True),
        ("git.example.net/ops/**", True),
        ("git.example.net/*/*", False),
        ("git.example.net/*/app", False),
        ("git.example.net/**", False),
        ("git.example.net/*", False),
        ("git.example.net/**/app", False),
        ("git.example.net/ops**/app", False),
        ("*.example.net/ops/*", True),
        ("localhost/**", False),
        ("/srv/git/ops/*", True),
        ("/srv/git/**", False),
        ("/srv/*/app", False),
        ("", False),
    ],
)
def test_a_pattern_fixes_the_owner_only_where_it_is_spelt_out(pattern, fixes):
    assert fixes_owner(pattern) is fixes
