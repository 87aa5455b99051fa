"""Gogs, which sends no push event for tags."""

from hookrunner.forges.gitea_family import make_forge

GOGS = make_forge("gogs", "Gogs", pushes_tags=False)
