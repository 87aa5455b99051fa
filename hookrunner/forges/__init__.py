"""What git servers send, sans-I/O: headers and bytes in, pushes out.

The order of work is the caller's: `detect` the forge, unless the source names it; have
its ``prove`` find the secret that fits; only then ``decode``. Whatever is wrong is a
`hookrunner.errors.DeliveryError`, and nothing else is ever raised.

A new forge is a file with a `Forge` in it, its place in `FORGES`, its name in
`hookrunner.config.FORGES`, and its tests; ``docs/forges.md`` says how.
"""

from collections.abc import Mapping

from hookrunner.config import Source
from hookrunner.forges.azure_devops import AZURE_DEVOPS
from hookrunner.forges.bitbucket_cloud import BITBUCKET_CLOUD
from hookrunner.forges.bitbucket_dc import BITBUCKET_DC
from hookrunner.forges.forge import Forge
from hookrunner.forges.forgejo import FORGEJO
from hookrunner.forges.generic import GENERIC
from hookrunner.forges.gerrit import GERRIT
from hookrunner.forges.gitea import GITEA
from hookrunner.forges.gitee import GITEE
from hookrunner.forges.github import GITHUB
from hookrunner.forges.gitlab import GITLAB
from hookrunner.forges.gogs import GOGS
from hookrunner.forges.request import Request
from hookrunner.forges.sourcehut import SOURCEHUT
from hookrunner.forges.standard_webhooks import STANDARD_WEBHOOKS

__all__ = ["FORGES", "Forge", "Request", "detect", "weaknesses"]

FORGES: Mapping[str, Forge] = {
    forge.name: forge
    for forge in (
        FORGEJO,
        GITEA,
        GOGS,
        GITLAB,
        GITHUB,
        BITBUCKET_CLOUD,
        BITBUCKET_DC,
        GITEE,
        SOURCEHUT,
        STANDARD_WEBHOOKS,
        GENERIC,
        AZURE_DEVOPS,
        GERRIT,
    )
}
"""Every forge by name, in the order of detection: who imitates comes before the imitated.

Forgejo sends Gitea's headers, Gitea those of Gogs, and all three those of GitHub; GitLab
sends those of Standard Webhooks. Azure DevOps and Gerrit name themselves in no header, so
what has a password or a secret in the path, and is nobody else's, is taken for theirs.
"""


def detect(request: Request) -> Forge | None:
    """Tell which forge a request says it is from, by its headers; None if it is none.

    A sender chooses its headers, and with them the way in which it has to prove itself.
    So a secret must fit in the way of this forge, never in just any way.
    """
    return next((forge for forge in FORGES.values() if forge.recognises(request)), None)


def weaknesses(sources: Mapping[str, Source]) -> dict[str, str]:
    """What the proof of each source leaves open whose forge has a weaker one than others."""
    return {
        name: weakness
        for name, source in sources.items()
        if source.forge and (weakness := FORGES[source.forge].weakness) is not None
    }
