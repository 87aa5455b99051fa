"""The gate as a process: its socket, what systemd passes it, what it does when it cannot."""

import asyncio
import grp
import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
from gates import GateProcess
from relays import Relay

from hookrunner.errors import ConfigError
from hookrunner.gate import memory
from hookrunner.gate.memory import ExecMemory

IDS = [f"{number:064x}" for number in range(40)]
pytestmark = pytest.mark.process


def ping(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.settimeout(30)
        one.connect(str(path))
        one.sendall(b"GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n")
        return one.recv(1000)


def gate_command(*words):
    return [sys.executable, "-m", "hookrunner", "gate", *words]


def run(*words, **options):
    return subprocess.run(
        gate_command(*words),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **options,
    )


def test_the_socket_is_for_its_group_alone_and_gone_afterwards(make_gate, recorder):
    group = next(one for one in grp.getgrall() if one.gr_gid in {*os.getgroups(), os.getegid()})

    gate = make_gate(recorder.url, group=group.gr_name)

    found = gate.socket.stat()
    assert stat.S_IMODE(found.st_mode) == 0o660
    assert found.st_gid == group.gr_gid
    assert ping(gate.socket).startswith(b"HTTP/1.1 200 ")
    gate.stop()
    assert not gate.socket.exists()


def test_the_socket_of_a_killed_gate_is_taken_and_that_of_a_running_one_is_not(
    make_gate, recorder
):
    gate = make_gate(recorder.url)
    gate.kill()
    assert gate.socket.is_socket()
    gate.start()

    done = run("--engine", recorder.url, "--listen", gate.url)

    assert done.returncode == 69
    assert "another process does" in done.stderr
    assert ping(gate.socket).startswith(b"HTTP/1.1 200 ")


def test_what_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / "x.sock").write_text("mine")

    done = run("--listen", f"unix://{tmp_path}/x.sock")

    assert done.returncode == 69
    assert (tmp_path / "x.sock").read_text() == "mine"


@pytest.mark.parametrize(
    ("words", "status", "text"),
    [
        (["--engine", "ssh://x"], 2, "must begin with unix:// or tcp://"),
        (["--listen", "127.0.0.1:1"], 2, "must be a socket of this machine"),
        (["--config", "/nowhere.yaml"], 78, "/nowhere.yaml: there is no such file"),
        (["--listen", "unix:///nowhere/x.sock"], 69, "cannot listen on /nowhere/x.sock"),
    ],
)
def test_it_says_why_it_does_not_start(words, status, text):
    done = run(*words)

    assert done.returncode == status
    assert text in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_in_its_file_is_told_with_the_place(tmp_path):
    (tmp_path / "gate.yaml").write_text("actions: [update]\ncontainer: [x]\n")

    done = run("--config", str(tmp_path / "gate.yaml"))

    assert done.returncode == 78
    assert "gate.yaml:2:1: unknown key `container` (did you mean `containers`?)" in done.stderr


def test_systemd_passes_the_socket_and_hears_when_it_is_open(tmp_path, recorder):
    path, told = tmp_path / "passed.sock", tmp_path / "notify.sock"
    with (
        socket.socket(socket.AF_UNIX) as passed,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener,
    ):
        passed.bind(str(path))
        passed.listen()
        listener.bind(str(told))
        listener.settimeout(60)
        command = 'exec 3<&"$1" && shift && LISTEN_PID=$$ LISTEN_FDS=1 exec "$@"'
        options = ["--engine", recorder.url, "--listen", f"unix://{tmp_path}/no.sock"]
        words = ["bash", str(passed.fileno()), *gate_command(*options)]
        process = subprocess.Popen(
            ["bash", "-c", command, *words],
            pass_fds=[passed.fileno()],
            env=os.environ | {"NOTIFY_SOCKET": str(told)},
            stderr=subprocess.DEVNULL,
        )
        try:
            assert b"READY=1" in listener.recv(1000)
            assert ping(path).startswith(b"HTTP/1.1 200 ")
            assert not (tmp_path / "no.sock").exists()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert path.is_socket()  # systemd's, for the next one
        finally:
            process.kill()
            process.wait()


async def test_a_caller_who_hangs_up_is_not_waited_for(make_gate, tmp_path):
    """Streams end on the other side too, so that nothing is read that nobody takes."""
    gone = asyncio.Event()

    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
        await reader.read()
        gone.set()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "engine.sock")
    gate = make_gate(f"unix://{tmp_path}/engine.sock")
    reader, writer = await asyncio.open_unix_connection(gate.socket)
    writer.write(b"GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    writer.close()

    await asyncio.wait_for(gone.wait(), 30)
    server.close()


async def test_a_stream_that_is_cut_does_not_look_as_if_it_had_ended(make_gate, tmp_path):
    async def serve(reader, writer):
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(serve, tmp_path / "engine.sock")
    gate = make_gate(f"unix://{tmp_path}/engine.sock")
    reader, writer = await asyncio.open_unix_connection(gate.socket)

    writer.write(b"GET /v1.41/events HTTP/1.1\r\nHost: x\r\n\r\n")
    said = b""
    try:
        said = await asyncio.wait_for(reader.read(), 30)
    except ConnectionError:
        said = b"reset"

    assert not said.endswith(b"0\r\n\r\n")
    writer.close()
    server.close()


def test_execs_are_kept_over_a_restart_and_forgotten_in_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "MOST", 10)
    path = tmp_path / "execs"
    first = ExecMemory(path)
    first.load()
    for one in IDS:
        first.add(one)

    again = ExecMemory(path)
    again.load()

    assert [one in again for one in IDS] == [False] * 30 + [True] * 10
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_size <= 65 * 2 * 10


@pytest.mark.parametrize("text", ["", "x\n", IDS[1], f"\0{IDS[1]}\n", f"{IDS[1]}\nx"])
def test_a_torn_file_of_execs_is_read_as_far_as_it_goes(tmp_path, text):
    (tmp_path / "execs").write_text(text)
    found = ExecMemory(tmp_path / "execs")

    found.load()
    found.add(IDS[3])

    again = ExecMemory(tmp_path / "execs")
    again.load()
    assert IDS[3] in again
    assert (IDS[1] in again) == (text.startswith(IDS[1]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_execs_that_is_anothers_is_not_believed(tmp_path):
    (tmp_path / "execs").write_text(IDS[0] + "\n")
    os.chown(tmp_path / "execs", 65534, 65534)

    with pytest.raises(ConfigError, match="belongs to another user"):
        ExecMemory(tmp_path / "execs").load()


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    (tmp_path / "secret").write_text("kept")
    (tmp_path / "execs").symlink_to(tmp_path / "secret")
    gate = GateProcess(tmp_path / "gate", "unix:///nowhere", memory=str(tmp_path / "execs"))

    with pytest.raises(AssertionError, match="cannot keep execs in"):
        gate.start()

    assert (tmp_path / "secret").read_text() == "kept"


@pytest.fixture
def certificates(docker_certificates, monkeypatch):
    """What docker's variables name."""
    place = docker_certificates("ours")
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(place))
    return place


def test_an_engine_at_a_port_is_reached(make_gate, recorder):
    with Relay(recorder.path) as relay:
        assert ping(make_gate(relay.url).socket).startswith(b"HTTP/1.1 200 ")


def test_an_engine_at_a_port_is_reached_by_tls_where_dockers_variables_say_so(
    make_gate, recorder, certificates
):
    with Relay(recorder.path, certificates) as relay:
        assert ping(make_gate(relay.url).socket).startswith(b"HTTP/1.1 200 ")


@pytest.mark.usefixtures("certificates")
def test_who_shows_another_certificate_is_not_taken_for_the_engine(
    make_gate, recorder, docker_certificates
):
    with Relay(recorder.path, docker_certificates("another")) as relay:
        answer = ping(make_gate(relay.url).socket)

    assert answer.startswith(b"HTTP/1.1 503 "), answer
    assert b"certificate verify failed" in answer
    assert recorder.asked == []


def test_certificates_that_are_not_there_are_a_mistake_that_names_their_place(tmp_path):
    environment = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(tmp_path)}

    done = run(
        *("--engine", "tcp://127.0.0.1:2376", "--listen", f"unix://{tmp_path}/gate.sock"),
        env=os.environ | environment,
    )

    assert done.returncode == 78
    assert f"cannot use the certificates in {tmp_path}: No such file" in done.stderr
