"""The longer documents, by topic: what ``hookrunner help`` prints and the page shows."""

from importlib import resources

SUFFIX = ".md"


def documents() -> dict[str, str]:
    """The documents by topic, sorted."""
    folder = resources.files("hookrunner").joinpath("docs")
    return {
        file.name.removesuffix(SUFFIX): file.read_text("utf-8")
        for file in sorted(folder.iterdir(), key=lambda f: f.name)
        if file.name.endswith(SUFFIX)
    }


def title(text: str) -> str:
    """A document's first heading."""
    return text.partition("\n")[0].lstrip("# ")
