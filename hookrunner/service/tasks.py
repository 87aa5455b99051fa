"""The tasks that run for ever."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from hookrunner.errors import HookrunnerError


@asynccontextmanager
async def tasks() -> AsyncIterator[asyncio.TaskGroup]:
    """Hold the tasks that run for ever: one that fails ends the program, and the end them.

    What the body raises is raised as it is, not as a part of a group.
    """
    failure: HookrunnerError | None = None
    try:
        async with asyncio.TaskGroup() as group:
            try:
                yield group
            except HookrunnerError as error:
                failure = error
            group.create_task(_end(), name="end")
    except* _Done:
        pass
    if failure is not None:
        raise failure


async def _end() -> None:
    """End all other tasks of the group."""
    raise _Done


class _Done(Exception):  # noqa: N818 - not an error
    """The body of the program is over."""
