"""What the engine's streams do when somebody cuts them in the middle."""

import asyncio
import random
from contextlib import asynccontextmanager

import pytest

pytestmark = pytest.mark.engine


class Proxy:
    """A unix socket in front of the engine's, whose connections can be cut.

    Attributes:
        silent_about: A container's id: the engine never answers what asks for it.
        starts_to_cut: How many requests to start an exec are cut: ``before`` or ``after`` the
            engine has them.
    """

    def __init__(self, engine_url, path):
        self.path = path
        self.silent_about = None
        self.starts_to_cut = {"before": 0, "after": 0}
        self._engine = engine_url.removeprefix("unix://")
        self._writers = set()

    @asynccontextmanager
    async def running(self):
        server = await asyncio.start_unix_server(self._serve, self.path)
        try:
            yield self
        finally:
            server.close()
            self.cut()

    def cut(self):
        for writer in self._writers:
            writer.transport.abort()

    def _drops(self, data):
        return f"/containers/{self.silent_about}/".encode() in data

    def _cuts(self, when, data):
        is_cut = self.starts_to_cut[when] > 0 and b"/start HTTP/1.1" in data
        self.starts_to_cut[when] -= is_cut
        return is_cut

    async def _serve(self, reader, writer):
        to_reader, to_writer = await asyncio.open_unix_connection(self._engine)
        self._writers |= {writer, to_writer}
        try:
            await asyncio.gather(
                _copy(reader, to_writer, cut=self._cuts, drop=self._drops),
                _copy(to_reader, writer),
            )
        except asyncio.CancelledError:
            return
        finally:
            for one in (writer, to_writer):
                self._writers.discard(one)
                one.transport.abort()


async def _copy(reader, writer, cut=lambda when, data: False, drop=lambda data: False):  # noqa: ARG005
    try:
        while data := await reader.read(65536):
            if drop(data):
                continue
            if cut("before", data):
                raise ConnectionError
            writer.write(data)
            await writer.drain()
            if cut("after", data):
                raise ConnectionError
        if writer.can_write_eof():
            writer.write_eof()
    except OSError:
        writer.transport.abort()


@pytest.mark.parametrize("code", [0, 7, 65])
async def test_a_stream_that_is_cut_in_the_middle_ends_with_the_true_code(  # noqa: PLR0917
    make_site, make_server, tmp_path, engine_url, until, code
):
    site = make_site("cut")
    site.script(
        "echo '>> One'; while [ ! -e /srv/go ]; do echo more; sleep 0.05; done;"
        f" git -C /srv/data pull -q; echo '>> Two'; exit {code}"
    )
    async with Proxy(engine_url, tmp_path / "proxy.sock").running() as proxy:
        server = await make_server(engine=f"unix://{proxy.path}")
        await server.knows(site)
        _, answer = await server.deliver(site.push())

        async def prints():
            _, run = await server.api("GET", f"/runs/{answer['run']}")
            return run["steps"] and run["steps"][0]["output_bytes"]

        await until(prints)
        proxy.cut()
        (site.directory / "go").touch()
        run = await server.finished(answer["run"])
        server.close()

    [step] = run["steps"]
    assert (step["exit_code"], step["truncated"]) == (code, True)
    if code == 0:
        assert (step["outcome"], step["gitref"]) == ("updated", site.head)
    assert step["phases"][0]["title"] == "One"


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_start_that_is_cut_off_runs_once_and_ends_with_the_true_code(  # noqa: PLR0917
    make_site, make_server, tmp_path, engine_url, execs_of, until, when
):
    site = make_site(f"cut-{when}")
    site.script('echo "$HOOKRUNNER_STEP" >>/srv/began; sleep 0.3; exit 65')
    async with Proxy(engine_url, tmp_path / "proxy.sock").running() as proxy:
        server = await make_server(engine=f"unix://{proxy.path}")
        await server.knows(site)
        proxy.starts_to_cut[when] = 1
        _, answer = await server.deliver(site.push())
        run = await server.finished(answer["run"])

        async def no_exec_is_left():
            return not execs_of(site)

        await until(no_exec_is_left)
        server.close()

    assert proxy.starts_to_cut[when] == 0
    [step] = run["steps"]
    assert (step["status"], step["exit_code"]) == ("failed", 65)
    assert (site.directory / "began").read_text().split() == [step["id"]]


@pytest.mark.parametrize(
    ("sites", "rounds"),
    [(3, 2), pytest.param(5, 20, marks=pytest.mark.soak)],
    ids=["6 cuts", "100 cuts"],
)
async def test_cut_whenever_it_may_be_every_result_is_the_true_one(  # noqa: PLR0917
    make_site, make_server, tmp_path, engine_url, run_id, measured, sites, rounds
):
    made = [make_site(f"cut{n}", project=f"{run_id}-cut{n}") for n in range(sites)]
    chance = random.Random(7)  # noqa: S311 - repeatable
    found, expected = [], []
    async with Proxy(engine_url, tmp_path / "proxy.sock").running() as proxy:
        server = await make_server(engine=f"unix://{proxy.path}")
        for _ in range(rounds):
            await server.knows(*made)
            codes = [chance.choice([0, 1, 7, 65, 126, 127, 137, 255]) for _ in made]
            for site, code in zip(made, codes, strict=True):
                site.script(
                    "git -C /srv/data pull -q; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do"
                    f" head -c 3000 /dev/zero | tr '\\0' x; sleep 0.05; done; exit {code}"
                )
            bodies = [site.push() for site in made]
            answers = await asyncio.gather(*(server.deliver(body) for body in bodies))
            await asyncio.sleep(chance.uniform(0.1, 1.0))  # when is the point of it
            proxy.cut()
            for (_, answer), code in zip(answers, codes, strict=True):
                run = await server.finished(answer["run"], seconds=120)
                steps = run["steps"]
                found.append([(step["status"], step["exit_code"]) for step in steps])
                expected.append(code)
                if not steps[-1]["truncated"]:
                    assert steps[-1]["output_bytes"] == 15 * 3000
        server.close()

    assert [[code for _, code in steps] for steps in found] == [[code] for code in expected]
    measured(f"{len(found)} streams cut: {len(found)} first steps ended with their true code")


@pytest.mark.soak
async def test_a_container_that_cannot_be_asked_holds_pushes_up_once_and_for_30_s(  # noqa: PLR0917
    make_site, make_server, tmp_path, engine_url, until, pause, run_id
):
    mute = make_site("mute", project=f"{run_id}-mute")
    site = make_site("beside", project=f"{run_id}-beside")
    async with Proxy(engine_url, tmp_path / "proxy.sock").running() as proxy:
        proxy.silent_about = mute.id
        server = await make_server(engine=f"unix://{proxy.path}")
        _, first = await server.deliver(site.push())
        run = await server.finished(first["run"], seconds=45)
        assert run["status"] == "succeeded", run["steps"]

        async def is_asked_again():
            return server.log().count("cannot examine") > 1

        for _ in range(7):  # past the next listing, after 60 s
            await pause(10)
            _, answer = await server.deliver(site.push())
            run = await server.finished(answer["run"], seconds=10)
            assert run["status"] == "succeeded", run["steps"]
        await until(is_asked_again)
        server.close()
