"""Containers to update: of one tiny image, and one with a real name server."""

import contextlib
import hashlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.engine import RawEngine, docker
from hookrunner.config import Commands
from hookrunner.gate import table
from hookrunner.model import Action

MARK = f"hrbench{secrets.token_hex(3)}"
"""In front of all names, and the label by which all of it is removed."""
CONTAINER = """\
#!/bin/sh
case ${1-} in
--metadata) echo '{"project": "bench", "update_method": "true"}' ;;
--update) echo "${HOOKRUNNER_AFTER-}" >/served; eval "${BENCH_UPDATE:-true}" ;;
--gitref) read -r served </served; echo "$served" ;;
*) exit 64 ;;
esac
"""
"""What is updated by `$BENCH_UPDATE`, and serves whatever commit was pushed last."""
DOCKERFILE = """\
FROM debian:bookworm-slim
COPY container /usr/local/bin/container
RUN chmod 755 /usr/local/bin/container \\
 && echo 0000000000000000000000000000000000000001 >/served
CMD ["sleep", "infinity"]
"""
_ROOT = Path(__file__).parents[2]


def image() -> str:
    """The tiny image; it stays for later runs."""
    tag = (
        f"hookrunner-bench:{hashlib.sha256((DOCKERFILE + CONTAINER).encode()).hexdigest()[:12]}"
    )
    if not docker("images", "--quiet", tag):
        with tempfile.TemporaryDirectory() as place:
            Path(place, "Dockerfile").write_text(DOCKERFILE)
            Path(place, "container").write_text(CONTAINER)
            docker("build", "--network", "host", "--tag", tag, place)
    return tag


def start(name: str, *, project: str, update: str = "true") -> str:
    """Start a container whose update is a command of the shell; its id."""
    return docker(
        *("run", "--detach", "--network", "none", "--name", f"{MARK}-{name}"),
        *("--label", f"hookrunner.bench={MARK}", "--label", f"hookrunner.project={project}"),
        *("--label", f"hookrunner.repository=https://git.example.net/ops/{project}.git"),
        *("--env", f"BENCH_UPDATE={update}", image()),
    )


@contextlib.contextmanager
def started(*names: str, project: str, update: str = "true") -> Iterator[list[str]]:
    """Some containers, which are removed afterwards; their ids."""
    image()
    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(lambda name: start(name, project=project, update=update), names))
    try:
        yield ids
    finally:
        remove(ids)


def remove(ids: Sequence[str]) -> None:
    """Remove containers, whatever they do."""
    for at in range(0, len(ids), 50):
        docker("rm", "--force", "--volumes", *ids[at : at + 50])


def remove_all() -> None:
    """Remove what is left of this benchmark, where it was interrupted."""
    remove(
        docker("ps", "--all", "--quiet", "--filter", f"label=hookrunner.bench={MARK}").split()
    )


def execute_update(engine: RawEngine, container: str, *, project: str) -> int:
    """Execute by hand what hookrunner executes, wrapper and question for the gitref too."""
    after = secrets.token_hex(20)
    return engine.execute(
        container,
        table.action(Action.update, Commands(), wrapped=True).argv,
        {
            "HOOKRUNNER_RUN": "0" * 26,
            "HOOKRUNNER_STEP": "0" * 26,
            "HOOKRUNNER_TRIGGER": "push",
            "HOOKRUNNER_NONCE": secrets.token_hex(16),
            "HOOKRUNNER_REPOSITORY": f"ops/{project}",
            "HOOKRUNNER_REF": "refs/heads/main",
            "HOOKRUNNER_BEFORE": after[::-1],
            "HOOKRUNNER_AFTER": after,
            "HOOKRUNNER_PUSHER": "ada",
        },
    )


class NameServer:
    """A container with BIND whose zones are a git checkout, of the project's own example.

    Attributes:
        id: The container's.
    """

    def __init__(self, directory: Path) -> None:
        self._git_dir = directory / "git" / "ops" / "bind.git"
        self._clone = directory / "clone"
        self._serial = 1
        directory.chmod(0o755)
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(self._git_dir))
        shutil.copytree(_ROOT / "config/demo/docker_bind", self._clone)
        self._git("init", "--quiet", "--initial-branch=main", at=self._clone)
        self._git("remote", "add", "origin", str(self._git_dir), at=self._clone)
        self.push()
        volume = ("--volume", f"{directory}/git:/srv/git:ro,z")
        variable = ("--env", "CONTAINER_REPOSITORY=/srv/git/ops/bind.git")
        base, tag = "hookrunner-bench-base:kept", f"hookrunner-bench-bind:{MARK}"
        self._build(directory, "debian_base", base)
        given = f"--network none {' '.join((*volume, *variable))}"
        self._build(
            *(directory, "bind", tag, "--build-arg", f"BASE={base}", "--run-arg", given)
        )
        self.id = docker(
            *("run", "--detach", "--network", "none", "--name", f"{MARK}-bind"),
            *("--label", f"hookrunner.bench={MARK}", "--label", "hookrunner.project=bind"),
            *("--label", "hookrunner.repository=https://git.example.net/ops/bind.git"),
            *(*volume, *variable, tag),
        )
        self._tag = tag

    def push(self) -> str:
        """Change a record in the bare repository; the commit."""
        self._serial += 1
        zone = self._clone / "zones" / "example.test"
        lines = [
            f"{self._serial:<10} ; serial" if "; serial" in line else line
            for line in zone.read_text().splitlines()
        ]
        zone.write_text("\n".join(lines) + "\n")
        self._git("add", "--all", at=self._clone)
        self._git("commit", "--quiet", "--message", "A new serial", at=self._clone)
        self._git("push", "--quiet", "origin", "HEAD:main", at=self._clone)
        return self._git("rev-parse", "HEAD", at=self._clone)

    def close(self) -> None:
        """Remove it; its base stays for later runs."""
        remove([self.id])
        docker("rmi", self._tag)

    @staticmethod
    def _build(directory: Path, example: str, tag: str, *more: str) -> None:
        options = os.environ.get("BENCH_BUILD", "").split()
        with (directory / "build.log").open("ab") as log:
            subprocess.run(
                [
                    "hookrunner",
                    "build",
                    f"config/examples/{example}",
                    "-t",
                    tag,
                    *options,
                    *more,
                ],
                cwd=_ROOT,
                stdout=log,
                stderr=log,
                check=True,
            )

    @staticmethod
    def _git(*words: str, at: Path | None = None) -> str:
        settings = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_SYSTEM": "/dev/null"}
        people = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ada"), ("EMAIL", "ada@example.net"))
        }
        done = subprocess.run(
            ["git", *words],
            cwd=at,
            capture_output=True,
            text=True,
            check=True,
            env=os.environ | settings | people,
        )
        return done.stdout.strip()
