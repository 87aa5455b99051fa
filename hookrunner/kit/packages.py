"""What is installed in an image, read from the package managers' own records.

Records are read, not asked for: an image without a shell has them all the same. Only rpm
keeps its own in a database, so there the program is asked.
"""

import re
from collections.abc import Iterable

from hookrunner.core.packages import Package

DPKG = "/var/lib/dpkg/status"
"""Debian's record, in paragraphs."""
DPKG_PARTS = "/var/lib/dpkg/status.d"
"""The same in images without a package manager (distroless): a file for each package."""
APK = ("/lib/apk/db/installed", "/usr/lib/apk/db/installed")
"""Alpine's record; since 3.22 at the second place."""
RPM_PROGRAM = "/usr/bin/rpm"
"""Where rpm is, in images that have it."""
RPM = ("rpm", "-qa", "--queryformat", r"%{NAME} %{EVR}\n")
"""What prints a package a line, its name and its version with their epoch."""

_PARAGRAPHS = re.compile(r"\n{2,}")


def parse_dpkg(text: str) -> list[Package]:
    """Read paragraphs of dpkg; what was removed but for its configuration does not count.

    Source:
        https://manpages.debian.org/bookworm/dpkg-dev/deb-control.5.en.html
    """
    found = []
    for paragraph in _PARAGRAPHS.split(text):
        fields = _fields(paragraph.splitlines(), ": ")
        status = fields.get("Status", "install ok installed")
        if status.endswith(" installed") and "Package" in fields and "Version" in fields:
            found.append(Package(fields["Package"], fields["Version"], "dpkg"))
    return found


def parse_apk(text: str) -> list[Package]:
    """Read paragraphs of apk: ``P:`` is a name, ``V:`` a version.

    Source:
        https://wiki.alpinelinux.org/wiki/Apk_spec
    """
    found = []
    for paragraph in _PARAGRAPHS.split(text):
        fields = _fields(paragraph.splitlines(), ":")
        if "P" in fields and "V" in fields:
            found.append(Package(fields["P"], fields["V"], "apk"))
    return found


def parse_rpm(text: str) -> list[Package]:
    """Read lines of a name and a version, as `RPM` prints them. Keys are no packages."""
    rows = (line.partition(" ") for line in text.splitlines())
    return [
        Package(name, version.strip(), "rpm")
        for name, found, version in rows
        if found and name != "gpg-pubkey"
    ]


def _fields(lines: Iterable[str], separator: str) -> dict[str, str]:
    """The first line of each field; lines that go on begin with a blank."""
    pairs = (line.partition(separator) for line in lines if not line[:1].isspace())
    return {name: value.strip() for name, found, value in pairs if found}
