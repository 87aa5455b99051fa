"""The user's own builder (docker or podman) and git, as programs. All output is live.

A builder is driven by its command line and not by an engine's API: its caches, secrets, ssh
mounts, credentials and contexts are the user's own, and stay so.
"""

import json
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from hookrunner.errors import BuildError, UnavailableError
from hookrunner.model import Image

ANSWER_TIMEOUT = 30.0
"""Seconds that a small question to the engine may take."""
_LATE = 5.0
"""Seconds after which a container does not come any more whose making was interrupted; a
guess: making one takes half a second, and longer where much else is going on."""


class Finished(NamedTuple):
    """How a program ended, and all that it printed."""

    exit_code: int
    output: str


class BuiltImage(NamedTuple):
    """What the engine says of an image.

    Attributes:
        parent: The id of the image that it was made from; empty where nobody remembers.
        has_command: It has a CMD or an ENTRYPOINT.
        command: These, in words.
        has_healthcheck: Its containers tell whether they are healthy.
    """

    image: Image
    names: tuple[str, ...]
    parent: str
    has_command: bool
    command: str
    has_healthcheck: bool


class ThrowAway(NamedTuple):
    """How a container stands: what it says of its health, if it does."""

    running: bool
    health: str
    exit_code: int


class Builder:
    """One of the builders.

    Args:
        program: ``docker`` or ``podman``.

    Raises:
        UnavailableError: There is no such program.
    """

    def __init__(self, program: str) -> None:
        found = shutil.which(program)
        if found is None:
            raise UnavailableError(
                f"there is no {program} on this machine",
                hint="install it, or name the other one: --builder podman, --builder docker",
            )
        self._program = found
        self._env = dict(os.environ)
        # Without its plugin BuildKit cannot be had, and the client complains at length.
        self._is_legacy = program == "docker" and not self._answers("buildx", "version")
        if self._is_legacy:
            self._env["DOCKER_BUILDKIT"] = "0"

    def build(self, options: Sequence[str], context: Path, *, directory: Path) -> str:
        """Build an image that gets no name; give its id.

        Args:
            options: The user's own.
            directory: Where the id is written to.

        Raises:
            BuildError: The build failed, or left no image in the engine.
        """
        place = directory / "image-id"
        place.unlink(missing_ok=True)
        tidy = ["--force-rm"] if self._is_legacy else []
        code = self._live("build", "--iidfile", str(place), *tidy, *options, str(context))
        if code:
            raise BuildError(f"the build of {context} ended with {code}")
        if not place.exists():
            raise BuildError(
                "the builder left no image in the engine", hint="with buildx, add --load"
            )
        return place.read_text("utf-8").strip()

    def add_layer(
        self,
        image: str,
        archive: bytes,
        *,
        labels: Mapping[str, str],
        command: Sequence[str] | None,
        name: str,
        directory: Path,
    ) -> str:
        """Build an image of another and one layer more; give its id.

        Args:
            archive: The layer, as tar.
            command: What the image is to start; None leaves it as it is.
            name: A name for the image below while this is done: builders take no ids.
            directory: An empty one.

        Raises:
            BuildError: It failed.
        """
        lines = [f"FROM {name}", "ADD layer.tar /"]
        if command is not None:
            lines.append(f"CMD {json.dumps(list(command))}")
        context = directory / "layer"
        context.mkdir()
        (context / "Dockerfile").write_text("\n".join(lines) + "\n", "utf-8")
        (context / "layer.tar").write_bytes(archive)
        self.tag(image, name)
        options = [word for label in labels.items() for word in ("--label", "=".join(label))]
        place = directory / "layer-id"
        done = self._run(
            *("build", "--iidfile", str(place), *options, str(context)),
            timeout=None,
        )
        if done.exit_code:
            raise BuildError(f"the layer cannot be added: {done.output.strip()}")
        return place.read_text("utf-8").strip()

    def inspect(self, name: str) -> BuiltImage | None:
        """What the engine says of an image; None where it has no such one.

        Raises:
            UnavailableError: The engine does not answer.
        """
        done = self._run("image", "inspect", name)
        if done.exit_code:
            if "o such image" in done.output or "not found" in done.output.lower():
                return None
            said = done.output.strip().removeprefix("[]").strip()
            raise UnavailableError(f"{Path(self._program).name} cannot be used: {said}")
        said = json.loads(done.output[done.output.index("[") :])[0]
        config: dict[str, Any] = said.get("Config") or {}
        path = dict(one.partition("=")[::2] for one in config.get("Env") or []).get("PATH", "")
        words = [*(config.get("Entrypoint") or []), *(config.get("Cmd") or [])]
        return BuiltImage(
            image=Image(
                id=said["Id"],
                labels=config.get("Labels") or {},
                search_path=tuple(one for one in path.split(":") if one.startswith("/")),
                layers=tuple((said.get("RootFS") or {}).get("Layers") or ()),
            ),
            names=tuple(said.get("RepoTags") or ()),
            parent=said.get("Parent") or "",
            has_command=bool(words),
            command=" ".join(words),
            has_healthcheck=_has_healthcheck(
                config.get("Healthcheck") or said.get("HealthCheck")
            ),
        )

    def pull(self, name: str) -> None:
        """Fetch an image.

        Raises:
            BuildError: It cannot be had.
        """
        if code := self._live("pull", name):
            raise BuildError(f"{name} cannot be pulled: {self._program} ended with {code}")

    def tag(self, image: str, name: str) -> None:
        """Give an image a name.

        Raises:
            BuildError: The name is none, or the image is gone.
        """
        done = self._run("tag", image, name)
        if done.exit_code:
            raise BuildError(f"{name} cannot be its name: {done.output.strip()}")

    def create(self, image: str, name: str) -> None:
        """Make a container that never runs, to read files from.

        Raises:
            BuildError: It cannot be made.
        """
        done = self._made(name, "create", "--network", "none", image, "container")
        if done.exit_code:
            raise BuildError(f"the image cannot be looked into: {done.output.strip()}")

    def read(self, container: str, path: str) -> dict[str, bytes]:
        """The regular files at a path of a container, by name; none where there is nothing."""
        done = subprocess.run(  # noqa: S603 - a constant program
            [self._program, "cp", "--follow-link", f"{container}:{path}", "-"],
            env=self._env,
            capture_output=True,
            timeout=ANSWER_TIMEOUT * 4,
            check=False,
        )
        if done.returncode or not done.stdout:
            return {}
        found = {}
        with tarfile.open(fileobj=BytesIO(done.stdout)) as tar:
            for entry in tar:
                file = tar.extractfile(entry) if entry.isfile() else None
                if file is not None:
                    found[entry.name] = file.read()
        return found

    def ask(self, image: str, command: Sequence[str], *, name: str) -> str | None:
        """Run a short command in a container of its own; give its stdout, None if it failed."""
        program, *arguments = command
        words = ("run", "--rm", "--name", name, "--network", "none", *HIDDEN)
        done = subprocess.run(  # noqa: S603 - a constant program
            [self._program, *words, "--entrypoint", program, image, *arguments],
            env=self._env,
            capture_output=True,
            timeout=ANSWER_TIMEOUT * 4,
            check=False,
        )
        return None if done.returncode else done.stdout.decode("utf-8", "replace")

    def start(self, image: str, options: Sequence[str], *, name: str) -> None:
        """Start a throw-away container that hookrunner does not take for one of its own.

        Raises:
            BuildError: It cannot be started.
        """
        done = self._made(name, "run", "--detach", *HIDDEN, *options, image)
        if done.exit_code:
            raise BuildError(
                f"the throw-away container cannot be started: {done.output.strip()}",
                hint="--run-arg gives it what it needs: ports, volumes, secrets",
            )

    def state(self, container: str) -> ThrowAway:
        """How a container stands.

        Raises:
            BuildError: It is gone.
        """
        done = self._run("container", "inspect", container)
        if done.exit_code:
            raise BuildError(f"the throw-away container is gone: {done.output.strip()}")
        state = json.loads(done.output[done.output.index("[") :])[0]["State"]
        health = state.get("Health") or state.get("Healthcheck") or {}
        return ThrowAway(
            running=bool(state.get("Running")),
            health=health.get("Status") or "",
            exit_code=int(state.get("ExitCode") or 0),
        )

    def execute(self, container: str, command: Sequence[str]) -> Finished:
        """Run a command in a container, and keep what it prints."""
        return self._run("exec", container, *command, timeout=None)

    def logs(self, container: str) -> str:
        """The end of what a container printed."""
        return self._run("logs", "--tail", "20", container).output

    def remove_container(self, name: str) -> None:
        """Remove a container, if it is there, with its volumes."""
        self._run("rm", "--force", "--volumes", name)

    def remove_image(self, name: str) -> None:
        """Take a name from an image, if there is one of that name."""
        self._run("rmi", "--no-prune", name)

    def remove_added(self, image: str, below: str) -> None:
        """Remove an image by its id, down to the one below; what has a name stays.

        A builder without BuildKit has an image for each step of the layer. That below is
        left as it leaves others: the next build goes on from there.
        """
        while image and image != below:
            found = self.inspect(image)
            if found is None or found.names:
                return
            self._run("rmi", "--no-prune", image)
            image = found.parent

    def _made(self, name: str, verb: str, *words: str) -> Finished:
        """Make a container. Whoever interrupts that finds it, and can remove it.

        The engine goes on with what it was asked for when the program that asked is ended.
        """
        try:
            return self._run(verb, "--name", name, *words)
        except BaseException:
            deadline = time.monotonic() + _LATE
            while not self._answers("container", "inspect", name):
                if time.monotonic() > deadline:
                    break
                time.sleep(0.1)
            raise

    def _live(self, *words: str) -> int:
        return subprocess.run([self._program, *words], env=self._env, check=False).returncode  # noqa: S603

    def _run(self, *words: str, timeout: float | None = ANSWER_TIMEOUT * 4) -> Finished:
        done = subprocess.run(  # noqa: S603 - a constant program
            [self._program, *words],
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
        return Finished(done.returncode, done.stdout.decode("utf-8", "replace"))

    def _answers(self, *words: str) -> bool:
        return self._run(*words).exit_code == 0


HIDDEN = ("--label", "hookrunner.enable=false")
"""What keeps a container out of every inventory."""


def git(directory: Path, *words: str) -> str | None:
    """What git prints for a directory; None where it fails, or is not there."""
    program = shutil.which("git")
    if program is None:
        return None
    done = subprocess.run(  # noqa: S603 - a constant program
        [program, "-C", str(directory), *words],
        capture_output=True,
        timeout=ANSWER_TIMEOUT,
        check=False,
    )
    return None if done.returncode else done.stdout.decode("utf-8", "replace").strip()


def _has_healthcheck(said: Mapping[str, Any] | None) -> bool:
    test = (said or {}).get("Test") or []
    return bool(test) and test[0] != "NONE"
