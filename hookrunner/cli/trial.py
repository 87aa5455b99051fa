"""The throw-away container in which a new image has to show that it validates."""

import time

import click

from hookrunner.adapters.builder import Builder, BuiltImage, Finished
from hookrunner.cli.terminal import is_terminal, safe
from hookrunner.core.commands import CONTAINER
from hookrunner.core.outcome import NO_METHOD
from hookrunner.errors import BuildError

VALIDATE_TIMEOUT = 30.0
"""Seconds in which a container without a HEALTHCHECK has to validate."""
HEALTH_TIMEOUT = 300.0
"""Seconds in which one with a HEALTHCHECK has to say how it is: its first check comes after
30 s unless the image says otherwise, and it has three tries. A guess beyond that."""
PAUSE = 0.5
"""Seconds between two looks at the container."""


class Trial:
    """One container on trial; who made the name removes it.

    Args:
        name: What the container is called.
    """

    def __init__(self, builder: Builder, name: str) -> None:
        self._builder = builder
        self._name = name

    def run(self, image: BuiltImage, options: tuple[str, ...]) -> None:
        """Start the container, wait until it is healthy or validates, and show what it says.

        Args:
            options: The user's own for the container.

        Raises:
            BuildError: It ended, is not healthy, or does not validate.
        """
        self._builder.start(image.image.id, options, name=self._name)
        if image.has_healthcheck:
            self._wait_for_health()
            done = self._builder.execute(self._name, (CONTAINER, "--validate"))
        else:
            done = self._wait_for_validity()
        click.echo(safe(done.output) if is_terminal() else done.output, nl=False)
        if done.exit_code:
            raise BuildError(
                f"the image does not validate: container --validate ended with"
                f" {done.exit_code}; it got no name"
            )

    def _wait_for_health(self) -> None:
        deadline = time.monotonic() + HEALTH_TIMEOUT
        while (state := self._health()) != "healthy":
            if state == "unhealthy" or time.monotonic() > deadline:
                raise BuildError(
                    f"the throw-away container is {state}; it printed:\n{self._printed()}"
                )
            time.sleep(PAUSE)

    def _wait_for_validity(self) -> Finished:
        deadline = time.monotonic() + VALIDATE_TIMEOUT
        while True:
            self._health()
            done = self._builder.execute(self._name, (CONTAINER, "--validate"))
            if done.exit_code in {0, NO_METHOD} or time.monotonic() > deadline:
                return done
            time.sleep(PAUSE)

    def _health(self) -> str:
        """What the container says of its health.

        Raises:
            BuildError: It does not run any more.
        """
        state = self._builder.state(self._name)
        if not state.running:
            said = self._printed()
            raise BuildError(
                f"the throw-away container ended with {state.exit_code}"
                + (f"; it printed:\n{said}" if said else " and printed nothing"),
                hint="--run-arg gives it what it needs; --no-validate gives the image its name"
                " without",
            )
        return state.health

    def _printed(self) -> str:
        return safe(self._builder.logs(self._name)).strip()
