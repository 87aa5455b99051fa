"""Measure the lines that are asked for, and print their table."""

import argparse
import os
import platform
import sys
import time
from pathlib import Path

from bench import containers, soak
from bench.engine import RawEngine, docker
from bench.figures import Figure, table
from bench.lines import LINES
from bench.setting import Bench

MARKS = ("<!-- bench -->", "<!-- /bench -->")
"""Between which a document has the table."""


def main() -> int:
    """Run; 1 where a line is out of its bound."""
    parser = argparse.ArgumentParser(prog="tests/bench/run", description=__doc__)
    parser.add_argument(
        "lines", nargs="*", metavar="LINE", help=f"of {', '.join(LINES)}; or soak"
    )
    parser.add_argument("--quick", action="store_true", help="fewer rounds, smaller amounts")
    parser.add_argument("--list", action="store_true", help="only name the lines")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FILE",
        help=f"put the table between its {MARKS[0]} and {MARKS[1]}",
    )
    parser.add_argument("--minutes", type=float, default=60, help="of the soak")
    asked = parser.parse_args()
    if asked.list:
        print(*LINES, sep="\n")
        return 0
    if unknown := set(asked.lines) - {*LINES, "soak"}:
        parser.error(
            f"there is no line {', '.join(sorted(unknown))}; there are {', '.join(LINES)}"
        )
    bench = Bench(Path(os.environ["BENCH_WORK"]), asked.quick, RawEngine())
    began = time.monotonic()
    figures: list[Figure] = []
    try:
        for name in asked.lines or LINES:
            print(f"bench: {name} ...", file=sys.stderr, flush=True)
            measure = soak.measure(asked.minutes) if name == "soak" else LINES[name]
            figures += measure(bench)
    finally:
        containers.remove_all()
    told = f"{table(figures)}\n\n{machine()}; {time.monotonic() - began:.0f} s in all."
    print(told)
    if asked.into is not None:
        _put(asked.into, told)
    return _verdict(figures)


def _put(file: Path, told: str) -> None:
    """Put the table into a document, in place of the one that is there."""
    text = file.read_text()
    before, begin, rest = text.partition(MARKS[0])
    _, end, after = rest.partition(MARKS[1])
    if not (begin and end):
        raise RuntimeError(f"{file} has no {MARKS[0]} and {MARKS[1]}")
    file.write_text(f"{before}{begin}\n{told}\n{end}{after}")


def machine() -> str:
    """What this was measured on."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30
    engine = docker("version", "--format", "{{.Server.Version}}")
    return (
        f"{os.cpu_count()} cores of {model}, {memory} GiB, Linux {platform.release()},"
        f" Docker {engine}, Python {platform.python_version()}"
    )


def _verdict(figures: list[Figure]) -> int:
    for figure in figures:
        if not figure.keeps(figure.goal):
            state = "misses its goal" if figure.keeps(figure.bound) else "is OUT OF BOUNDS"
            what = f"{figure.what}, against {figure.against}"
            print(f"bench: {what} {state}: {figure.ratio:.2f}", file=sys.stderr)
    return int(not all(figure.keeps(figure.bound) for figure in figures))


if __name__ == "__main__":
    sys.exit(main())
