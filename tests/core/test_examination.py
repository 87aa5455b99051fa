"""The seed's `--examine`, line for line, and what comes after it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.examination import examination, image_text, one_line

SEED = Path(__file__).parents[2].parent / "shared" / "seed"
STARTED = datetime(2015, 3, 30, 5, 2, 37, tzinfo=UTC)
BASE = {
    "build_cause": "TIMERTRIGGER",
    "build_tag": "jenkins-docker base-20",
    "ci": True,
    "image_tag_names": ["hub.example.net/ops/base"],
    "project": "base",
    "build_time": "2015-03-24 03:25:01",
    "build_time_stamp": 1427167501,
    "image_name": "ops/base",
    "gitref": "fcb5f3c664b293c7a196c9809a33714427804d40",
}
IMAGE = {
    "validate_method": "/srv/validate.sh",
    "start_method": "/srv/start.sh",
    "update_method": "/srv/update.sh",
    "validate": True,
    "build_cause": "TIMERTRIGGER",
    "build_tag": "jenkins-docker dns-55",
    "ci": True,
    "image_tag_names": ["hub.example.net/ops/dns", "ops/dns"],
    "project": "dns",
    "build_time": "2015-03-30 06:02:10",
    "build_time_stamp": 1427691730,
    "image_name": "ops/dns",
    "gitref": "e1b0a445744fec5e584919711cafd8f4cebdee0e",
    "ancestors": [BASE],
}
TEXT = """\
Container first started at 2015-03-30 05:02:37 +0000 (1427691757)

Container management methods:

   Container supports START method using command /srv/start.sh
   Container supports UPDATE method using command /srv/update.sh
   Container supports VALIDATE method using command /srv/validate.sh

Metadata for image base

  Names:
            Project Name: base
              Image Name: ops/base
         Image Tag Names: hub.example.net/ops/base

  Build Info:
                  CI Run: true
                Git Hash: fcb5f3c664b293c7a196c9809a33714427804d40
             Build Cause: TIMERTRIGGER
              Build Time: 2015-03-24 03:25:01 (1427167501)
               Build Tag: jenkins-docker base-20

  Actions:
                   START: not set
                  UPDATE: not set
                VALIDATE: not set

Metadata for image dns

  Names:
            Project Name: dns
              Image Name: ops/dns
         Image Tag Names: hub.example.net/ops/dns, ops/dns

  Build Info:
                  CI Run: true
                Git Hash: e1b0a445744fec5e584919711cafd8f4cebdee0e
             Build Cause: TIMERTRIGGER
              Build Time: 2015-03-30 06:02:10 (1427691730)
               Build Tag: jenkins-docker dns-55

  Actions:
                   START: /srv/start.sh
                  UPDATE: /srv/update.sh
                VALIDATE: /srv/validate.sh
"""


def test_the_seeds_layout_is_kept_line_for_line():
    assert examination(IMAGE, started=STARTED) == TEXT


@pytest.mark.skipif(not SEED.is_dir(), reason="not in this checkout: the article")
def test_the_articles_own_sample_comes_out_of_its_own_metadata():
    article = next(SEED.glob("*.txt")).read_text().replace("\N{NO-BREAK SPACE}", "")
    _, _, sample = article.partition("container --examine\n")
    sample = sample.partition("\n\nThis is the same")[0] + "\n"
    base, image = _read(sample)

    assert examination(image | {"ancestors": [base]}, started=STARTED) == sample


def _read(sample):
    """The metadata of both images, read back from the sample's lines."""
    keys = {
        "Project Name": "project",
        "Image Name": "image_name",
        "Image Tag Names": "image_tag_names",
        "Git Hash": "gitref",
        "Build Cause": "build_cause",
        "Build Tag": "build_tag",
        "START": "start_method",
        "UPDATE": "update_method",
        "VALIDATE": "validate_method",
    }
    for block in sample.split("Metadata for image ")[1:]:
        pairs = dict(line.strip().split(": ", 1) for line in block.splitlines() if ": " in line)
        found = {keys[k]: v for k, v in pairs.items() if k in keys and v != "not set"}
        time, _, stamp = pairs["Build Time"].rpartition(" ")
        yield found | {
            "ci": pairs["CI Run"] == "true",
            "build_time": time,
            "build_time_stamp": int(stamp.strip("()")),
        }


def test_added_facts_come_after_all_that_the_seed_shows():
    image = {"owner": "dns"} | IMAGE | {"git_repo": "https://git.example.net/ops/dns.git"}
    base = BASE | {"standard": 1}

    text = examination(
        image | {"ancestors": [base]}, started=STARTED, facts=[("Deployed By", "anna")]
    )

    assert text.startswith(TEXT)
    assert text.removeprefix(TEXT) == (
        "\n"
        "Added facts of image base\n"
        "\n"
        "                Standard: 1\n"
        "\n"
        "Added facts of image dns\n"
        "\n"
        "          Git Repository: https://git.example.net/ops/dns.git\n"
        "                   owner: dns\n"
        "\n"
        "Runtime facts\n"
        "\n"
        "             Deployed By: anna\n"
    )


def test_later_methods_are_named_where_there_are_any():
    text = image_text(IMAGE | {"monitor_method": "/srv/monitor.sh"})

    assert "\n   Container supports MONITOR method using command /srv/monitor.sh\n\n" in text
    assert "\n                VALIDATE: /srv/validate.sh\n" in text
    assert "\n                 MONITOR: /srv/monitor.sh\n" in text
    assert "METRICS" not in text


def test_what_an_image_does_not_say_is_not_set():
    text = examination({}, started=None)

    assert text.startswith("Container first started at an unknown time\n")
    assert "Metadata for image without a name" in text
    assert "            Project Name: not set\n" in text
    assert "              Build Time: not set\n" in text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
) | st.text(st.characters(exclude_categories=["Cs"]))


@given(st.dictionaries(st.sampled_from([*IMAGE, "owner", "a\nb"]), JSON))
def test_no_value_breaks_the_lines(document):
    lines = examination(document, started=STARTED).split("\n")

    assert all(line.isprintable() for line in lines)
    ancestors = document.get("ancestors")
    family = ancestors if isinstance(ancestors, list) else []
    images = 1 + sum(isinstance(one, dict) for one in family)
    assert sum(line.startswith("Metadata for image ") for line in lines) == images


def test_a_value_is_one_line_of_printable_text():
    assert one_line("a\nb\x1b[31m") == "a\\nb\\x1b[31m"
    assert one_line(["a", "b"]) == "a, b"
    assert one_line({"a": [1, None]}) == '{"a":[1,null]}'
