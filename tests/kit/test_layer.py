"""What a build renders: the same metadata as JSON, as text, for a shell, and as labels."""

import io
import json
import shlex
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hookrunner.core.metadata import LABEL, image_answer
from hookrunner.core.packages import Package
from hookrunner.kit import layer, packages
from hookrunner.kit.documents import label_text, metadata_text, methods_text

ARTICLE = Path(__file__).parents[2].parent / "shared" / "seed"
KEYS = [
    "validate_method",
    "start_method",
    "update_method",
    "validate",
    "build_cause",
    "build_tag",
    "ci",
    "image_tag_names",
    "project",
    "build_time",
    "build_time_stamp",
    "image_name",
    "gitref",
]
BASE = {"project": "base", "gitref": "f" * 40, "standard": 1}


def test_metadata_is_laid_out_as_in_the_seed():
    document = {key: f"of {key}" for key in reversed(KEYS)}

    lines = metadata_text(document).splitlines()

    assert lines[0] == "{"
    assert lines[1] == '  "validate_method": "of validate_method",'
    assert list(json.loads("\n".join(lines))) == KEYS


@pytest.mark.skipif(not ARTICLE.is_dir(), reason="not in this checkout: the article")
def test_the_articles_own_sample_comes_out_of_its_own_metadata():
    text = next(ARTICLE.glob("*.txt")).read_text()
    sample = text.partition("json_reformat\n")[2].partition("\n}\n")[0] + "\n}\n"
    # The sample lacks a comma, and has one too many.
    mended = sample.replace('update.sh"\n', 'update.sh",\n').replace('ee0e",\n}', 'ee0e"\n}')

    assert metadata_text(json.loads(mended)) == mended


def test_added_keys_follow_then_the_users_own_and_the_ancestors():
    document = {
        "ancestors": [{"standard": 1, "project": "base"}],
        "owner": "dns",
        "standard": 1,
        "git_repo": "https://git.example.net/ops/bind.git",
        "project": "bind",
    }

    assert list(json.loads(metadata_text(document))) == [
        *("project", "git_repo", "standard", "owner", "ancestors")
    ]
    assert '      "project": "base",\n      "standard": 1\n' in metadata_text(document)


def test_the_label_is_the_same_document():
    document = {"project": "bïnd", "owner": "a\"b\\c$d\n'", "ancestors": [BASE]}

    assert json.loads(label_text(document)) == json.loads(metadata_text(document)) == document
    assert "\n" not in label_text(document)
    assert image_answer(layer.labels(document)).document == document


def test_labels_of_the_open_container_initiative():
    labels = layer.labels(
        {
            "project": "bind",
            "gitref": "f" * 40,
            "git_repo": "https://git.example.net/ops/bind.git",
            "build_time": "2015-03-30 06:02:10",
            "version": 9,
            "licenses": "MPL-2.0",
            "description": "",
        }
    )

    del labels[LABEL]
    assert labels == {
        "org.opencontainers.image.source": "https://git.example.net/ops/bind.git",
        "org.opencontainers.image.revision": "f" * 40,
        "org.opencontainers.image.created": "2015-03-30T06:02:10Z",
        "org.opencontainers.image.title": "bind",
        "org.opencontainers.image.licenses": "MPL-2.0",
        "org.opencontainers.image.version": "9",
    }


@pytest.mark.process
@given(
    st.dictionaries(
        st.sampled_from(["update_method", "git_repo", "git_branch", "checkout"]),
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    )
)
def test_no_value_is_more_than_a_value_to_the_shell(document):
    names = ["update_method", "git_repo", "git_branch", "checkout_1"]
    script = methods_text(document) + "".join(f"printf '%s\\0' \"${name}\"\n" for name in names)

    done = subprocess.run(["sh"], input=script.encode(), capture_output=True, check=True)

    expected = [document.get(name.removesuffix("_1"), "") for name in names]
    assert done.stdout.decode().split("\0")[:-1] == expected
    assert done.stderr == b""


def test_several_checkouts_have_their_own_repositories():
    text = methods_text(
        {
            "git_repo": "https://git.example.net/ops/bind.git",
            "checkouts": [
                {"path": "/srv/conf"},
                {
                    "path": "/srv/zones",
                    "repository": "git@git.lan:Ops/Zones.git",
                    "branch": "b",
                },
            ],
        }
    )

    values = dict(word.split("=", 1) for word in shlex.split(text))
    assert values["checkouts"] == "2"
    assert (values["checkout_2"], values["branch_2"]) == ("/srv/zones", "b")
    assert (values["path_1"], values["path_2"]) == ("ops/bind", "ops/zones")


def test_the_layer_holds_a_file_for_each_image_and_programs_on_the_path():
    files = layer.files(
        {"project": "bind", "ancestors": [BASE, BASE]}, packages=[Package("a", "1")]
    )

    with tarfile.open(fileobj=io.BytesIO(layer.archive(files, at=7))) as tar:
        entries = {entry.name: entry for entry in tar}
        base = json.load(tar.extractfile("usr/lib/container/ancestors/2.json"))

    assert base == BASE
    assert entries["usr/local/bin/container"].mode == 0o755
    assert entries["usr/lib/container/packages"].mode == 0o644
    assert entries["var/lib/container"].mode == 0o1777
    assert {(e.uid, e.gid, e.mtime) for e in entries.values()} == {(0, 0, 7)}
    assert "usr/local/bin" not in entries  # a directory that is there keeps its mode


def test_programs_go_to_the_first_directory_where_the_usual_one_is_not_on_the_path():
    files = layer.files({}, packages=None, search_path=("/opt/bin", "/bin"))

    assert "opt/bin/container" in {file.path for file in files}


# ---------------------------------------------------------------- packages

DPKG = """\
Package: openssl
Status: install ok installed
Version: 3.0.15-1~deb12u1
Description: Secure Sockets Layer toolkit
 Package: not this

Package: removed
Status: deinstall ok config-files
Version: 1

Package: distroless
Version: 2
"""
APK = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\n\nP:zlib\nV:1.3.1-r1\n"


def test_dpkg_has_what_is_installed():
    assert packages.parse_dpkg(DPKG) == [
        Package("openssl", "3.0.15-1~deb12u1", "dpkg"),
        Package("distroless", "2", "dpkg"),
    ]


def test_apk_has_names_and_versions():
    assert packages.parse_apk(APK) == [
        Package("musl", "1.2.5-r0", "apk"),
        Package("zlib", "1.3.1-r1", "apk"),
    ]


def test_rpm_prints_them_and_its_keys_are_none():
    text = "openssl 1:3.0.7-27.el9\ngpg-pubkey 8483c65d-5ccc5b19\n\n"

    assert packages.parse_rpm(text) == [Package("openssl", "1:3.0.7-27.el9", "rpm")]


@given(st.text())
def test_no_record_is_an_error(text):
    for parse in (packages.parse_dpkg, packages.parse_apk, packages.parse_rpm):
        assert all("\n" not in one.name + one.version for one in parse(text))
