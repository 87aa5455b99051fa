import json

import pytest

from hookrunner.cli.client import ERRORS, NothingMatchedError, problem
from hookrunner.cli.lookup import choose, segment
from hookrunner.errors import HookrunnerError, NotFoundError, UsageError


@pytest.mark.parametrize(
    ("status", "exit_code"),
    [(400, 2), (401, 77), (403, 77), (404, 3), (409, 1), (429, 69), (500, 70), (503, 69)],
)
def test_a_problem_becomes_the_error_of_its_status(status, exit_code):
    body = json.dumps({"title": "T", "detail": "what it is", "hint": "do"}).encode()

    error = problem(status, body)

    assert type(error) is ERRORS.get(status, HookrunnerError)
    assert (str(error), error.hint, error.exit_code) == ("what it is", "do", exit_code)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"title": null}', b"\xff"])
def test_what_is_no_problem_document_is_named_by_its_status(body):
    assert str(problem(503, body)) == "the server answers 503"


def test_nothing_matched_keeps_the_verdicts():
    error = problem(404, json.dumps({"title": "T", "verdicts": [{"container": "a"}]}).encode())

    assert isinstance(error, NothingMatchedError)
    assert error.verdicts == [{"container": "a"}]


def test_a_part_of_an_id_may_be_its_beginning_or_end():
    ids = ["01aaaaaaaa1", "01aaaaaaaa2", "01bbbbbbbb2"]

    assert choose("01bbbb", ids, "run") == ids[2]
    assert choose("aaaaa1", ids, "run") == ids[0]
    with pytest.raises(UsageError, match="fits several: 01aaaaaaaa1, 01aaaaaaaa2"):
        choose("01aaaa", ids, "run")
    with pytest.raises(NotFoundError):
        choose("cccccc", ids, "run")


@pytest.mark.parametrize(
    ("name", "quoted"), [("a/b", "a%2Fb"), ("..", "%2E%2E"), ("ü?", "%C3%BC%3F")]
)
def test_a_name_is_one_segment_of_a_path(name, quoted):
    assert segment(name) == quoted
