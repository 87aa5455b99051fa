"""Metadata of real images: malformed, inherited, and what the container's start adds."""

import base64
import json

import pytest

pytestmark = pytest.mark.engine


class Images:
    """Images on top of the base image, and containers of them."""

    def __init__(self, docker, run_id, base, start):
        self.docker = docker
        self._run_id = run_id
        self._base = base
        self._start = start
        self.tags = []
        self._started = []

    def build(self, name, *lines, base=None, metadata=None):
        tag = f"{self._run_id}-{name}"
        lines = [f"FROM {base or self._base}", f"LABEL hookrunner.test={self._run_id}", *lines]
        if metadata is not None:
            lines.append(f"LABEL hookrunner.metadata={json.dumps(json.dumps(metadata))}")
        self.docker("build", "--tag", tag, "-", stdin="\n".join(lines).encode())
        self.tags.append(tag)
        return tag

    def start(self, name, **options):
        self._started.append(self._start(name, **options))
        return self._started[-1]

    def remove(self):
        if self._started:
            self.docker("rm", "--force", *self._started)
        for tag in reversed(self.tags):
            self.docker("rmi", "--force", tag)


@pytest.fixture
def images(docker, run_id, base_image, start_container):
    made = Images(docker, run_id, base_image, start_container)
    yield made
    made.remove()


async def test_malformed_metadata_harms_nobody_and_is_listed_with_the_reason(
    make_site, make_server, images, tmp_path, until
):
    good, server = make_site("good"), await make_server()
    wrong = images.build(
        "wrong", metadata={"project": 7, "git_repo": "a\nb", "update_method": "/u"}
    )
    printed = {
        "long": b'{"project": "x", "mine": "' + b"x" * 2**20 + b'"}',
        "text": b"Container first started at\n",
        "lines": json.dumps({"project": "two\nlines", "paths": 5, "ci": True}).encode(),
        "deep": b"[" * 10_000,
        "binary": bytes(range(256)),
    }
    started = [images.start("wrong", image=wrong)]
    for name, text in printed.items():
        (tmp_path / f"{name}.json").write_bytes(text)
        # An image's answer is remembered, so that each of these needs one of its own.
        volume = f"{tmp_path}/{name}.json:/etc/container/metadata.json:ro"
        image = images.build(name, f"RUN echo {name} > /name")
        started.append(images.start(name, image=image, volumes=[volume]))
    await server.knows(good)

    async def listed():
        _, found = await server.api("GET", "/containers")
        known = {one["id"]: one for one in found["items"] if one["id"] in started}
        return known if len(known) == len(started) else None

    found = await until(listed)
    reasons = {one["name"].rpartition("-")[2]: one["problems"] for one in found.values()}

    assert reasons["wrong"] == [
        f"{key} in the image label is left out: it has {reason}"
        for key, reason in (
            ("project", "a value of another kind: expected `str`, got `int`"),
            ("git_repo", "characters that cannot be printed"),
        )
    ]
    assert "it is longer than 256 KiB" in reasons["long"][0]
    assert "it is no JSON object" in reasons["text"][0]
    assert [reason.partition(" ")[0] for reason in reasons["lines"]] == ["project", "paths"]
    assert "it is no JSON object" in reasons["deep"][0]
    assert "it is no JSON object" in reasons["binary"][0]
    assert all(one["project"] is None for one in found.values())
    shown = server.cli("ps").stdout.decode()
    assert f"wrong  {reasons['wrong'][0]}\n" in shown
    _, answer = await server.deliver(good.push())
    assert (await server.finished(answer["run"]))["status"] == "succeeded"


async def test_an_image_on_top_by_other_means_does_not_pass_for_its_base(
    make_server, images, docker, until
):
    layers = json.loads(
        docker("inspect", "--format", "{{json .RootFS.Layers}}", images.build("bare"))
    )
    base = images.build(
        "base",
        metadata={
            "project": "base",
            "update_method": "/u",
            "layers": {"count": len(layers), "below": layers[-2]},
        },
    )
    on_top = images.build(
        "ontop", "RUN touch /more", "RUN ln -sf /bin/false /usr/local/bin/container", base=base
    )
    first = images.start("base", image=base)
    second = images.start(
        "ontop",
        image=on_top,
        env={"CONTAINER_DEPLOYED_BY": "anna", "CONTAINER_DEPLOYED_AT": "yesterday"},
    )
    server = await make_server()

    async def listed():
        _, found = await server.api("GET", "/containers?metadata=true")
        known = {one["id"]: one for one in found["items"]}
        return known if {first, second} <= set(known) else None

    found = await until(listed)

    assert (found[first]["project"], found[first]["methods"]) == ("base", ["update"])
    assert found[first]["origins"]["project"] == "image label"
    assert found[first]["origins"]["deployed_at"] == "engine"
    assert found[first]["runtime"] == {
        "deployed_at": found[first]["created_at"],
        "deployed_node": "local",
    }
    assert found[second]["project"] is None
    assert [one["project"] for one in found[second]["metadata"]["ancestors"]] == ["base"]
    assert "built on top of it by other means" in found[second]["problems"][0]
    assert found[second]["runtime"] == {
        "deployed_at": "yesterday",
        "deployed_by": "anna",
        "deployed_node": "local",
    }
    assert found[second]["origins"]["deployed_by"] == "environment"


@pytest.mark.through_gate
async def test_a_built_image_is_examined_alike_from_inside_and_outside(
    make_server, images, run_id, docker, tmp_path
):
    folder, base, top = tmp_path / "image", f"{run_id}-built", f"{run_id}-onbuilt"
    folder.mkdir()
    (folder / "Dockerfile").write_text(
        f"FROM debian:bookworm-slim\nLABEL hookrunner.test={run_id}\n"
        'CMD ["container", "--start"]\n'
    )
    (folder / "container.yaml").write_text(
        "project: built\nowner: dns\nstart_method: sleep 600\nupdate_method: 'true'\n"
    )
    server = await make_server()
    server.stop()
    built = server.cli("build", str(folder), "-t", base, "--no-validate")
    images.tags.append(base)
    images.build("onbuilt", "RUN touch /more", base=base)
    for name, image in (("built", base), ("onbuilt", top)):
        images.start(name, image=image, env={"CONTAINER_DEPLOYED_BY": "anna"}, command=())

    inside = docker("exec", base, "container", "--examine")
    outside = server.cli("examine", base).stdout.decode()
    plain = json.loads(server.cli("examine", top, "--json").stdout)
    packages = json.loads(server.cli("audit", "--package", "libc6", "--json").stdout)

    assert built.returncode == 0, built.stderr
    without_facts, _, facts = inside.partition("\nRuntime facts\n")
    assert outside.startswith(without_facts)
    assert {line.strip() for line in facts.splitlines() if line} <= {
        line.strip() for line in outside.splitlines()
    }
    assert plain["project"] is None
    assert [one["project"] for one in plain["metadata"]["ancestors"]] == ["built"]
    assert base in {one["container"] for one in packages["items"]}


CONTAINER = r"""#!/bin/sh
case $1 in
--metadata) echo '{"project": "packed", "standard": 1, "ancestors": [{"project": "base"}]}' ;;
--packages) printf '# dpkg\nopenssl\t3.0.14-1~deb12u2\nzlib1g\t1:1.2.13\n' ;;
*) exit 64 ;;
esac
"""


async def test_examine_and_audit_ask_the_engine_also_where_no_server_runs(
    make_server, images, run_id
):
    script = base64.b64encode(CONTAINER.encode()).decode()
    image = images.build(
        "packed",
        f"RUN echo {script} | base64 -d > /usr/local/bin/container"
        " && mkdir -p /var/lib/container && touch -d @1700000000 /var/lib/container/started",
    )
    images.start("packed", image=image)
    server = await make_server()
    server.stop()

    shown = server.cli("examine", f"{run_id}-packed").stdout.decode()
    below = server.cli("audit", "--package", "openssl", "--below", "3.0.15").stdout.decode()
    none = server.cli("audit", "--package", "zlib*", "--below", "9").stdout.decode()
    asked = server.cli("audit", "--where", "ancestors[-1].project == 'base'").stdout.decode()

    assert shown.startswith(
        "Container first started at 2023-11-14 22:13:20 +0000 (1700000000)\n"
    )
    assert "\nMetadata for image base\n" in shown
    assert "\n    container --metadata: project, standard, ancestors\n" in shown
    found = [line.split() for line in below.splitlines() if f"{run_id}-packed" in line]
    assert found == [["packed", f"{run_id}-packed", image, "openssl", "3.0.14-1~deb12u2"]]
    assert f"{run_id}-packed" not in none
    assert f"{run_id}-packed" in asked
    missing = server.cli("examine", "nothing")
    assert (missing.returncode, b"there is no container nothing" in missing.stderr) == (3, True)
    assert b"Traceback" not in missing.stderr
