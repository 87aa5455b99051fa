"""What can be seen of images and containers without running anything in them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from hookrunner.adapters.engine.answers import (
    InspectedContainer,
    InspectedImage,
    InspectedState,
    Top,
    read_archive,
)
from hookrunner.adapters.engine.transport import Transport
from hookrunner.core.engine_api import MAX_LINKS, PATH_STAT, PS, PathStat
from hookrunner.core.processes import Process
from hookrunner.errors import EngineError
from hookrunner.model import Image, Surroundings

_MAX_ARCHIVE = 64 * 2**10  # bytes; a tar is made of records of 10 KiB


class Looking:
    """The half of `Engine` that only looks.

    Attributes:
        name: The engine's name in the configuration.
        url: Its address, without a password.
    """

    def __init__(self, transport: Transport) -> None:
        self.name = transport.name
        self.url = transport.url
        self._transport = transport

    async def image(self, image_id: str) -> Image:
        """Inspect an image.

        Raises:
            EngineUnavailableError: The engine does not answer.
            EngineError: It refuses; status 404 where there is no such image.
        """
        path = f"/images/{quote(image_id, safe=':')}/json"
        return (await self._transport.json("GET", path, InspectedImage)).image()

    async def inspect_container(self, container_id: str) -> dict[str, Any]:
        """Give all that the engine says of a container, as it says it.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: There is no such container.
            EngineError: The engine refuses.
        """
        return await self._transport.json(
            "GET", f"{container_path(container_id)}/json", dict[str, Any]
        )

    async def surroundings(self, container_id: str) -> Surroundings:
        """Tell what a container was started with, as far as the engine says it.

        Raises:
            As `inspect_container`.
        """
        path = f"{container_path(container_id)}/json"
        return (await self._transport.json("GET", path, InspectedContainer)).surroundings()

    async def read_file(self, container_id: str, path: str) -> bytes:
        """Read a small file out of a container, also of one that does not run.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: There is no such container, or no such file.
            EngineError: The engine refuses, or it is no plain file of 4 KiB at most.
        """
        archive = b""
        async with self._transport.stream(
            "GET", f"{container_path(container_id)}/archive", params={"path": path}
        ) as pieces:
            async for piece in pieces:
                archive += piece
                if len(archive) > _MAX_ARCHIVE:
                    raise EngineError(f"{path} in {container_id[:12]} is too long")
        return read_archive(archive)

    async def started_at(self, container_id: str) -> str:
        """Tell when a container started last, in the engine's own words: only to be compared.

        Raises:
            As `inspect_container`.
        """
        path = f"{container_path(container_id)}/json"
        return (await self._transport.json("GET", path, InspectedState)).state.started_at

    async def processes(self, container_id: str) -> tuple[int, list[Process]]:
        """List what runs in a container, without running anything in it.

        Returns:
            The pid of its first process, and all of them; pids are the engine's host's.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: The container does not exist any more, or does not run.
            EngineError: The engine refuses, has no ``ps``, or lists in another form.
        """
        path = container_path(container_id)
        first = await self._transport.json("GET", f"{path}/json", InspectedState)
        top = await self._transport.json("GET", f"{path}/top", Top, params={"ps_args": PS})
        return first.state.pid, top.list()

    async def find_program(self, container_id: str, names: Sequence[str]) -> str | None:
        """Look for programs in a container without running anything in it.

        Args:
            container_id: The container.
            names: Absolute paths, the first choice first.

        Returns:
            The first that is a file that somebody may execute, also behind symbolic links.

        Raises:
            EngineUnavailableError: The engine does not answer.
            ContainerGoneError: The container does not exist any more.
            EngineError: None was found, and not all could be looked at: dockerd answers 500
                for links that lead to themselves, and for paths below a file.
        """
        failure: EngineError | None = None
        for name in names:
            try:
                if await self._is_program(container_id, name):
                    return name
            except EngineError as error:
                failure = error
        if failure:
            raise failure
        await self.inspect_container(container_id)  # a 404 may have meant the container
        return None

    async def changed_at(self, container_id: str, path: str) -> datetime | None:
        """Tell when a file in a container was last changed; None where it is not there.

        Raises:
            EngineUnavailableError: The engine does not answer.
            EngineError: It cannot look.
        """
        stat = await self._stat(container_id, path)
        return stat.changed_at if stat else None

    async def _is_program(self, container_id: str, name: str) -> bool:
        for _ in range(MAX_LINKS):
            stat = await self._stat(container_id, name)
            if stat is None:
                return False
            if not stat.is_link:
                return stat.is_program
            name = stat.leads_to(name)
        return False

    async def _stat(self, container_id: str, path: str) -> PathStat | None:
        header = await self._transport.header(
            f"{container_path(container_id)}/archive",
            PATH_STAT,
            params={"path": path},
        )
        return PathStat.from_header(header) if header is not None else None


def container_path(container_id: str) -> str:
    """Where the API has a container."""
    return f"/containers/{quote(container_id, safe='')}"
