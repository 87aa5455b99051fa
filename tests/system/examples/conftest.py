"""The images of ``config/examples``, built as their users do, and a git server over ssh.

The server and those who fetch from it share one network namespace that leads nowhere else.
"""

import contextlib
import hashlib
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from author import GIT

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "config" / "examples"
PORT = 2222
NAMED_CONF = """\
options { directory "/var/cache/bind"; listen-on { any; }; listen-on-v6 { none; };
  recursion no; dnssec-validation no; notify no; };
zone "example.test" { type master; file "/srv/data/zones/example.test"; };
"""
ZONE = """\
$TTL 60
@ IN SOA ns hostmaster ( {serial} 1h 15m 1w 60 )
  IN NS ns
ns IN A 192.0.2.1
www IN A {address}
"""
BLOCKED = """\
$SOA 3600 ns.example.test hostmaster.example.test 0 600 300 86400 300
$NS 3600 ns.example.test
:127.0.0.{number}:blocked
192.0.2.1
{more}
"""
GIT_SERVER = """\
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends openssh-server \\
 && rm -rf /var/lib/apt/lists/* && mkdir -p /run/sshd && ln -s /srv/git/ops /ops \\
 && useradd --create-home --shell /bin/sh git && git config --system safe.directory '*'
COPY only /srv/only
CMD ["/usr/sbin/sshd", "-D", "-e", "-p", "{port}", "-o", "StrictModes=no", \\
     "-o", "AuthorizedKeysFile=/srv/git/keys", "-o", "PasswordAuthentication=no"]
"""
ONLY = """\
#!/bin/sh
# A deploy key's forced command: it reads this repository and no other.
case $SSH_ORIGINAL_COMMAND in
"git-upload-pack '/ops/$1.git'") exec git-upload-pack "/srv/git/ops/$1.git" ;;
esac
echo "this key is for $1" >&2
exit 1
"""


def run(*words, at=None, env=None):
    done = subprocess.run(
        words,
        cwd=at,
        env=os.environ | GIT | (env or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout.strip()


def until(look, seconds=60):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited {seconds} s, and found {found!r}"
        time.sleep(0.05)
    return found


class Images:
    """The images of the examples, by name; built once for each state of their files.

    Like the tests' base image they stay for later runs, and carry no label of this one.
    """

    examples = EXAMPLES

    def __init__(self, docker, engine_url):
        self._docker = docker
        self.env = {"DOCKER_HOST": engine_url}
        files = [*EXAMPLES.rglob("*"), *(ROOT / "hookrunner" / "kit").rglob("*")]
        mass = hashlib.sha256((NAMED_CONF + ZONE + GIT_SERVER + ONLY).encode())
        for file in sorted(file for file in files if file.is_file()):
            if file.suffix != ".pyc":
                mass.update(file.read_bytes())
        self._digest = mass.hexdigest()[:12]

    def name(self, what):
        return f"hookrunner-test-{what}:{self._digest}"

    def is_there(self, what):
        return bool(self._docker("images", "--quiet", self.name(what)))

    def build(self, what, *options):
        """Build an example where it is not there yet; give its name."""
        if not self.is_there(what):
            self.run_build(
                EXAMPLES / what, "-t", self.name(what), "--network", "host", *options
            )
        return self.name(what)

    def run_build(self, context, *words):
        run(sys.executable, "-m", "hookrunner", "build", context, *words, env=self.env)


@pytest.fixture(scope="session")
def images(docker, engine_url):
    found = Images(docker, engine_url)
    found.build("debian_base")
    return found


class GitServer:
    """A container with sshd and bare repositories, and a key for each of these."""

    examples = EXAMPLES

    def __init__(self, docker, start_container, image, directory):
        self.directory = directory
        self.docker = docker
        self.repositories = directory / "git" / "ops"
        self.repositories.mkdir(parents=True)
        (directory / "git" / "keys").touch()
        self.id = start_container(
            "gitd", image=image, command=(), volumes=[f"{directory}/git:/srv/git"]
        )
        public = docker("exec", self.id, "cat", "/etc/ssh/ssh_host_ed25519_key.pub")
        self.known_hosts = f"[127.0.0.1]:{PORT} {' '.join(public.split()[:2])}\n"

    def repository(self, name):
        """Make a bare repository and a clone to push from; give the clone."""
        bare, work = self.repositories / f"{name}.git", self.directory / name
        run("git", "init", "-q", "--bare", "-b", "main", bare)
        run("git", "clone", "-q", bare, work)
        run("git", "checkout", "-q", "-b", "main", at=work)
        return work

    def add_submodule(self, work, name):
        """Make a repository a part of another, as a clone next to it sees it."""
        local = ["-c", "protocol.file.allow=always"]
        bare = str(self.repositories / f"{name}.git")
        run("git", *local, "submodule", "--quiet", "add", bare, name, at=work)
        run("git", "submodule", "set-url", name, f"../{name}.git", at=work)

    def push(self, work):
        """Commit all that is in a clone, and push it; give the commit."""
        run("git", "add", "-A", at=work)
        run("git", "commit", "-q", "-m", "pushed", at=work)
        run("git", "push", "-q", "origin", "HEAD:main", "HEAD:master", at=work)
        return run("git", "rev-parse", "HEAD", at=work)

    def url(self, name):
        return f"ssh://git@127.0.0.1:{PORT}/ops/{name}.git"

    def secrets(self, **keys):
        """A directory of deploy keys to mount: file's name -> repository that it reads."""
        place = self.directory / f"secrets-{len(list(self.directory.iterdir()))}"
        place.mkdir()
        (place / "known_hosts").write_text(self.known_hosts)
        for file, name in keys.items():
            key = place / file.replace("__", ".")
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
            public = key.with_suffix(key.suffix + ".pub")
            line = f'restrict,command="/srv/only {name}" {public.read_text()}'
            with (self.directory / "git" / "keys").open("a") as file_of_keys:
                file_of_keys.write(line)
            public.unlink()
            key.chmod(0o644)  # as secrets are often mounted
        return place


@pytest.fixture(scope="session")
def git_server_image(docker, images, tmp_path_factory):
    if not images.is_there("gitd"):
        context = tmp_path_factory.mktemp("gitd")
        text = GIT_SERVER.format(base=images.name("debian_base"), port=PORT)
        (context / "Dockerfile").write_text(text)
        (context / "only").write_text(ONLY)
        (context / "only").chmod(0o755)
        docker("build", "--network", "host", "--tag", images.name("gitd"), str(context))
    return images.name("gitd")


@pytest.fixture(scope="module")
def git_server(docker, start_container, git_server_image, tmp_path_factory):
    directory = tmp_path_factory.mktemp("gitd")
    directory.chmod(0o755)
    server = GitServer(docker, start_container, git_server_image, directory)
    yield server
    docker("rm", "--force", server.id)


class Dns:
    """A name server of the examples, whose data is a checkout over ssh.

    Its record is an address whose last number is `good`'s; `broken` cannot be loaded.
    """

    def __init__(self, docker, git_server, images):
        name = type(self).__name__.lower()
        self.docker = docker
        self._git_server = git_server
        self.repository = f"docker_{name}"
        self.work = git_server.repository(self.repository)
        self.url = git_server.url(self.repository)
        self.secrets = git_server.secrets(deploy_key=self.repository)
        self.name = name
        self.serial = 0
        self.head = self.good(1)
        self.options = [
            *("--network", f"container:{git_server.id}"),
            *("--volume", f"{self.secrets}:/run/secrets:ro"),
            *("--env", f"CONTAINER_REPOSITORY={self.url}"),
        ]
        self.options += self.settings
        self.id = None
        self.image = images.build(
            name,
            *("--build-arg", f"BASE={images.name('debian_base')}"),
            *("--run-arg", " ".join(self.options)),
        )

    def start(self, start_container, image, **options):
        network, *others = self.options[1:]
        self.id = start_container(
            self.name, image=image, command=(), network=network, options=others, **options
        )
        self.container = self.docker("inspect", "--format", "{{.Name}}", self.id).lstrip("/")
        until(lambda: self.ask() is not None)
        return self

    def commit(self, **files):
        for name, text in files.items():
            path = self.work / name.replace("__", "/")
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        self.head = self._git_server.push(self.work)
        return self.head

    def update(self, *, code=0):
        done = subprocess.run(
            ["docker", "exec", self.id, "container", "--update"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def dig(self):
        return ["dig", "+short", "+time=2", "+tries=1", *self.question]

    def ask(self):
        """The last number of the record; None where there is no answer."""
        done = subprocess.run(
            ["docker", "exec", self.id, *self.dig()],
            capture_output=True,
            text=True,
            check=False,
        )
        found = re.fullmatch(r"127\.0\.0\.(\d+)\n", done.stdout)
        return int(found[1]) if found else None

    @contextlib.contextmanager
    def asked_all_the_time(self):
        """Ask in a loop; in the end the list has all answers, empty ones too."""
        self.docker("exec", self.id, "rm", "-f", "/srv/enough")
        script = f'until [ -e /srv/enough ]; do echo "=$({" ".join(self.dig())})"; done'
        answers = []
        process = subprocess.Popen(
            ["docker", "exec", self.id, "sh", "-c", script], stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout.readline()
            yield answers
        finally:
            self.docker("exec", self.id, "touch", "/srv/enough")
            answers += process.stdout.read().splitlines()
            process.wait()
            process.stdout.close()


class Bind(Dns):
    settings = ()
    question = ("@127.0.0.1", "www.example.test", "A")

    def good(self, number):
        self.serial += 1
        zone = ZONE.format(serial=self.serial, address=f"127.0.0.{number}")
        return self.commit(**{"named.conf": NAMED_CONF, "zones__example.test": zone})

    def broken(self):
        self.serial += 1
        return self.commit(
            **{"zones__example.test": ZONE.format(serial=self.serial, address="192.0.2.300")}
        )


class Rbldnsd(Dns):
    settings = ("--env", "RBLDNSD_PORT=5353")
    question = ("-p", "5353", "@127.0.0.1", "1.2.0.192.bl.example.test", "A")

    def good(self, number):
        self.serial += 1
        return self.commit(blocked=BLOCKED.format(number=number, more=f"192.0.2.{number}"))

    def broken(self):
        self.serial += 1
        return self.commit(blocked=BLOCKED.format(number=99, more="192.0.2.300"))


@pytest.fixture(scope="module", params=[Bind, Rbldnsd], ids=["bind", "rbldnsd"])
def dns(request, docker, git_server, images, start_container):
    """A name server as its example has it, built and started."""
    made = request.param(docker, git_server, images)
    yield made.start(start_container, made.image)
    docker("rm", "--force", made.id)


@pytest.fixture(scope="module")
def bind(docker, git_server, images):
    """The BIND of the examples, built and not started."""
    return Bind(docker, git_server, images)
