"""A gate as a process, for tests that put one between."""

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import yaml

STARTING = 30.0
"""Seconds that a gate may take to open."""


class GateProcess:
    """``hookrunner gate`` as a process.

    Args:
        directory: Where its file, log and socket are, made if it is not there.
        engine: The address of the engine behind it.
        settings: What its file says.
    """

    def __init__(self, directory: Path, engine: str, **settings):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.engine = engine
        self.socket = directory / "gate.sock"
        self.url = f"unix://{self.socket}"
        self.process = None
        self.config = directory / "gate.yaml"
        self.say(**settings)

    def say(self, **settings):
        settings = {
            "memory": str(self.directory / "execs"),
            "log": {"format": "json"},
        } | settings
        self.config.write_text(yaml.safe_dump(settings))

    def start(self, *, env=None):
        with (self.directory / "gate.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "hookrunner", "gate"),
                    *("--engine", self.engine, "--listen", self.url),
                    *("--config", str(self.config)),
                ],
                stdout=log,
                stderr=log,
                env=os.environ | (env or {}),
            )
        seen = self.log().count("gate is open")
        deadline = time.monotonic() + STARTING
        while self.log().count("gate is open") == seen:
            assert self.process.poll() is None, self.log()
            assert time.monotonic() < deadline, self.log()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.02)
        return self

    def log(self):
        return (self.directory / "gate.log").read_text()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(STARTING) == 0, self.log()

    def kill(self):
        self.process.kill()
        self.process.wait(STARTING)

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.kill()


def gate_commands(projects):
    """What a gate's file must say so that a server's `projects` can do what they say."""
    kept = ("update", "validate", "gitref", "user")
    return {
        name: {key: value for key, value in (project or {}).items() if key in kept}
        for name, project in projects.items()
    }
