"""The composition root: build everything, run it, and take it down in the reverse order."""

from hookrunner.app.composition import built
from hookrunner.app.running import offline, run

__all__ = ["built", "offline", "run"]
