"""The longer documents, by topic: what ``hookrunner help`` prints and the page shows."""

from importlib import resources

SUFFIX = ".md"
FOLDERS = {"General": (), "Git servers, step by step": ("forges",)}
"""The folders of documents below ``docs``, by what they are about."""


def documents() -> dict[str, str]:
    """The documents by topic."""
    return {topic: text for found in by_subject().values() for topic, text in found.items()}


def by_subject() -> dict[str, dict[str, str]]:
    """The documents by topic, sorted, and these by what they are about."""
    root = resources.files("hookrunner").joinpath("docs")
    return {
        subject: {
            file.name.removesuffix(SUFFIX): file.read_text("utf-8")
            for file in sorted(root.joinpath(*folder).iterdir(), key=lambda f: f.name)
            if file.name.endswith(SUFFIX)
        }
        for subject, folder in FOLDERS.items()
    }


def title(text: str) -> str:
    """A document's first heading."""
    return text.partition("\n")[0].lstrip("# ")
