"""Forgejo, Codeberg included, which sends all of Gitea's headers as well as its own."""

from hookrunner.forges.gitea_family import make_forge

FORGEJO = make_forge("forgejo", "Forgejo")
