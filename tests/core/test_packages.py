"""The list of packages: written by a build, read by an audit."""

from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.packages import Package, parse_packages, render_packages

WORD = st.text("abc0123.+-~:", min_size=1, max_size=9)
PACKAGE = st.builds(Package, name=WORD, version=WORD, kind=st.sampled_from(["dpkg", "apk"]))


@given(st.lists(PACKAGE))
def test_what_a_build_writes_is_read_back(packages):
    found = parse_packages(render_packages(packages))

    assert sorted(found, key=str) == sorted(packages, key=str)


def test_the_form_is_name_and_version_below_their_kind():
    text = render_packages(
        [Package("zlib1g", "1:1.2.13", "dpkg"), Package("adduser", "3.134", "dpkg")]
    )

    assert text == "# dpkg\nadduser\t3.134\nzlib1g\t1:1.2.13\n"


def test_a_hand_written_list_needs_no_kind():
    assert parse_packages("openssl 3.0.15\n") == [Package("openssl", "3.0.15")]


def test_lines_of_another_form_are_left_out():
    text = "alone\n\n# what\na 1\n" + "x" * 300 + " 1\nb\x1b[31m 2\nc 1 more\n"

    assert parse_packages(text) == [Package("a", "1"), Package("c", "1")]


@given(st.text())
def test_any_text_is_read(text):
    assert all(len(package.version) <= 255 for package in parse_packages(text))
