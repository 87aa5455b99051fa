"""Every block and every command that the documents show, held against the real program.

Configurations are loaded as the server loads them, with the secrets that they name made.
Every call of `hookrunner`, in a block or between backquotes, is parsed by its own command
line. What can be is run too, before a live server (`tests/cli/test_shown.py`) or with an
engine (`tests/system/test_readme.py`); `shown.ELSEWHERE` lists the rest, and which test does
it instead.
"""

import ast
import configparser
import json
import os
import re
import shutil
import subprocess

import click
import pytest
from senders import DELIVERIES
from shown import (
    BLOCKS,
    CONSOLE,
    DOCUMENTS,
    ELSEWHERE,
    REFUSAL,
    ROOT,
    SPAN,
    SPANS,
    calls,
    elsewhere,
    prose,
)

from hookrunner import model
from hookrunner.adapters.credentials import load_secrets
from hookrunner.cli import main
from hookrunner.config import gate, loads
from hookrunner.core.forge_access import setting_of
from hookrunner.core.notices import Notice, What
from hookrunner.errors import ConfigError
from hookrunner.forges import FORGES, Request
from hookrunner.kit import recipe
from hookrunner.service.secrets import load_checked

KINDS = {
    "console": "its commands are parsed and run",
    "graphql": "what it asks for is what the recorded delivery has",
    "ini app": "has the setting that `hookrunner check` names",
    "ini gerrit": "read as git reads it",
    "ini systemd": "read as systemd reads it",
    "json delivery": "decoded by the forge `generic`",
    "json discord": "its commands are understood (`tests/web/test_chat.py`)",
    "json notification": "has the keys of what is sent",
    "mermaid": "drawn from the table, or names modules",
    "sh": "read by a shell",
    "text": "no code",
    "yaml": "loaded as the server's configuration",
    "yaml container.yaml": "loaded as a build loads it",
    "yaml gate.yaml": "loaded as the gate loads it",
    "yaml wrong": "refused with the message that the block behind it shows",
}
"""What stands behind an opening fence, and what becomes of the block."""
JSON = (("Content-Type", "application/json"),)
PLACEHOLDER = re.compile(r"\[[A-Z]+\]|\.\.\.")
"""What stands for an argument that may be left out, and for more of them."""
STANDS_FOR = re.compile(r"does not exist|'[A-Z]+' is not one of")
"""What click says of a file that is not here, and of a word that stands for one of several."""


DOOR = [ROOT / "hookrunner/web/hooks.py", *sorted((ROOT / "hookrunner/forges").glob("*.py"))]
"""The files that refuse webhooks."""
FILLED_IN = re.compile(r"\.\+\?|\\(?=.)")
REFUSED = [one for one in CONSOLE if one.output[:1] and one.output[0].startswith(REFUSAL)]
"""The commands that are shown to be refused, since something is wrong in the configuration."""
MESSAGE = re.compile(
    r"(?!(hookrunner|curl|docker|git|gitolite|pip|systemctl|journalctl|stat|env) )"
    r"(?!query |location )"
    r"[a-z\d][^ ]*( [^ ]+){2}|refs/\S+ (was|is) "
)
"""What stands between backquotes and is a sentence of the program: three words or more."""
LITERAL = 8
"""Characters of a text that have to be its own, and not filled in, to be told by them."""


def of(kind):
    found = [block for block in BLOCKS if block.kind == kind]
    return pytest.mark.parametrize("block", found, ids=lambda block: block.place)


def parse(words):
    """Parse a call of `hookrunner` as click does, without running it.

    Raises:
        click.ClickException: There is no such command or option, or an argument is missing.
    """
    name, command, rest = "hookrunner", main.cli, list(words)
    context = click.Context(command, info_name=name)
    while isinstance(command, click.Group) and rest:
        name, *rest = rest
        command = command.get_command(context, name)
        if command is None:
            raise click.UsageError(f"{name} is no command")
    if rest:
        command.make_context(name, rest, parent=context)


def hookrunner_calls(text):
    """The calls of `hookrunner` in a shell line, without its name."""
    inside = ("docker", "compose", "exec", "server")
    for call in calls(text):
        words = call[len(inside) :] if call[: len(inside)] == inside else call
        if words and words[0].rpartition("/")[2] == "hookrunner":
            yield [word for word in words[1:] if not PLACEHOLDER.fullmatch(word)]


def made(text, folder):
    """A configuration in a folder instead of /etc/hookrunner, with the files that it names."""
    text = text.replace("/etc/hookrunner", str(folder))
    for number, path in enumerate(re.findall(rf"{re.escape(str(folder))}/([\w.-]+)", text)):
        words = f"the-{number}-of-the-secrets-of-the-tests"
        (folder / path).write_text("json://localhost" if path.endswith("apprise") else words)
    return text


def test_what_stands_behind_a_fence_says_how_the_block_is_tested():
    assert [block.place for block in BLOCKS if block.kind not in KINDS] == []


@of("yaml")
def test_a_configuration_is_one_of_the_server(block):
    loads(block.text, name=block.place)


@pytest.mark.process
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # apprise's, when it is imported
@of("yaml")
def test_with_the_secrets_that_it_names_the_server_starts_with_it(block, tmp_path):
    config = loads(made(block.text, tmp_path), name=block.place)

    load_checked(config, os.environ)


@pytest.mark.parametrize("command", REFUSED, ids=lambda command: command.place)
def test_a_mistake_in_the_block_before_is_told_as_it_is_shown(command, tmp_path):
    [*_, block] = [
        block
        for block in BLOCKS
        if block.file == command.file
        and block.line < command.line
        and block.kind in {"yaml", "yaml wrong"}
    ]

    def start(text):
        load_secrets(loads(text, name=f"{tmp_path}/hookrunner.yaml").sources, {})

    with pytest.raises(ConfigError) as refused:
        start(block.text.replace("/etc/hookrunner", str(tmp_path)))

    told = [f"hookrunner: {refused.value}"]
    told += [f"hint: {refused.value.hint}"] if refused.value.hint else []
    assert [line.replace(str(tmp_path), "/etc/hookrunner") for line in told] == [
        *command.output
    ]


@of("yaml container.yaml")
def test_a_recipe_is_one_that_an_image_is_built_by(block):
    found = recipe.loads(block.text, name=block.place)

    assert found.keys
    assert found.remarks == []


@of("yaml gate.yaml")
def test_a_file_of_the_gate_is_one_that_it_starts_with(block):
    assert gate.loads(block.text, name=block.place) != gate.Gate()


@of("json delivery")
def test_a_delivery_by_hand_is_a_push(block):
    request = Request(headers=JSON, body=block.text.encode(), path_secret=None, received_at=0.0)

    [push] = FORGES["generic"].decode(request).pushes

    assert (push.repository, push.ref) == ("ops/www", "refs/heads/main")
    assert push.paths is not None


@of("json notification")
def test_a_notification_has_the_keys_that_are_sent(block):
    told = json.loads(block.text)

    values = Notice(id="a", what=What.failure, subject=()).values()
    assert set(told) == {"type", "timestamp", "data"}
    assert set(told["data"]) == {*values, "recovers_from", "title", "text"}


@of("ini app")
def test_a_setting_of_a_git_server_is_the_one_that_check_names(block):
    parsed = configparser.ConfigParser()
    parsed.optionxform = str
    parsed.read_string(block.text)

    [name] = parsed.sections()
    [(key, value)] = parsed[name].items()
    assert setting_of(block.file.stem, value).startswith(f"[{name}] {key} = {value}")


@of("ini gerrit")
def test_a_configuration_of_gerrit_is_one_for_git(block):
    parsed = configparser.ConfigParser(strict=False)
    parsed.read_string(re.sub(r"(?m)^ +", "", block.text))

    assert set(parsed['remote "hookrunner"']) == {"url", "event", "sslverify"}


@pytest.mark.process
@of("ini systemd")
def test_a_unit_or_drop_in_is_one_for_systemd(block, tmp_path):
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    unit = tmp_path / "shown.service"
    start = "" if "ExecStart=" in block.text else "ExecStart=/bin/true\n"
    unit.write_text(
        block.text.replace("/usr/local/lib/hookrunner-chatbot", "/bin/true") + start
    )

    told = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False
    )

    assert "shown.service" not in told.stderr


@pytest.mark.process
@of("sh")
def test_a_script_is_one_for_a_shell(block):
    told = subprocess.run(
        ["sh", "-n"], input=block.text, capture_output=True, text=True, check=False
    )

    assert (told.returncode, told.stderr) == (0, "")


@of("graphql")
def test_a_query_asks_for_what_the_recorded_delivery_has(block):
    query = re.search(r'query: "query \{ webhook (.*) \}"', block.text)[1]
    recorded = (DELIVERIES / "sourcehut" / "push.json").read_text("utf-8")

    fields = set(re.findall(r"\w+", query.replace("... on GitEvent", "")))

    assert fields == set(re.findall(r'"(\w+)":', json.dumps(json.loads(recorded)["body"]))) - {
        "data",
        "webhook",
    }


@of("mermaid")
def test_a_picture_is_drawn_from_a_table_or_names_modules(block):
    tables = [model.drawn(table) for table in (model.STEP_TRANSITIONS, model.RUN_TRANSITIONS)]
    assert block.text.rstrip("\n") in tables or block.text.startswith("sequenceDiagram")


def wrong_calls(shown):
    """The calls that do not parse, each with its place and why not."""
    found = []
    for command in shown:
        for words in hookrunner_calls(command.text):
            try:
                parse(words)
            except click.ClickException as error:
                if not STANDS_FOR.search(error.format_message()):
                    found.append(f"{command.place}: {command.text}: {error.format_message()}")
    return found


def test_every_call_in_a_block_parses():
    assert wrong_calls(CONSOLE) == []


def test_every_call_between_backquotes_parses():
    assert wrong_calls(SPANS) == []


def pattern_of(node):
    """A text of the program as a pattern, or None: what is filled in may be anything."""
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    if not all(isinstance(part, ast.Constant | ast.FormattedValue) for part in parts):
        return None
    return "".join(
        re.escape(str(part.value).replace("`", "")) if isinstance(part, ast.Constant) else ".+?"
        for part in parts
    )


def sentences():
    """The texts in the program's source that are its own enough to be told, as one pattern."""
    found = {
        pattern_of(node) or ""
        for file in (ROOT / "hookrunner").rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.JoinedStr | ast.Constant)
    }
    own = [one for one in found if len(FILLED_IN.sub("", one)) >= LITERAL]
    return re.compile("|".join(own), re.DOTALL)


@pytest.mark.process  # a second: all texts of the program
def test_messages_that_are_quoted_are_the_programs_own():
    known = sentences()
    unknown = [
        f"{file.relative_to(ROOT)}:{number}: {text}"
        for file in DOCUMENTS
        if file.stem == "troubleshooting" or file.parent.name == "forges"
        for number, line in prose(file)
        for _, text in SPAN.findall(line)
        if MESSAGE.match(text) and not known.fullmatch(text.removesuffix(": ..."))
    ]
    assert "\n".join(unknown) == ""


@pytest.mark.parametrize("file", DOOR, ids=lambda file: file.name)
def test_every_way_to_be_refused_at_the_webhooks_door_is_in_troubleshooting(file):
    document = (ROOT / "hookrunner/docs/troubleshooting.md").read_text("utf-8").replace("`", "")
    reasons = {
        pattern_of(node.args[0])
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "SignatureError"
    }

    untold = [
        one for one in reasons if one and len(one) > LITERAL and not re.search(one, document)
    ]
    assert untold == []


@pytest.mark.parametrize(("pattern", "test"), ELSEWHERE.items())
def test_what_is_run_elsewhere_is_run_there(pattern, test):
    file, _, evidence = test.partition(": ")

    assert evidence in (ROOT / file).read_text("utf-8")
    assert any(
        elsewhere(words) == pattern for command in CONSOLE for words in calls(command.text)
    ), f"no document shows it any more: {pattern}"
