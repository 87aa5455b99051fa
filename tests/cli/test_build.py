"""The words of ``hookrunner build``: which are ours, and which the builder's."""

import pytest

from hookrunner.cli.build import NAME, split
from hookrunner.errors import UsageError


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["."], ()),
        ([".", "--build-arg", "A=B"], ("--build-arg", "A=B")),
        (["--build-arg", "A=B", "."], ("--build-arg", "A=B")),
        (["--build-arg=A", ".", "--no-cache"], ("--build-arg=A", "--no-cache")),
        (["--no-cache", "."], ("--no-cache",)),
        (["--secret", "id=key,src=key", "--ssh", "default", "--", "."], None),
    ],
)
def test_the_directory_is_told_from_the_builders_options(words, options):
    assert split(tuple(words)) == (".", tuple(words[:-2]) if options is None else options)


@pytest.mark.parametrize(
    "words",
    [[], ["a", "b"], [".", "--push"], [".", "-o", "type=tar"], [".", "--iidfile=x"]],
)
def test_what_cannot_be_passed_on_is_refused(words):
    with pytest.raises(UsageError):
        split(tuple(words))


@pytest.mark.parametrize(
    "name", ["bind", "ops/bind:1.2", "hub.example.net:5000/ops/bind", "localhost/a__b:_x"]
)
def test_names_of_images_are_told_from_slips(name):
    assert NAME.fullmatch(name)
    assert not NAME.fullmatch(f"{name} ")
    assert not NAME.fullmatch(f"{name}/Upper")
