"""What images tell about their containers: asked once for each image, then remembered."""

import asyncio
import posixpath
from collections import defaultdict

import structlog
from msgspec.structs import replace

from hookrunner.adapters.engine import Engine
from hookrunner.adapters.store import Store
from hookrunner.core import commands, metadata
from hookrunner.core.deployment import runtime_facts
from hookrunner.core.packages import Package, parse_packages
from hookrunner.errors import NotFoundError
from hookrunner.gate import table
from hookrunner.model import Container, Image, Surroundings
from hookrunner.service.settings import Settings

log = structlog.get_logger()

_TIMEOUT = 10.0
"""Seconds that `container --metadata` may take; it prints a file."""
_PACKAGES_LIMIT = 2**20
"""Bytes of a list of packages; a desktop's 4000 take 150 KB."""
_REMEMBERED = 10_000
"""Images that are remembered at most."""


class Images:
    """What is known of one engine's images."""

    def __init__(self, engine: Engine, store: Store, settings: Settings) -> None:
        self._engine = engine
        self._store = store
        self._settings = settings
        self._images: dict[str, Image] = {}
        self._programs: dict[str, tuple[str, bool]] = {}
        self._shells: dict[str, bool] = {}
        self._packages: dict[str, list[Package]] = {}
        self._documents: dict[str, dict[str, object]] = {}
        self._refused: dict[str, tuple[str, metadata.Answer]] = {}
        self._seen: dict[str, Surroundings] = {}
        self._asking: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def load(self) -> None:
        """Take up what earlier processes were told."""
        kept = await self._store.image_metadata(self._engine.name)
        self._documents |= {image: document for image, document in kept.items() if document}

    async def describe(self, container: Container, *, may_ask: bool) -> Container:
        """Find a container's metadata and methods.

        Args:
            may_ask: `container --metadata` may be executed in it.

        Raises:
            HookrunnerError: The engine does not answer, or the container is gone.
        """
        async with self._asking[container.image_id]:  # its other containers wait for the answer
            described = await self._described(container, may_ask=may_ask)
        if described.metadata is None or not described.metadata.keys:
            return described
        around = await self._engine.surroundings(container.id)
        self._seen[container.id] = around
        runtime = runtime_facts(
            around.environment, created_at=container.created_at, node=container.engine
        )
        return replace(described, runtime=runtime)

    async def surroundings(self, container: Container, *, is_new_start: bool) -> Surroundings:
        """What a container was started with: once what was seen of it when it was found.

        Args:
            is_new_start: It started since, perhaps: it is looked at anew.

        Raises:
            HookrunnerError: The engine does not tell.
        """
        seen = self._seen.pop(container.id, None)
        if seen is None or is_new_start:
            return await self._engine.surroundings(container.id)
        return seen

    def forget(self, container_id: str | None = None) -> None:
        """Let go of what was seen of a container that is gone; of all, where none is named."""
        if container_id is None:
            self._seen.clear()
        else:
            self._seen.pop(container_id, None)

    async def _described(self, container: Container, *, may_ask: bool) -> Container:
        image = await self.image(container.image_id)
        is_told = metadata.names_methods(image)
        has_program = is_told or (may_ask and await self.has_program(container))
        asked = metadata.NOTHING
        if has_program and not is_told:
            asked = await self._ask(container)
        found = metadata.merge(
            container.labels, image=image, asked=asked, projects=self._settings.config.projects
        )
        project = self._settings.config.projects.get(found.text("project") or "")
        methods = metadata.methods(
            found,
            has_program=has_program,
            asked=is_told or asked.document is not None,
            project=project,
        )
        probes = metadata.probes(
            found, has_program=has_program, asked=is_told or asked.document is not None
        )
        wrapped = bool(methods or probes) and await self._has_shell(container)
        return replace(
            container, metadata=found, methods=methods, probes=probes, wrapped=wrapped
        )

    async def has_program(self, container: Container) -> bool:
        """Look whether `container` is on the PATH, without running anything.

        A no is remembered only until another container of the image is asked about.
        """
        seen = self._programs.get(container.image_id)
        if seen is not None and (seen[1] or seen[0] == container.id):
            return seen[1]
        image = await self.image(container.image_id)
        places = [posixpath.join(place, commands.CONTAINER) for place in image.search_path]
        found = await self._engine.find_program(container.id, places) is not None
        self._programs[container.image_id] = (container.id, found)
        return found

    async def packages(self, container: Container) -> list[Package]:
        """Ask which packages the image has; remembered, since its build recorded them.

        Raises:
            HookrunnerError: It cannot tell; the message says why.
        """
        if container.image_id not in self._packages:
            if not await self.has_program(container):
                raise NotFoundError("there is no `container` in it to ask")
            code, text = await self._engine.run(
                container.id, table.PACKAGES.argv, timeout=_TIMEOUT, limit=_PACKAGES_LIMIT + 1
            )
            if code != 0 or len(text) > _PACKAGES_LIMIT:
                how = {None: "does not end in time", 0: "prints more than 1 MiB"}
                told = how.get(code, f"exits {code}")
                raise NotFoundError(f"its `container --packages` {told}")
            self._packages[container.image_id] = parse_packages(text.decode("utf-8", "replace"))
        return self._packages[container.image_id]

    async def _has_shell(self, container: Container) -> bool:
        if container.image_id not in self._shells:
            found = await self._engine.find_program(container.id, commands.SHELLS)
            self._shells[container.image_id] = found is not None
        return self._shells[container.image_id]

    async def image(self, image_id: str) -> Image:
        """What the engine says of an image, which never changes.

        Raises:
            HookrunnerError: The engine does not answer, or there is no such image.
        """
        if image_id not in self._images:
            if len(self._images) >= _REMEMBERED:
                self._images.clear()
                self._asking.clear()
            self._images[image_id] = await self._engine.image(image_id)
        return self._images[image_id]

    async def _ask(self, container: Container) -> metadata.Answer:
        """Ask for the metadata: nothing where the container's own program knows none."""
        known = self._documents.get(container.image_id)
        if known is not None:
            return metadata.Answer(known)
        refused = self._refused.get(container.image_id)
        if refused is not None and refused[0] == container.id:
            return refused[1]
        code, text = await self._engine.run(
            container.id,
            table.METADATA.argv,
            environment={},
            timeout=_TIMEOUT,
            limit=metadata.DOCUMENT_LIMIT + 1,
        )
        answer = metadata.printed_answer(code, text)
        if answer.document is None:
            if answer.problem:
                log.warning(
                    "metadata not understood", container=container.name, error=answer.problem
                )
            self._refused[container.image_id] = (container.id, answer)
            return answer
        document = dict(answer.document)
        self._documents[container.image_id] = document
        await self._store.save_image_metadata(self._engine.name, container.image_id, document)
        return answer
