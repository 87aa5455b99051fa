"""Which version is older: the rules of dpkg, rpm and apk, and what they say themselves."""

import random
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.versions import KINDS, compare, compare_apk, compare_dpkg, compare_rpm

TEXT = st.text("0019ab.~^-+_:r", max_size=12)


def sign(number):
    return (number > 0) - (number < 0)


@pytest.mark.parametrize(
    ("a", "order", "b"),
    [
        ("3.0.14-1~deb12u2", "<", "3.0.15-1~deb12u1"),
        ("3.0.15-1~deb12u1", ">", "3.0.15"),
        ("3.0.9-1", "<", "3.0.15"),
        ("1.0~rc1", "<", "1.0"),
        ("1.0~~", "<", "1.0~"),
        ("1:0.1", ">", "9.9"),
        ("0:1.0", "=", "1.0"),
        ("1.0a", "<", "1.0+"),
        ("1.0-1", "<", "1.0-10"),
        ("1.0-1-2", ">", "1.0-1"),
        ("1.00", "=", "1.0"),
        ("", "<", "0.1"),
    ],
)
def test_dpkg(a, order, b):
    assert "<=>"[sign(compare_dpkg(a, b)) + 1] == order
    assert "<=>"[sign(compare_dpkg(b, a)) + 1] == {"<": ">", ">": "<", "=": "="}[order]


@pytest.mark.parametrize(
    ("a", "order", "b"),
    [
        ("3.0.7-27.el9", "<", "3.0.15"),
        ("3.0.15-2.el9", "=", "3.0.15"),
        ("3.0.15-2.el9", "<", "3.0.15-10.el9"),
        ("1:3.0.7-27.el9", ">", "3.0.15"),
        ("(none):1.0-1", "=", "1.0-1"),
        ("1.0~rc1", "<", "1.0"),
        ("1.0^20260101", ">", "1.0"),
        ("1.0^20260101", "<", "1.0.1"),
        ("1.0^a", ">", "1.0^"),
        ("2a", "<", "2.0"),
        ("a", "<", "1"),
        ("1.010", "=", "1_10"),
        ("10xyz", "<", "10.1xyz"),
        ("1.0.0", ">", "1.0"),
    ],
)
def test_rpm(a, order, b):
    assert "<=>"[sign(compare_rpm(a, b)) + 1] == order
    assert "<=>"[sign(compare_rpm(b, a)) + 1] == {"<": ">", ">": "<", "=": "="}[order]


@pytest.mark.parametrize(
    ("a", "order", "b"),
    [
        ("3.0.14-r1", "<", "3.0.15-r0"),
        ("3.0.15-r0", ">", "3.0.15"),
        ("2.34", ">", "0.1.0_alpha"),
        ("0.1.0_alpha2", ">", "0.1.0_alpha"),
        ("0.1.0_alpha_pre2", "<", "0.1.0_alpha"),
        ("1.0_p10-r0", ">", "1.0_p9-r0"),
        ("1.0_rc1", "<", "1.0"),
        ("1.0_p1", ">", "1.0"),
        ("6.0_pre1", "<", "6.0_p1"),
        ("1.05", "<", "1.1"),
        ("1.0.2a", "<", "1.0.2b"),
        ("1.0.2", "<", "1.0.2a"),
        ("1.2.3-r10", ">", "1.2.3-r9"),
        ("1.2.3~abcdef-r0", "=", "1.2.3"),
    ],
)
def test_apk(a, order, b):
    assert "<=>"[sign(compare_apk(a, b)) + 1] == order
    assert "<=>"[sign(compare_apk(b, a)) + 1] == {"<": ">", ">": "<", "=": "="}[order]


@pytest.mark.parametrize("kind", [*KINDS, ""])
@given(a=TEXT, b=TEXT)
def test_two_versions_have_one_order_whichever_stands_first(kind, a, b):
    there, back = compare(a, b, kind or "dpkg"), compare(b, a, kind or "dpkg")

    assert sign(there) == -sign(back)
    assert compare(a, a, kind) == 0


@pytest.mark.parametrize(
    ("a", "b", "order"),
    [("1.0_rc1-r0", "1.0-r0", -1), ("1.0-2.el9", "1.0", 0), ("1.0-2", "1.0", 1)],
)
def test_the_form_tells_the_kind_where_nobody_does(a, b, order):
    assert sign(compare(a, b, "")) == order


@pytest.mark.process
@pytest.mark.skipif(not shutil.which("dpkg"), reason="no dpkg to compare with")
def test_dpkg_itself_agrees():
    chosen = random.Random(7)  # noqa: S311 - no secret

    def some(letters):
        return "".join(chosen.choice(letters) for _ in range(chosen.randint(1, 6)))

    for _ in range(150):
        a = "1" + some("0019ab.~-+")
        b = chosen.choice(["1" + some("0019ab.~-+"), a + some("0a.~")])
        said = subprocess.run(
            ["dpkg", "--compare-versions", a, "lt", b], stderr=subprocess.PIPE, check=False
        )
        assert said.stderr or (said.returncode == 0) == (compare_dpkg(a, b) < 0), (a, b)
