"""What the documents say is there, is there, and what is there is in the documents."""

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from msgspec.structs import fields as fields_of

from hookrunner import __version__, config, errors, forges, model
from hookrunner.cli import main
from hookrunner.config import Config, Project, Source, keys
from hookrunner.core import outcome
from hookrunner.gate import table
from hookrunner.web import server, shapes
from hookrunner.web.documents import by_subject, documents

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
DOCS = documents()
FORGES = DOCS["forges"]
ALL = [README, *DOCS.values()]
ROOMS = re.findall(r"^\| \d+ \| .* \| .* \|.*\|$", DOCS["architecture"], re.MULTILINE)
EXAMPLE = (ROOT / "config" / "hookrunner.yaml").read_text("utf-8")
FILES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "hookrunner/docs").rglob("*.md")]
FENCE = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LAYERS = "cli|app|web|service|gate|adapters|kit|core|forges|config|model|units|errors"
SPAN = re.compile(r"`([^`\n]+)`")
OPTION = re.compile(r"(?:^|^hookrunner .* )(--?[a-z][\w-]*)")


def fences(*kinds, text=README):
    return [found[2] for found in FENCE.finditer(text) if found[1] in kinds]


def section(heading, text=README):
    found = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"there is no section {heading}"
    return found[1]


def named(pattern):
    """What a pattern finds in all documents."""
    return sorted({one for text in ALL for one in re.findall(pattern, text)})


def routes():
    doors = [some for door, some in server._ROUTES.items() if door is not config.Door.page]
    listed = [*server._ALWAYS, *(route for some in doors for route in some)]
    return [f"{route.method} {re.sub(r':[^}]+', '', route.path)}" for route in listed]


def exit_statuses():
    raised = {
        one.exit_code
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.HookrunnerError)
    }
    return sorted(raised | {0, main.INTERRUPTED, main.BROKEN_PIPE})


def rows(topic):
    """The rows of a document's tables that begin with code."""
    return re.findall(r"^\| (`.*) \|$", DOCS[topic], re.MULTILINE)


@pytest.mark.parametrize("command", ["config/demo/run", "tests/run", "tests/run quick"])
def test_readme_names_the_commands_that_show_that_it_works(command):
    assert command in README
    assert (ROOT / command.split()[0]).stat().st_mode & 0o111


@pytest.mark.parametrize("name", sorted({*main.COMMANDS, "version"}))
def test_every_command_is_in_the_reference(name):
    assert f"`hookrunner {name}" in DOCS["commands"]


@pytest.mark.parametrize("row", rows("commands"))
def test_options_in_the_table_of_commands_are_of_the_command_beside_them(row):
    names = re.findall(r"`hookrunner ([\w-]+(?: test\b)?)", row.split(" | ")[0])
    known = {"--config", "--help", "-h"}
    for name in names:
        command = main.cli
        for word in name.split():
            command = command.get_command(click.Context(command), word)
        known |= {flag for param in command.params for flag in param.opts}

    assert {word for span in SPAN.findall(row) for word in OPTION.findall(span)} <= known


@pytest.mark.parametrize("status", exit_statuses())
def test_every_exit_status_is_in_the_reference(status):
    rows = re.findall(r"^\| ([\d, ]+) \|", DOCS["commands"], re.MULTILINE)

    assert str(status) in ", ".join(rows).replace(" ", "").split(",")


@pytest.mark.parametrize("exit_code", [0, outcome.INVALID, outcome.RETRY, outcome.NO_METHOD])
def test_every_exit_code_of_an_update_is_in_the_contract(exit_code):
    assert re.search(
        rf"^\| {exit_code} \|", section("What it promises: the contract"), re.MULTILINE
    )


@pytest.mark.parametrize("status", model.Status)
def test_every_status_is_explained(status):
    assert status in re.findall(r"\w+", DOCS["architecture"])


@pytest.mark.parametrize("one", model.Outcome)
def test_every_outcome_is_explained(one):
    assert re.search(rf"^\| `{one}` \|", DOCS["architecture"], re.MULTILINE)


def test_the_picture_of_a_step_is_the_table_of_transitions():
    picture = next(
        text for text in fences("text", text=DOCS["architecture"]) if "queued --" in text
    )
    arrows = [line.replace("queued", "", 1) for line in picture.splitlines()]

    running = {line.split("->")[-1].split()[0] for line in arrows if "--->" in line}
    queued = {line.split("->")[1].split()[0] for line in arrows if line.startswith("   +-->")}

    assert running == model.STEP_MAY_BECOME[model.Status.running]
    stopped = {model.Status.timed_out, model.Status.cancelled, model.Status.interrupted}
    assert model.STEP_MAY_BECOME[model.Status.stuck] == stopped
    assert queued | {"running"} == model.STEP_MAY_BECOME[model.Status.queued]


@pytest.mark.parametrize(
    "table", [model.STEP_TRANSITIONS, model.RUN_TRANSITIONS], ids=["steps", "runs"]
)
def test_the_pictures_of_runs_and_steps_are_drawn_from_the_table(table):
    assert f"```mermaid\n{model.drawn(table)}\n```" in DOCS["runs"]


@pytest.mark.parametrize(
    ("kind", "fields"), re.findall(r"^\| (\w+) \| `([a-z_ ]+)` \|$", DOCS["api"], re.MULTILINE)
)
def test_fields_that_the_reference_names_are_told(kind, fields):
    told = {field.encode_name for field in fields_of(getattr(shapes, kind.capitalize()))}

    assert set(fields.split()) <= told


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_files_that_are_named_are_there(file):
    text = file.read_text("utf-8")
    named = re.findall(r"`((?:config|systemd|tests|hookrunner/docs)/[\w./-]+)(?=[ `])", text)
    units = re.findall(r"`(hookrunner(?:-\w+)?\.(?:service|socket))`", text)

    paths = [*named, *(f"systemd/{unit}" for unit in units)]
    assert [path for path in paths if "NAME" not in path and not (ROOT / path).exists()] == []


def modules(text):
    """The modules of hookrunner that a text names."""
    return re.findall(rf"`((?:{LAYERS})(?:\.[a-z_]+)*)`", text)


def test_every_module_and_every_test_that_architecture_names_is_there():
    names = modules(DOCS["architecture"])
    tests = re.findall(r"`(tests/[\w/.]+)`", DOCS["architecture"])

    assert [name for name in names if find_spec(f"hookrunner.{name}") is None] == []
    assert [path for path in tests if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("row", ROOMS)
def test_on_the_way_of_a_push_each_room_asks_whom_it_is_said_to_ask(row):
    _, _, room, _, asked, _ = (cell.strip() for cell in row.split("|"))
    [module] = modules(room)
    source = Path(find_spec(f"hookrunner.{module}").origin).read_text("utf-8")
    imported = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom):
            imported |= {node.module, *(f"{node.module}.{one.name}" for one in node.names)}

    assert {f"hookrunner.{one}" for one in modules(asked)} <= imported


@pytest.mark.parametrize("route", routes())
def test_every_route_is_in_the_reference(route):
    assert f"`{route.replace('{slashes}', '')}`" in DOCS["api"]


@pytest.mark.parametrize("path", named(r"(/api/v1/\w+|/\w+z)\b"))
def test_paths_that_are_shown_are_served(path):
    assert any(path in route for route in routes())


@pytest.mark.parametrize("name", sorted(forges.FORGES))
def test_every_forge_is_in_its_document_and_marked_where_it_proves_less(name):
    rows = re.findall(rf"^\| `{name}` \|.*$", FORGES, re.MULTILINE)

    assert rows
    assert any("**no**" in row for row in rows) == (forges.FORGES[name].weakness is not None)


@pytest.mark.parametrize("name", sorted(forges.FORGES))
def test_every_forge_has_a_document_of_the_same_parts(name):
    parts = ["Set-up", "The test", "Sending again", "Private addresses", "Pitfalls"]
    if name == "generic":  # nobody's button, and nobody's rules
        parts = ["Set-up", "A delivery", "Sending again", "Pitfalls"]
    shown = " ".join(fences("yaml", text=DOCS[name]))

    assert re.findall(r"^## (.*)$", DOCS[name], re.MULTILINE) == parts
    assert f"forge: {name}\n" in shown


def test_forges_are_the_same_words_everywhere():
    said = re.search(r"one of (github [a-z\s#-]+)\.", EXAMPLE)

    assert said[1].replace("#", " ").split() == list(config.FORGES)
    assert set(config.FORGES) == set(forges.FORGES)


@pytest.mark.parametrize("variable", sorted(table.STEP_VARIABLES - {"HOOKRUNNER_NONCE"}))
def test_every_variable_of_an_action_is_named(variable):
    assert variable in re.findall(r"\w+", DOCS["containers"])


@pytest.mark.parametrize(
    "key", sorted({key for struct in (Config, Source, Project) for key in keys(struct)})
)
def test_every_key_is_in_the_example_configuration(key):
    assert re.search(rf"^#? *{key}:", EXAMPLE, re.MULTILINE)


@pytest.mark.parametrize("key", named(r"projects\.\w+\.(\w+)"))
def test_keys_of_projects_that_are_named_exist(key):
    assert key in keys(Project)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(file):
    text = file.read_text("utf-8")
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", one.lower()).replace(" ", "-") for one in headings}

    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in link]
    dead = [
        link
        for link in links
        if (
            link[1:] not in anchors
            if link.startswith("#")
            else not (file.parent / link.partition("#")[0]).exists()
        )
    ]

    assert dead == []


@pytest.mark.parametrize("topic", by_subject()["General"])
def test_readme_leads_to_every_document(topic):
    assert f"](hookrunner/docs/{topic}.md)" in README


def test_the_version_is_in_the_changelog_and_in_readme():
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"hookrunner {__version__}\n" in README
