"""Containers' metrics: read strictly, offered as one, and none speaks in another's name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from hookrunner.core.exposition import (
    SAMPLE_LIMIT,
    TEXT_LIMIT,
    label_value,
    merged,
    own_labels,
    parse,
)
from hookrunner.errors import HookrunnerError

GOOD = b"""\
# A comment.
# HELP requests_total What was asked.\\nAnd \\\\ more.
# TYPE requests_total counter
requests_total{path="/a b\\"}{c",code="200"} 1027 1395066363000
requests_total { path = "", code="500", } 3e2

# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="+Inf"} 3
took_seconds_sum 1.5
took_seconds_count 3
\tbare -Inf
"""


def own(container):
    return own_labels(project="bind", container=container, image="hub/bind:1")


def offered(**texts):
    return merged((own(name), parse(text)) for name, text in texts.items())


def samples(text):
    return [one for family in text_string_to_metric_families(text) for one in family.samples]


def test_a_good_text_comes_out_as_it_was_with_its_container_named():
    before, after = samples(GOOD.decode()), samples(offered(a=GOOD))

    def told(found, drop=()):
        return sorted(
            (
                one.name,
                sorted((k, v) for k, v in one.labels.items() if v and k not in drop),
                one.value,
                one.timestamp,
            )
            for one in found
        )

    assert told(after, drop={"project", "container", "image"}) == told(before)
    for one in after:
        assert one.labels["project"] == "bind"
        assert one.labels["container"] == "a"
        assert one.labels["image"] == "hub/bind:1"


def test_each_family_is_there_once_however_many_have_it():
    text = offered(a=GOOD, b=GOOD, c=b"requests_total 1\n# HELP bare What b does not say.\n")

    for line in ("# TYPE took_seconds histogram", "# HELP bare A metric of containers."):
        assert text.count(line) == 1
    assert {one.labels["container"] for one in samples(text)} == {"a", "b", "c"}


def test_who_forges_the_labels_of_another_is_told_apart():
    forged = b'up{container="b",project="x",exported_container="c",image=""} 1\n'

    (one,) = samples(offered(a=forged))

    assert one.labels == {
        "project": "bind",
        "container": "a",
        "image": "hub/bind:1",
        "exported_exported_container": "b",
        "exported_container": "c",
        "exported_project": "x",
    }


def test_families_that_contradict_each_other_are_untyped():
    text = offered(
        a=b"# TYPE x counter\nx 1\n# TYPE h histogram\nh_count 1\nh_sum 1\n",
        b=b"# TYPE x gauge\nx 2\n# TYPE h_count counter\nh_count 2\n",
    )

    for name in ("x", "h_count", "h_sum"):
        assert text.count(f"# TYPE {name} untyped\n") == 1
    assert text.count("# TYPE") == 3
    assert sum(one.name == "h_count" for one in samples(text)) == 2


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"a 1\nb", "line 2: this is no sample"),
        (b"a x", "this is no number: 'x'"),
        (b"a 0x1p3", "this is no number"),
        (b"a 1 now", "this is no sample"),
        (b"1a 1", "this is no sample"),
        (b'a{b="c} 1', "this is no sample"),
        (b'a{b="c"d="e"} 1', "these are no labels"),
        (b'a{b="\\x"} 1', "these are no labels"),
        (b'a{b="1",b="2"} 1', "the label 'b'"),
        (b'a{__name__="b"} 1', "the label '__name__'"),
        (b"a 1\na 2", "line 2: the same sample again"),
        (b'a{b=""} 1\na 2', "the same sample again"),
        (b"# TYPE a counter\n# TYPE a counter", "a second or a late TYPE"),
        (b"a 1\n# TYPE a counter", "a second or a late TYPE"),
        (b"# HELP a b\n# HELP a b", "a second HELP"),
        (b"# HELP a \\b", "a wrong escape"),
        (b"# TYPE a info", "there is no type 'info'"),
        (b'# TYPE a histogram\na_bucket{le="x"} 1', "this bound is no number"),
        (b"hookrunner_container_metrics_up 1", "hookrunner's own"),
        (b"# TYPE hookrunner_x gauge", "hookrunner's own"),
        (b'a{b="\0"} 1', "a control character"),
        (b'a{b="\x1b[31m"} 1', "a control character"),
        (b"a 1\r\n", "a control character"),
        (b"a\xff 1", "it is no UTF-8"),
        (b"a 1\n" * TEXT_LIMIT, "longer than 512 KiB"),
        (b"".join(b"a%d 1\n" % n for n in range(SAMPLE_LIMIT + 1)), "more than 10000 samples"),
    ],
)
def test_a_mistake_anywhere_is_said_and_leaves_all_of_it_out(text, why):
    with pytest.raises(HookrunnerError) as caught:
        parse(text)

    assert why in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "text",
    [
        b"a{" + b"}" * 400_000 + b" x y",
        b"a " + b"1" * 400_000 + b"x",
        b"a{" + b'b="c",' * 60_000 + b"}",
        b'a{x="' + b"\\" * 400_000,
        b"# HELP a " + b"\\" * 400_001,
        b"a{" + b'"' * 399_999 + b"} 1",
        b"a " + b" 1" * 200_000,
    ],
)
def test_a_text_that_is_made_to_be_slow_is_refused(text):  # which would take minutes
    with pytest.raises(HookrunnerError):
        parse(text)


PARTS = st.sampled_from(
    [*'ab_{}=",\\ \n#01.e+-', "# TYPE ", "# HELP ", "counter", "histogram", "_bucket", 'le="1"']
)


@given(st.lists(st.lists(PARTS, max_size=25).map("".join), min_size=1, max_size=4))
def test_whatever_containers_print_the_whole_is_valid_and_each_sample_its_own(texts):
    parts = []
    for number, text in enumerate(texts):
        try:
            parts.append((own(f"c{number}"), parse(text.encode())))
        except HookrunnerError:
            continue

    found = samples(merged(parts))

    assert len(found) == sum(one.samples for _, one in parts)
    keys = {(one.name, tuple(sorted(one.labels.items()))) for one in found}
    assert len(keys) == len(found)


@given(st.text())
def test_a_name_is_a_value_of_a_label_whatever_is_in_it(text):
    (one,) = samples(f'a{{b="{label_value(text)}x"}} 1\n')

    assert one.labels["b"].endswith("x")
