"""Steps and containers, as fixtures."""

import nouns
import pytest


@pytest.fixture(scope="session")
def make_step():
    """A function: a queued update of a push, by run, number and container."""
    return nouns.make_step


@pytest.fixture(scope="session")
def make_container():
    """A function: a running container with these metadata keys."""
    return nouns.make_container
