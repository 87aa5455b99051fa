"""How an image is built: the user's build, one more layer, a throw-away container, a name.

Whatever happens on the way, and ^C too, no container and no name is left behind but those
that were asked for.
"""

import os
import secrets
import signal
import socket
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import click

from hookrunner.adapters.builder import Builder, BuiltImage, git
from hookrunner.cli.terminal import note, short
from hookrunner.cli.trial import Trial
from hookrunner.core.commands import CONTAINER, METADATA
from hookrunner.core.metadata import decode_document, image_answer
from hookrunner.core.packages import Package
from hookrunner.core.standard import is_of_image
from hookrunner.errors import BuildError, ConfigError, HookrunnerError, UsageError
from hookrunner.kit import layer, packages, recipe
from hookrunner.kit.ci import ci_facts
from hookrunner.kit.documents import METHODS
from hookrunner.kit.facts import Git, describe, is_of_another, without_user


class Order(NamedTuple):
    """What is to be built.

    Attributes:
        names: The names that the image gets, at least one.
        from_image: An image that is there already; None builds the directory's Dockerfile.
        options: The builder's own.
        run_options: Those of the throw-away container.
    """

    directory: str
    names: tuple[str, ...]
    from_image: str | None
    options: tuple[str, ...]
    validate: bool
    run_options: tuple[str, ...]


class Building:
    """One build, from the order to the names.

    Args:
        builder: ``docker`` or ``podman``.
    """

    def __init__(self, order: Order, builder: str) -> None:
        self._order = order
        self._directory = Path(order.directory)
        self._recipe = self._read_recipe()
        self._builder = Builder(builder)
        self._mark = f"hookrunner-build-{secrets.token_hex(4)}"
        self._below = f"localhost/hookrunner-build:{secrets.token_hex(4)}"
        self._below_id = ""
        self._added: str | None = None

    def run(self) -> None:
        """Build.

        Raises:
            BuildError: The builder failed, or the image does not validate.
            UnavailableError: The builder does not answer.
        """
        begun = time.monotonic()
        try:
            with tempfile.TemporaryDirectory(prefix="hookrunner-build.") as work:
                below = self._below_image(Path(work))
                self._say(">> Adding metadata")
                document, found = self._describe(below)
                image = self._add(below, document, found, Path(work))
                if document["validate"]:
                    self._say(">> Validating")
                    Trial(self._builder, self._mark).run(image, self._order.run_options)
                else:
                    note("note: the image is not validated")
                for name in self._order.names:
                    self._builder.tag(image.image.id, name)
                self._added = None
        finally:
            self._clean()
        self._tell(document, found, image, time.monotonic() - begun)

    def _read_recipe(self) -> dict[str, Any]:
        if not self._directory.is_dir():
            raise UsageError(f"{self._directory} is no directory")
        file = self._directory / recipe.NAME
        try:
            text = file.read_text("utf-8")
        except FileNotFoundError:
            note(
                f"note: there is no {file}: the image is known by its name, and has no methods"
            )
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot be read: {error}", file=str(file)) from error
        read = recipe.loads(text, name=str(file))
        for remark in read.remarks:
            note(f"note: {remark}")
        return read.keys

    def _below_image(self, work: Path) -> BuiltImage:
        name = self._order.from_image
        if name is None:
            self._say(f">> Building {self._directory}")
            name = self._builder.build(self._order.options, self._directory, directory=work)
        elif self._builder.inspect(name) is None:
            self._say(f">> Pulling {name}")
            self._builder.pull(name)
        found = self._builder.inspect(name)
        if found is None:
            raise BuildError(f"there is no image {name} in the engine after the build")
        self._below_id = found.image.id
        return found

    def _describe(self, below: BuiltImage) -> tuple[dict[str, Any], list[Package] | None]:
        self._builder.create(below.image.id, self._mark)
        try:
            base = self._base(below)
            found = self._packages(below)
        finally:
            self._builder.remove_container(self._mark)
        facts = self._git()
        document = describe(
            self._recipe,
            names=self._order.names,
            git=facts,
            ci=ci_facts(os.environ),
            host=socket.gethostname(),
            at=datetime.now(UTC),
            below=below.image.layers,
            base=base,
            validated=self._is_validated(),
        )
        if document.get("gitref") is None and not is_of_another(self._recipe, facts.repository):
            note(f"note: {self._directory} is in no git repository, so there is no gitref")
        if facts.dirty:
            note(f"note: {self._directory} has changes that are in no commit (git_dirty)")
        return document, found

    def _is_validated(self) -> bool:
        wanted = self._order.validate and self._recipe.get("validate", True)
        return bool(wanted and self._recipe.get("validate_method"))

    def _git(self) -> Git:
        commit = git(self._directory, "rev-parse", "--verify", "--quiet", "HEAD")
        if commit is None:
            return Git()
        return Git(
            commit=commit,
            branch=git(self._directory, "symbolic-ref", "--short", "--quiet", "HEAD"),
            repository=without_user(git(self._directory, "remote", "get-url", "origin")),
            dirty=bool(git(self._directory, "status", "--porcelain", "--", ".")),
        )

    def _base(self, below: BuiltImage) -> dict[str, Any] | None:
        """The document of the image below: its label, else what its own program prints."""
        answer = image_answer(below.image.labels)
        if answer.problem:
            note(f"note: {answer.problem}")
        if answer.document is not None:
            return dict(answer.document)
        places = below.image.search_path
        if not any(self._builder.read(self._mark, f"{place}/{CONTAINER}") for place in places):
            return None
        said = self._builder.ask(below.image.id, METADATA, name=f"{self._mark}-ask")
        try:
            return decode_document(said) if said else None
        except HookrunnerError as error:
            note(f"note: the metadata that the image below prints is left out: {error}")
            return None

    def _packages(self, below: BuiltImage) -> list[Package] | None:
        """What is installed, from the first record that is there."""
        if text := self._text_at(packages.DPKG) or self._text_at(packages.DPKG_PARTS):
            return packages.parse_dpkg(text)
        for path in packages.APK:
            if text := self._text_at(path):
                return packages.parse_apk(text)
        if self._builder.read(self._mark, packages.RPM_PROGRAM):
            said = self._builder.ask(below.image.id, packages.RPM, name=f"{self._mark}-ask")
            return packages.parse_rpm(said) if said is not None else None
        return None

    def _text_at(self, path: str) -> str:
        """A file of the image, or all of a directory's one after the other."""
        found = self._builder.read(self._mark, path)
        return "\n\n".join(data.decode("utf-8", "replace") for data in found.values())

    def _add(
        self,
        below: BuiltImage,
        document: dict[str, Any],
        found: list[Package] | None,
        work: Path,
    ) -> BuiltImage:
        labels = layer.labels(document)
        if max(len(value.encode()) for value in labels.values()) > layer.LABEL_LIMIT:
            raise BuildError(
                f"the metadata is longer than the {layer.LABEL_LIMIT} bytes of a label"
            )
        files = layer.files(document, packages=found, search_path=below.image.search_path)
        made = self._builder.add_layer(
            below.image.id,
            layer.archive(files, at=document["build_time_stamp"]),
            labels=labels,
            command=None if below.has_command else (CONTAINER, "--start"),
            name=self._below,
            directory=work,
        )
        self._added = made
        image = self._builder.inspect(made)
        if image is None or not is_of_image(document, image.image.layers):
            raise BuildError("the builder did not add one layer to the image")
        if self._recipe.get("start_method") and CONTAINER not in image.command.split():
            note(
                f"note: the image starts `{image.command}`, not its start_method; write"
                ' CMD ["container", "--start"] in the Dockerfile'
            )
        return image

    def _clean(self) -> None:
        before = {one: signal.signal(one, signal.SIG_IGN) for one in (2, 15)}
        try:
            for name in (self._mark, f"{self._mark}-ask"):
                self._builder.remove_container(name)
            self._builder.remove_image(self._below)
            if self._added is not None:
                self._builder.remove_added(self._added, self._below_id)
        finally:
            for one, handler in before.items():
                signal.signal(one, handler)

    def _tell(
        self,
        document: dict[str, Any],
        found: list[Package] | None,
        image: BuiltImage,
        seconds: float,
    ) -> None:
        gitref = document.get("gitref")
        facts = [
            f"project {document['project']}",
            f"gitref {short(gitref)}" if gitref else "no gitref",
            f"{len(document.get('ancestors', []))} ancestors",
            f"{len(found)} packages" if found is not None else "no record of packages",
            ", ".join(key.removesuffix("_method") for key in METHODS if key in document)
            or "no methods",
        ]
        what = image.image.id.removeprefix("sha256:")
        click.echo(f"Built {', '.join(self._order.names)} ({short(what)}) in {seconds:.1f} s")
        click.echo("  " + "; ".join(facts))

    def _say(self, text: str) -> None:
        click.echo(text)  # which flushes: what the builder prints comes behind it
