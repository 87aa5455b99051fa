"""``$HOOKRUNNER_REQUIRE``: a run that passes has looked at all that this machine can show."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
SKIPPED = """\
import pytest

@pytest.fixture
def tool():
    pytest.skip("no tool: apt-get install it")

def test_by_a_fixture(tool):
    pass

@pytest.mark.skipif(True, reason="no other tool")
def test_by_a_mark():
    pass

def test_for_what_cannot_be_changed():
    pytest.skip("only root can do that")

@pytest.mark.xfail
def test_known_to_fail():
    raise AssertionError
"""


@pytest.mark.process
@pytest.mark.parametrize(
    ("required", "end"),
    [("1", "1 skipped, 1 xfailed, 2 errors"), ("", "3 skipped, 1 xfailed")],
)
def test_what_is_skipped_for_want_of_a_tool_fails_where_all_is_required(
    tmp_path, required, end
):
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = process\n")
    (tmp_path / "test_skipped.py").write_text(SKIPPED)

    done = subprocess.run(
        [*(sys.executable, "-m", "pytest", "-p", "conftest", "-q"), str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"HOOKRUNNER_REQUIRE": required, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert end in done.stdout.splitlines()[-1], done.stdout
    assert ("no other tool ($HOOKRUNNER_REQUIRE" in done.stdout) is bool(required)
