"""``hookrunner build``: an image with its metadata, its methods and ``container``."""

import re
import shlex
import signal
import sys
from typing import NoReturn

import click

from hookrunner.cli.building import Building, Order
from hookrunner.errors import UsageError

FLAGS = {
    *("--compress", "--force-rm", "--load", "--no-cache", "--pull", "--quiet", "-q", "--rm"),
    *("--squash", "--squash-all", "--disable-content-trust", "--layers", "--no-hosts"),
    *("--debug", "-D", "--pull-always", "--pull-never", "--tls-verify", "--stdin"),
}
"""Options of docker and podman build that take no value; all others take the next word.

Source:
    https://docs.docker.com/reference/cli/docker/buildx/build/
    https://docs.podman.io/en/latest/markdown/podman-build.1.html
"""
OWN = {
    "--push": "the image is not finished when the builder has it; push it afterwards",
    "--output": "the image has to be in the engine",
    "-o": "the image has to be in the engine",
    "--iidfile": "hookrunner needs the image's id itself",
    "--label": "labels come from container.yaml, or from LABEL in the Dockerfile",
}
"""Options that cannot be passed on, with the reason."""


_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
NAME = re.compile(
    rf"(?:[A-Za-z0-9.-]+(?::\d+)?/)?{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
)
"""What an image may be called, so that a slip is told before the build and not after it.

Source:
    https://pkg.go.dev/github.com/distribution/reference
"""


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    options_metavar="-t NAME[:TAG] [OPTIONS]",
)
@click.option("-t", "--tag", "names", multiple=True, metavar="NAME[:TAG]", help="A name.")
@click.option("--from", "from_image", metavar="IMAGE", help="Take this image, built elsewhere.")
@click.option(
    "--builder",
    type=click.Choice(["docker", "podman"]),
    default="docker",
    show_default=True,
    help="What builds.",
)
@click.option("--no-validate", is_flag=True, help="Give it its name without validating it.")
@click.option(
    "--run-arg",
    "run_arguments",
    multiple=True,
    metavar="ARG",
    help="An option of `docker run` for the throw-away container that is validated, such as"
    " --run-arg='--network none'; may be given often.",
)
@click.option("--config", "config_file", metavar="FILE", help="Accepted, and not read.")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="DIR [BUILD OPTIONS]")
def build(
    *,
    names: tuple[str, ...],
    from_image: str | None,
    builder: str,
    no_validate: bool,
    run_arguments: tuple[str, ...],
    config_file: str | None,
    words: tuple[str, ...],
) -> None:
    """Build DIR's Dockerfile, and add what DIR/container.yaml says as one layer.

    All other options go to the builder: --build-arg, --secret, --ssh, --network and so on.
    The image gets its name only if it validates.
    """
    del config_file
    directory, options = split(words)
    if not names:
        raise UsageError("the image needs a name: -t NAME[:TAG]")
    for name in names:
        if NAME.fullmatch(name) is None:
            raise UsageError(f"{name!r} is no name of an image", hint="ops/bind:1.2 is one")
    if from_image and options:
        raise UsageError(
            f"{options[0]} is for a build, and with --from nothing is built",
            hint="a misspelled option of `hookrunner build` is taken for the builder's",
        )
    signal.signal(signal.SIGTERM, _terminated)
    Building(
        Order(
            directory=directory,
            names=names,
            from_image=from_image,
            options=options,
            validate=not no_validate,
            run_options=tuple(word for one in run_arguments for word in shlex.split(one)),
        ),
        builder,
    ).run()


def split(words: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """Tell the directory from the builder's options.

    Raises:
        UsageError: There is no directory or more than one, or an option that cannot be.
    """
    places, options = [], []
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            places += left
            break
        if not word.startswith("-") or word == "-":
            places.append(word)
            continue
        name, has_value, _ = word.partition("=")
        if name in OWN:
            raise UsageError(f"{name} cannot be passed on: {OWN[name]}")
        options.append(word)
        if not has_value and name not in FLAGS and left:
            options.append(left.pop(0))
    if len(places) != 1:
        said = ", ".join(places) or "none"
        raise UsageError(f"one directory is needed, and there is {said}")
    return places[0], tuple(options)


def _terminated(number: int, frame: object) -> NoReturn:
    """End as after ^C, so that nothing is left behind."""
    del frame
    sys.exit(128 + number)
