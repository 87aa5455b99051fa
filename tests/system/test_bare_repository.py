"""The whole way without a forge: git push, hook, server, container, and back to who pushes."""

import asyncio
import os
import subprocess

import pytest
from http_backend import BACKEND, serving

pytestmark = pytest.mark.engine


@pytest.mark.skipif(not BACKEND.exists(), reason=f"git is not installed, or has no {BACKEND}")
async def test_who_pushes_over_http_sees_the_container_updated(make_site, make_server):
    site = make_site("bare")
    bound = f"{{{site.project}: {{repositories: [{site.repository}]}}}}"
    server = await make_server(projects=bound)
    await server.knows(site)
    done = server.cli("hook", "generic", "--url", f"{server.url}/hooks/generic")
    assert done.returncode == 0, done.stderr
    hook = site.directory / "git.git/hooks/post-receive"
    hook.write_bytes(done.stdout)
    hook.chmod(0o700)
    site.git("config", "http.receivepack", "true", at="git.git")
    site.git("config", "hookrunner.repository", site.repository, at="git.git")
    environment = {"PATH": os.environ["PATH"], "HOME": str(site.directory)}

    def push(url):
        (site.directory / "work/file").write_text("over http")
        site.git("commit", "-q", "-a", "-m", "over http", at="work")
        done = subprocess.run(
            ["git", "push", "-q", f"{url}/git.git", "main"],
            cwd=site.directory / "work",
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stderr

    with serving(site.directory, environment) as url:
        said = await asyncio.to_thread(push, url)

    assert "succeeded: 1 updated, 0 failed" in said
    assert site.git("rev-parse", "HEAD", at="data") == site.git("rev-parse", "HEAD", at="work")
