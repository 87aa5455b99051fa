"""Whom the hook shows its secret: nobody."""

import hashlib
import hmac
import shutil
from pathlib import Path

import pytest
from aiohttp import web

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not shutil.which("git"), reason="git is not installed"),
]


def test_the_secret_is_in_no_argument_list_and_no_environment(secret, done, live, repository):
    found, looked = [], []

    def look():
        for process in Path("/proc").glob("[0-9]*"):
            for name in ("cmdline", "environ"):
                try:
                    data = (process / name).read_bytes()
                except OSError:
                    continue
                looked.append(b"hooks/post-receive" in data)
                if secret in data:
                    found.append((process, name))

    async def handler(_request):
        look()
        return web.Response(body=done, content_type="text/plain")

    live.answers["POST", "/hooks/bare"] = handler
    repository.commit(a="1")

    repository.push("main")

    assert any(looked)
    assert found == []


def test_a_secret_file_is_read_at_every_push(secret, live, install, repository, tmp_path):
    file = tmp_path / "other-secret"
    install("--secret-file", str(file), port=live.port)
    assert secret.decode() not in (repository.bare / "hooks/post-receive").read_text()
    repository.commit(a="1")
    assert f"cannot read {file}" in repository.push("main")
    file.write_bytes(b"another secret, 16+\r\n")
    repository.commit(a="2")

    repository.push("main")

    assert len(live.seen) == 2
    for seen in live.seen:
        digest = hmac.new(b"another secret, 16+", seen.body, hashlib.sha256).hexdigest()
        assert seen.headers["X-Hub-Signature-256"] == f"sha256={digest}"
