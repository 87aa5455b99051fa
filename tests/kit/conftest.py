"""The kit as an image has it, in a directory, under each shell that it has to run in."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from author import GIT

from hookrunner.kit import layer

SHELLS = {"dash": "dash", "bash --posix": "bash", "busybox sh": "busybox"}
"""A shell's name, and its program: called as ``sh``, bash is as it is with ``--posix``."""


class Kit:
    """A layer on disk: its programs on the PATH, with `shell` as ``sh``."""

    def __init__(self, root: Path, shell: str) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir(parents=True)
        self.lib = root / "lib"
        self.state = root / "state"
        self.state.mkdir()
        program = shutil.which(SHELLS[shell])
        if program is None:
            pytest.skip(f"no {SHELLS[shell]} on this machine")
        if shell == "busybox sh":
            # Nothing of the machine's own but git; and flock, which Debian's busybox lacks.
            subprocess.run([program, "--install", "-s", self.bin], check=True)
            for other in ("git", "flock"):
                (self.bin / other).symlink_to(shutil.which(other))
            self.path = str(self.bin)
        else:
            (self.bin / "sh").symlink_to(program)
            self.path = f"{self.bin}:{os.environ['PATH']}"
        self.env = {
            "PATH": self.path,
            "HOME": str(root),
            "GIT_CONFIG_SYSTEM": "/dev/null",
        }

    def write(self, document, *, packages=None):
        """Put the layer of an image of this metadata in its place."""
        for file in layer.files(document, packages=packages):
            place = file.path.replace(layer.HOME, "lib").replace("usr/local/bin", "bin")
            path = self.root / place
            path.parent.mkdir(parents=True, exist_ok=True)
            data = file.data.replace(b"/" + layer.HOME.encode(), bytes(self.lib))
            data = data.replace(b"/" + layer.STATE.encode(), bytes(self.state))
            path.write_bytes(data.replace(b"#!/bin/sh", b"#!" + bytes(self.bin / "sh"), 1))
            path.chmod(file.mode)
        return self

    def script(self, name, text, *, mode=0o755):
        """Write a script of the image's author; give its path."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def run(self, *words, env=None, program="container", check=None):
        """Run ``container``; both of its streams are in stdout."""
        done = subprocess.run(
            [self.bin / program, *words],
            env=self.env | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        if check is not None:
            assert done.returncode == check, done.stdout
        return done

    def start(self, *words, env=None, program="container"):
        """Start ``container`` without waiting for it."""
        return subprocess.Popen(
            [self.bin / program, *words],
            env=self.env | (env or {}),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )


@pytest.fixture(params=SHELLS)
def kit(request, tmp_path):
    return Kit(tmp_path / "image", request.param)


@pytest.fixture
def dash(tmp_path):
    """The kit under one shell, where the shell is not what is asked about."""
    return Kit(tmp_path / "image", "dash")


class Site:
    """A repository, and an image whose checkout is of it; its service is a file.

    The service loads ``zone``: a reload copies it, and refuses what begins with ``refuse``;
    a validation refuses what begins with ``broken``.
    """

    def __init__(self, kit, tmp_path):
        self.kit = kit
        self.origin = tmp_path / "origin.git"
        self.work = tmp_path / "work"
        self.live = kit.root / "srv" / "data"
        self.live.parent.mkdir()
        self.store = self.live.parent / ".data"
        self.service = kit.root / "service"
        self.git("init", "-q", "--bare", "-b", "main", self.origin, at=tmp_path)
        self.git("clone", "-q", self.origin, self.work, at=tmp_path)
        self.git("checkout", "-q", "-b", "main")
        self.first = self.push("first")
        self.reload = kit.script(
            "reload.sh",
            f"#!/bin/sh\ncd {self.live} || exit\n"
            f"case $(cat zone) in refuse*) echo refused; exit 1 ;; esac\n"
            f"cp zone {self.service} && echo reloaded\n",
        )
        self.validate = kit.script(
            "validate.sh",
            "#!/bin/sh\n"
            'case $(cat "$CONTAINER_CHECKOUT/zone") in broken*) echo wrong; exit 1 ;; esac\n'
            "echo fine\n",
        )
        self.describe()

    def describe(self, **more):
        document = {
            "project": "dns",
            "git_repo": str(self.origin),
            "git_branch": "main",
            "checkout": str(self.live),
            "validate_method": self.validate,
            "update_method": f"container-update --reload {self.reload}",
        }
        self.kit.write(document | more)

    def git(self, *words, at=None):
        done = subprocess.run(
            ["git", *words],
            cwd=at or self.work,
            env=os.environ | GIT,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def push(self, text, *options):
        (self.work / "zone").write_text(text + "\n")
        (self.work / "copy").write_text(text + "\n")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", text)
        self.git("push", "-q", *options, "origin", "HEAD:main")
        return self.git("rev-parse", "HEAD")

    def update(self, *, code=0, env=None):
        return self.kit.run("--update", env=env, check=code).stdout

    def zone(self):
        return (self.live / "zone").read_text().strip()

    def loaded(self):
        return self.service.read_text().strip()

    def gitref(self):
        return self.kit.run("--gitref", check=0).stdout.strip()

    def trees(self):
        return sorted(path.name for path in (self.store / "trees").iterdir())


@pytest.fixture
def site(kit, tmp_path):
    return Site(kit, tmp_path)


@pytest.fixture
def one(dash, tmp_path):
    """A site under one shell, where the shell is not what is asked about."""
    return Site(dash, tmp_path)
