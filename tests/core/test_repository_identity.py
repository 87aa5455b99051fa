"""However a URL of a repository is written, it is that repository, and no other one is.

The forms are those that users of others tripped over: ports and users of ssh and http, ssh
at a host of its own, ``ssh.`` and ``altssh.``, Azure's and Bitbucket's paths.
"""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.repository import (
    canonical_host,
    host_aliases,
    matches_repository,
    parse_repository_url,
)
from hookrunner.model import RepositoryKey

LABELS = st.from_regex(r"[a-z][a-z0-9]{0,6}", fullmatch=True).filter(
    lambda label: label not in {"ssh", "altssh"}
)
HOSTS = st.lists(LABELS, min_size=2, max_size=3).map(".".join)
PARTS = st.from_regex(r"[A-Za-z0-9_~][A-Za-z0-9_.+-]{0,8}[A-Za-z0-9_]", fullmatch=True).filter(
    lambda part: (
        part.lower() not in {"scm", "projects", "users", "bitbucket", "stash", "_git", "v3"}
        and not part.lower().endswith(".git")
    )
)
PATHS = st.lists(PARTS, min_size=2, max_size=4).map("/".join)
WORDS = st.from_regex(r"[A-Za-z][A-Za-z0-9 ]{0,6}[A-Za-z0-9]", fullmatch=True)
USERS = st.sampled_from(["", "git@", "org-1234@", "jo:p%40ss@"])
PORTS = st.sampled_from(["", ":22", ":443", ":2222", ":3000", ":7999", ":8443", ":"])
ENDS = st.sampled_from(["", ".git", "/", ".git/", "//", "/.git"])


@st.composite
def urls(draw, host, path):
    """A way to write one repository."""
    user, port, end = draw(USERS), draw(PORTS), draw(ENDS)
    kind = draw(st.sampled_from(["http", "ssh", "scp", "sub"]))
    if kind == "http":
        scheme = draw(st.sampled_from(["https", "http", "git", "HTTPS", "git+https"]))
        query = draw(st.sampled_from(["", "?x=1", "#readme"])) if scheme != "git" else ""
        written = quote(path, safe="/" + draw(st.sampled_from(["~+", ""])))
        url = f"{scheme}://{user}{host}{port}/{written}{end}{query}"
    elif kind == "ssh":
        scheme = draw(st.sampled_from(["ssh", "git+ssh", "ssh+git", "SSH"]))
        url = f"{scheme}://{user}{host}{port}/{path}{end}"
    elif kind == "scp":
        slash = draw(st.sampled_from(["", "/"]))
        url = f"{draw(st.sampled_from(['git@', '', 'org-1234@']))}{host}:{slash}{path}{end}"
    else:
        at = draw(st.sampled_from(["ssh.", "altssh."]))
        url = f"ssh://git@{at}{host}:443/{path}{end}"
    upper = draw(st.booleans())
    return url.replace(host, host.upper()).replace(path, path.upper()) if upper else url


@given(data=st.data(), host=HOSTS, path=PATHS)
def test_every_way_to_write_a_repository_is_that_repository(data, host, path):
    url = data.draw(urls(host, path))

    assert parse_repository_url(url) == RepositoryKey(host, path.lower()), url


@given(data=st.data(), host=HOSTS, path=PATHS, other=PATHS)
def test_no_way_to_write_another_path_is_the_same(data, host, path, other):
    if other.lower() == path.lower():
        return
    one, two = data.draw(urls(host, path)), data.draw(urls(host, other))

    assert parse_repository_url(one) != parse_repository_url(two)


@given(data=st.data(), hosts=st.lists(HOSTS, min_size=3, max_size=3, unique=True), path=PATHS)
def test_hosts_are_one_only_where_an_alias_says_so(data, hosts, path):
    name, alias, stranger = hosts
    aliases = host_aliases({name: [alias]})
    keys = [
        canonical_host(parse_repository_url(data.draw(urls(host, path))), aliases)
        for host in (name, alias, stranger)
    ]

    assert keys[0] == keys[1] == RepositoryKey(name, path.lower())
    assert keys[2] == RepositoryKey(stranger, path.lower())
    assert keys[2] != keys[0]


@given(org=LABELS, project=WORDS, repository=WORDS)
def test_all_forms_of_azure_are_one(org, project, repository):
    project, repository = project.strip(), repository.strip()
    at = f"{quote(project)}/_git/{quote(repository)}"
    below = f"{org}/{quote(project)}/{quote(repository)}"
    forms = [
        f"https://dev.azure.com/{org}/{at}",
        f"https://{org}@dev.azure.com/{org}/{at}",
        f"https://dev.azure.com/{org}/DefaultCollection/{at}",
        f"https://{org}.visualstudio.com/{at}",
        f"https://{org}.visualstudio.com/DefaultCollection/{at}",
        f"git@ssh.dev.azure.com:v3/{below}",
        f"ssh://git@ssh.dev.azure.com:22/v3/{below}",
        f"{org}@vs-ssh.visualstudio.com:v3/{below}",
    ]

    keys = {parse_repository_url(form) for form in forms}

    assert keys == {RepositoryKey("dev.azure.com", f"{org}/{project}/{repository}".lower())}


@given(host=HOSTS, project=LABELS, slug=PARTS, context=st.sampled_from(["", "/bitbucket"]))
def test_all_forms_of_a_bitbucket_data_center_are_one(host, project, slug, context):
    if host == "gitlab.com":
        return
    forms = [
        f"https://{host}:8443{context}/scm/{project}/{slug}.git",
        f"https://jo@{host}{context}/scm/{project.upper()}/{slug}",
        f"https://{host}{context}/projects/{project.upper()}/repos/{slug}/browse",
        f"https://{host}{context}/projects/{project}/repos/{slug}",
        f"ssh://git@{host}:7999/{project}/{slug}.git",
    ]

    keys = {parse_repository_url(form) for form in forms}

    assert keys == {RepositoryKey(host, f"{project}/{slug}".lower())}


@given(host=HOSTS, path=PATHS)
def test_a_path_on_this_machine_is_nobodys_on_a_host(host, path):
    file = {
        parse_repository_url(form) for form in (f"/{path}", f"file:///{path}.git", f"/{path}/")
    }

    assert file == {RepositoryKey("", path.lower())}
    assert parse_repository_url(f"https://{host}/{path}") not in file
    assert parse_repository_url(f"file:///{host}/{path}") != parse_repository_url(
        f"https://{host}/{path}"
    )


@given(data=st.data(), host=HOSTS, path=PATHS)
def test_a_pattern_covers_every_way_to_write_what_it_names(data, host, path):
    key = parse_repository_url(data.draw(urls(host, path)))

    assert matches_repository(f"{host}/{path}", key)
    above = path.rpartition("/")[0]
    assert matches_repository(f"{host}/{above}/*", key)
    if "." not in above.partition("/")[0]:  # else it may be a host
        assert matches_repository(f"{above}/*", key)
    assert not matches_repository(f"{host}/{path}x", key)
    assert not matches_repository(f"x{host}/{path}", key)
