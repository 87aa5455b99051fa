"""A container engine (Docker, Podman): list, inspect, events, exec.

aiodocker gives the transport, and is imported nowhere else. Its exec stream and its event
loop are not used: the first takes a cut stream for a finished one and buffers without
bound, the second does not survive a restart of the engine.
"""

from hookrunner.adapters.engine.client import Engine

__all__ = ["Engine"]
