"""Gitea, which sends the headers of Gogs and GitHub as well as its own."""

from hookrunner.forges.gitea_family import make_forge

GITEA = make_forge("gitea", "Gitea")
