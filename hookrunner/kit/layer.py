"""The one layer that a build adds to an image, as a tar archive.

An archive, not a recipe: nothing runs in the image, which may have no shell, and what lies
in it is the same whatever builder adds it.
"""

import io
import tarfile
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from hookrunner.core.packages import Package, render_packages
from hookrunner.kit.documents import (
    examine_text,
    label_text,
    metadata_text,
    methods_text,
    metrics_text,
)

HOME = "usr/lib/container"
"""Where what ``container`` reads lies in the image."""
STATE = "var/lib/container"
"""Where ``container`` notes what happened to one container."""
PROGRAMS = ("container", "container-update")
"""What is put on the image's PATH."""
SHARED = {"trees": 0o644, "gitconfig": 0o644, "ssh": 0o755, "askpass": 0o755}
"""What the programs read and call, with its mode."""
PREFERRED = "/usr/local/bin"
"""Where the programs go if it is on the image's PATH; else to its first directory."""
LABEL_LIMIT = 120_000
"""Bytes of the label: an argument of the builder's command cannot be longer than 128 KiB.

Source: MAX_ARG_STRLEN, https://man7.org/linux/man-pages/man2/execve.2.html
"""
ANYBODY = 0o1777
"""The mode of the state directory: a service that runs as another user than root has notes
of its own, and cannot touch those of others."""


class File(NamedTuple):
    """A file of the layer; its path is relative to the image's root."""

    path: str
    data: bytes
    mode: int


def programs() -> dict[str, bytes]:
    """The scripts that go into every image, by name."""
    folder = resources.files("hookrunner.kit").joinpath("files")
    return {name: folder.joinpath(name).read_bytes() for name in (*PROGRAMS, *SHARED)}


def files(
    document: Mapping[str, Any],
    *,
    packages: Sequence[Package] | None,
    search_path: Sequence[str] = (),
) -> list[File]:
    """All files of the layer.

    Args:
        document: The image's metadata, with its ancestors.
        packages: What is installed; None where the image has no package manager.
        search_path: The directories of the image's ``PATH``, in order.
    """
    scripts = programs()
    place = PREFERRED
    if search_path and PREFERRED not in search_path:
        place = search_path[0]
    found = [File(f"{place.lstrip('/')}/{name}", scripts[name], 0o755) for name in PROGRAMS]
    found += [File(f"{HOME}/{name}", scripts[name], mode) for name, mode in SHARED.items()]
    rendered = {
        "metadata.json": metadata_text(document),
        "examine": examine_text(document),
        "methods": methods_text(document),
        "metrics": metrics_text(document),
    }
    if packages is not None:
        rendered["packages"] = render_packages(packages)
    for number, ancestor in enumerate(document.get("ancestors", ()), 1):
        rendered[f"ancestors/{number}.json"] = metadata_text(ancestor)
    return found + [File(f"{HOME}/{k}", v.encode(), 0o644) for k, v in rendered.items()]


def archive(files: Sequence[File], *, at: int) -> bytes:
    """Make the tar archive: everything belongs to root.

    Args:
        at: The time of all files, in seconds since the epoch.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        folder = tarfile.TarInfo(STATE)
        folder.type, folder.mode, folder.mtime = tarfile.DIRTYPE, ANYBODY, at
        tar.addfile(folder)
        for file in files:
            entry = tarfile.TarInfo(file.path)
            entry.size, entry.mode, entry.mtime = len(file.data), file.mode, at
            tar.addfile(entry, io.BytesIO(file.data))
    return out.getvalue()


def labels(document: Mapping[str, Any]) -> dict[str, str]:
    """The image's labels: the metadata, and what the Open Container Initiative names.

    Source:
        https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    found = {"hookrunner.metadata": label_text(document)}
    named = {
        "source": document.get("git_repo"),
        "revision": document.get("gitref"),
        "created": _rfc3339(document.get("build_time")),
        "title": document.get("project"),
        **{name: document.get(name) for name in ("description", "licenses", "url", "version")},
    }
    for name, value in named.items():
        if value not in (None, ""):
            found[f"org.opencontainers.image.{name}"] = str(value)
    return found


def _rfc3339(text: object) -> str | None:
    return f"{text.replace(' ', 'T')}Z" if isinstance(text, str) and text else None
