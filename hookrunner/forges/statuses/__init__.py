"""Statuses of commits, sans-I/O: what became of a push in, the forge's request out.

The API's base and the token are the operator's. Of what a sender says only the repository's
name, the commit and the ref are used, each checked and quoted, so that none of it leads a
request elsewhere.
"""

from collections.abc import Mapping

from hookrunner.forges.statuses.azure_devops import AZURE_DEVOPS
from hookrunner.forges.statuses.bitbucket_cloud import BITBUCKET_CLOUD
from hookrunner.forges.statuses.bitbucket_dc import BITBUCKET_DC
from hookrunner.forges.statuses.gitea import GITEA
from hookrunner.forges.statuses.github import GITHUB
from hookrunner.forges.statuses.gitlab import GITLAB
from hookrunner.forges.statuses.status import Statuses

__all__ = ["STATUSES", "Statuses"]

STATUSES: Mapping[str, Statuses] = {
    "github": GITHUB,
    "gitlab": GITLAB,
    "gitea": GITEA,
    "forgejo": GITEA,
    "bitbucket-cloud": BITBUCKET_CLOUD,
    "bitbucket-dc": BITBUCKET_DC,
    "azure-devops": AZURE_DEVOPS,
}
"""By the forge's name; the others have no statuses."""
