"""Steps and containers as the tests of the core want them."""

from datetime import UTC, datetime

from hookrunner.model import Action, Container, Metadata, Step, Trigger

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def make_step(run, number, container, **more):
    """A queued update of a push, by run, number and container."""
    return Step(
        **{
            "id": f"{run}-{number}",
            "run": run,
            "number": number,
            "engine": "local",
            "container": container,
            "container_id": container,
            "project": "bind",
            "image": "ops/bind",
            "action": Action.update,
            "trigger": Trigger.push,
            "created_at": NOW,
            "timeout": 600.0,
            "output_limit": 1 << 20,
        }
        | more
    )


def make_container(name="dns", keys=None, **more):
    """A running container with these metadata keys."""
    return Container(
        **{
            "id": f"id-of-{name}",
            "name": name,
            "engine": "local",
            "image": "hub/bind",
            "image_id": "sha256:1",
            "created_at": NOW,
            "metadata": Metadata(keys=keys or {}),
            "methods": frozenset(Action),
        }
        | more
    )
