"""Files that are gone once they are closed."""

import asyncio

import pytest

from hookrunner.adapters.scratch import Scratch
from hookrunner.errors import StoreError


async def test_what_is_written_is_read_back_whole(tmp_path):
    file = Scratch(tmp_path).file()

    assert await file.read() == b""
    assert await file.append(b"one") is True
    assert await file.append(b"two") is True
    assert (file.size, await file.read()) == (6, b"onetwo")
    assert list(tmp_path.iterdir()) == [], "it has no name"
    file.close()


async def test_a_file_is_closed_behind_what_is_being_written_to_it(tmp_path):
    scratch = Scratch(tmp_path)
    file, other = scratch.file(), scratch.file()
    writing = asyncio.ensure_future(file.append(b"x" * 2**20))
    await asyncio.sleep(0)

    file.close()
    file.close()

    assert await writing is True
    await other.append(b"the thread came here")
    assert file._file.closed
    other.close()


async def test_a_disk_that_is_not_there_is_a_store_error(tmp_path):
    file = Scratch(tmp_path / "none").file()

    with pytest.raises(StoreError, match="cannot write a large request: No such file"):
        await file.append(b"x")
    file.close()
