"""The table of commands: what the server says, the gate finds; nothing else is in it."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.config import Commands, Project
from hookrunner.core import commands
from hookrunner.gate import table
from hookrunner.gate.table import Table
from hookrunner.model import Action, Probe, Push, Step, Trigger
from hookrunner.units import new_id

NOW = datetime(2026, 11, 24, tzinfo=UTC)
STEP = Step(
    id=new_id(NOW),
    run=new_id(NOW),
    number=1,
    engine="local",
    container="dns",
    container_id="1",
    project="bind",
    image="x",
    action=Action.update,
    trigger=Trigger.push,
    created_at=NOW,
    timeout=1.0,
    output_limit=1 << 20,
)
NONCE = "0123456789abcdef" * 2
WORDS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4).map(tuple)
OWN = st.builds(
    Project,
    update=st.none() | WORDS,
    validate=st.none() | WORDS,
    gitref=st.none() | WORDS,
    user=st.sampled_from([None, "www", "1000:1000"]),
)
TEXTS = st.text(max_size=80) | st.sampled_from(["ops/dns", "refs/heads/main", "ab" * 20])
PUSHES = st.builds(
    Push, repository=TEXTS, ref=TEXTS, before=TEXTS, after=TEXTS, pusher=st.none() | TEXTS
)
STOP = {
    "HOOKRUNNER_STOP": STEP.id,
    "HOOKRUNNER_SIGNAL": "KILL",
    "HOOKRUNNER_WAIT": "10",
    "HOOKRUNNER_AGE": "3",
    "HOOKRUNNER_SEEN": "",
}


@given(OWN, st.sampled_from(Action), st.booleans(), st.none() | PUSHES)
def test_whatever_the_server_executes_is_in_the_table_of_the_same_commands(
    own, kind, wrapped, push
):
    said = table.action(kind, own, wrapped=wrapped)
    environment = commands.environment(STEP, push, nonce=NONCE)
    allowed = Table([kind], [own])

    assert allowed.problem(said.argv, environment, said.user) is None
    for other in (table.gitref(own), table.METADATA, table.PACKAGES):
        assert allowed.problem(other.argv, {}, other.user) is None
    asked = commands.repository_environment(push.repository if push else "ops/dns")
    assert allowed.problem(table.gitref(own).argv, asked, own.user) is None
    stop = {"HOOKRUNNER_STOP": STEP.id}
    assert allowed.problem(table.recovery(own).argv, stop, own.user) is None
    for probe in Probe:
        said = table.probe(probe, own)
        assert allowed.problem(said.argv, {"HOOKRUNNER_STEP": STEP.id}, said.user) is None
        assert allowed.problem(said.argv, {}, said.user) is not None


@given(OWN, st.sampled_from(Action))
def test_an_action_that_is_not_allowed_is_in_no_form_in_the_table(own, kind):
    other = next(one for one in Action if one is not kind)
    environment = commands.environment(STEP, None, nonce=NONCE)
    allowed = Table([other])

    for wrapped in (False, True):
        for whose in (own, Commands()):
            said = table.action(kind, whose, wrapped=wrapped)
            assert allowed.problem(said.argv, environment, said.user) is not None


@given(WORDS, st.none() | st.text(max_size=10))
def test_any_other_command_is_not_in_the_table(argv, user):
    allowed = Table(Action)
    if argv in {one.argv for one in allowed}:
        return

    assert allowed.problem(argv, {}, user) == "this command is not in the table"


@given(st.sampled_from(sorted({one.argv for one in Table(Action)})), st.data())
def test_a_command_with_a_word_more_or_less_or_changed_is_another(argv, data):
    place = data.draw(st.integers(0, len(argv) - 1))
    text = data.draw(st.text(max_size=5).filter(lambda text: text != argv[place]))
    allowed = Table(Action)

    for other in (
        (*argv, text),
        (*argv[:place], text, *argv[place + 1 :]),
        (*argv[:place], *argv[place + 1 :]),
        (*argv[:place], argv[place] + " ", *argv[place + 1 :]),
    ):
        if other not in {one.argv for one in allowed}:
            assert allowed.problem(other, {}, None) is not None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("HOOKRUNNER_STOP", ""),
        ("HOOKRUNNER_STOP", "*"),
        ("HOOKRUNNER_SIGNAL", "STOP"),
        ("HOOKRUNNER_WAIT", "$(id)"),
        ("HOOKRUNNER_WAIT", "1 "),
        ("HOOKRUNNER_AGE", "a[$(id)]"),
        ("HOOKRUNNER_AGE", "010"),
        ("HOOKRUNNER_SEEN", "1:2 "),
        ("HOOKRUNNER_SEEN", "1:2\n3:4"),
        ("HOOKRUNNER_SEEN", "1"),
        ("PATH", "/tmp"),  # noqa: S108
        ("LD_PRELOAD", "/tmp/x.so"),  # noqa: S108
        ("HOOKRUNNER_RUN", STEP.run),
    ],
)
def test_the_stop_script_gets_what_it_reads_as_numbers_and_nothing_else(name, value):
    allowed = Table(Action)

    assert allowed.problem(table.STOP.argv, STOP, "0:0") is None
    assert allowed.problem(table.STOP.argv, STOP | {name: value}, "0:0") is not None


@pytest.mark.parametrize("name", sorted(STOP))
def test_the_stop_script_is_told_all_or_not_run(name):
    less = {key: value for key, value in STOP.items() if key != name}

    assert Table(Action).problem(table.STOP.argv, less, "0:0") == (
        f"the variable {name} is missing"
    )


@pytest.mark.parametrize("user", ["0:0", "1000:1000", "65534:0"])
def test_the_stop_script_runs_as_any_number(user):
    assert Table(Action).problem(table.STOP.argv, STOP, user) is None


@pytest.mark.parametrize("user", ["root", "0", "0:0:0", "-1:0", "0:0\n", " 0:0", "", "0:root"])
def test_the_stop_script_runs_as_nobody_with_a_name(user):
    assert Table(Action).problem(table.STOP.argv, STOP, user) is not None


def test_another_user_is_only_the_one_that_the_file_names():
    environment = commands.environment(STEP, None, nonce=NONCE)
    argv = commands.ACTIONS[Action.update]

    assert Table(Action).problem(argv, environment, "root") is not None
    assert Table(Action, [Commands(user="www")]).problem(argv, environment, "www") is None
    assert Table(Action, [Commands(user="www")]).problem(argv, environment, "root") is not None
