"""What the documents show as code: every block and every command, with its file and line.

The documents are README, what `hookrunner help` prints, and the READMEs of examples.
"""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *sorted((ROOT / "hookrunner" / "docs").rglob("*.md")),
    *sorted((ROOT / "config").rglob("README.md")),
]
FENCE = re.compile(r"( *)```(.*)")
PROMPT = re.compile(r"[#$] ")
SPAN = re.compile(r"(`+)(.+?)\1")
REFUSAL = "hookrunner: /etc/hookrunner/hookrunner.yaml:"
"""How it begins where a configuration is refused."""
OPERATORS = set("();<>|&")


class Block(NamedTuple):
    """A fenced block; `kind` is what stands behind its opening fence."""

    file: Path
    line: int
    kind: str
    text: str

    @property
    def place(self):
        return f"{self.file.relative_to(ROOT)}:{self.line}"


class Command(NamedTuple):
    """A command line of a console block, and the lines that it prints there."""

    file: Path
    line: int
    text: str
    output: tuple[str, ...]

    @property
    def place(self):
        return f"{self.file.relative_to(ROOT)}:{self.line}"


def blocks(file):
    """The fenced blocks of a document, in order."""
    found, opened = [], None
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        fence = FENCE.fullmatch(line)
        if opened is None and fence:
            opened = (fence[1], fence[2].strip(), number + 1, [])
        elif opened and fence and not fence[2] and fence[1] == opened[0]:
            indent, kind, begin, lines = opened
            text = "\n".join(one.removeprefix(indent) for one in lines) + "\n"
            found.append(Block(file, begin, kind, text))
            opened = None
        elif opened:
            opened[3].append(line)
    assert opened is None, f"{file}: a block of {opened[1]} has no end"
    return found


def prose(file):
    """The lines outside of blocks, each with its number."""
    inside, found = False, []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        if FENCE.fullmatch(line):
            inside = not inside
        elif not inside:
            found.append((number, line))
    return found


def commands(block):
    """The commands of a console block: what stands behind a prompt, lines joined at a
    backslash."""
    found, pending = [], None
    for number, line in enumerate(block.text.splitlines(), block.line):
        if pending is not None:
            begin, text = pending
            text = f"{text}\n{line}"
        elif PROMPT.match(line):
            begin, text = number, line[2:]
        elif found:
            found[-1][2].append(line)
            continue
        else:
            raise AssertionError(f"{block.place}: the block begins with no command: {line}")
        pending = (begin, text) if text.endswith("\\") else None
        if pending is None:
            found.append((begin, text, []))
    return [Command(block.file, line, text, tuple(out)) for line, text, out in found]


def calls(text):
    """Every simple command of a shell line, as its words: parts of pipes and lists, and
    what stands in ``$(...)``; variables that are set in front, and redirections, fall away."""
    text = text.replace("\\\n", " ")
    found = []
    while inner := re.search(r"\$\(([^()]*)\)", text):
        found += calls(inner[1])
        text = text.replace(inner[0], "SUBSTITUTED")
    lexer = shlex.shlex(text, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words, skip = [], False
    for token in [*lexer, ";"]:
        if not set(token) <= OPERATORS:
            if skip:
                skip = False
            elif words or not re.match(r"\w+=", token):
                words.append(token)
        elif set(token) & set("<>"):
            skip = True
            if words and words[-1] in {"1", "2"}:
                words.pop()
        else:
            if words:
                found.append(tuple(words))
            words = []
    return found


def spans(file):
    """What stands between backquotes in the prose, where it is a call of `hookrunner`."""
    return [
        Command(file, number, text, ())
        for number, line in prose(file)
        for _, text in SPAN.findall(line)
        if re.match(r"(?:[\w./-]+/|.* )?hookrunner [a-z-]+( |$)", text)
    ]


BLOCKS = [block for file in DOCUMENTS for block in blocks(file)]
CONSOLE = [
    command for block in BLOCKS if block.kind == "console" for command in commands(block)
]
"""Every command of every console block."""
SPANS = [span for file in DOCUMENTS for span in spans(file)]
"""The calls of `hookrunner` in the prose."""

ELSEWHERE = {
    r"git push": "tests/system/test_bare_repository.py: push",
    r"(config/demo/run|tests/run)": ".ci/run: config/demo/run",
    r"(python3 -m venv|/opt/hookrunner/bin/pip|export)": "config/demo/venv: pip",
    r"pip install": "config/demo/venv: pip",
    r"pip wheel": "tests/run: pip wheel",
    r"pip download": "tests/test_release.py: constraints.txt",
    r"docker run": "tests/system/test_readme.py: docker run",
    r"(docker|cd config/docker)": "tests/system/test_image.py: compose.yaml",
    r"(systemctl|git pull|systemd/install)": "tests/system/test_service.py: INSTALL",
    r"hookrunner (serve|init|update)": "tests/system/test_readme.py: hookrunner init",
    r"hookrunner build": "tests/kit/test_build.py: build",
    r"hookrunner gate": "tests/system/test_gate.py: gate",
    r"hookrunner restore": "tests/operate/test_backup.py: restore",
    r"hookrunner check": "tests/system/test_check.py: --await-delivery",
    r"curl .*/api/v1/updates": "tests/system/test_manual.py: /updates",
    r"curl .*/APPLICATION_ID/commands": "tests/web/test_chat.py: APPLICATION_ID",
    r"\./bot": "tests/system/test_chatbot.py: bot",
}
"""Commands that no test runs as they are shown: what they begin with, and the file that runs
them in another form, with words that stand there."""


def elsewhere(words):
    """The pattern of `ELSEWHERE` that a simple command is under, or None: it is to be run."""
    text = " ".join(words)
    return next((pattern for pattern in ELSEWHERE if re.match(rf"{pattern}(?!\S)", text)), None)
