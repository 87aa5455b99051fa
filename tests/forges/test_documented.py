"""What the forges' documents say that they send, one file for each kind of delivery."""

import json

import pytest
from msgspec import convert
from senders import DELIVERIES

from hookrunner.forges import FORGES, detect
from hookrunner.model import Push

FILES = sorted(DELIVERIES.glob("*/*.json"))
FORMS = ["forgejo", "gitea", "github", "gogs"]
each_delivery = pytest.mark.parametrize(
    "file", FILES, ids=lambda f: f"{f.parent.name}-{f.stem}"
)


@pytest.fixture
def sent(send):
    """A delivery of a file, as its forge sends it, and what the file says of it."""

    def make(file, **options):
        said = json.loads(file.read_text("utf-8"))
        request = send(file.parent.name, said["body"], event=said["event"], **options)
        return request, said

    return make


@each_delivery
def test_a_documented_delivery_is_told_proved_and_read(file, sent, secret, instance_key):
    request, said = sent(file)

    forge = detect(request)
    assert forge is FORGES[file.parent.name]
    secrets = [b"another secret, not in use", secret]
    assert forge.prove(request, secrets, instance_key) == 1
    decoded = forge.decode(request)

    assert decoded.forge == forge.name
    assert list(decoded.pushes) == [convert(push, Push) for push in said.get("pushes", ())]
    if "ignored" in said:
        assert said["ignored"] in decoded.ignored
    else:
        assert decoded.ignored is None


@each_delivery
def test_a_documented_delivery_in_a_form_says_the_same(file, sent, secret):
    if file.parent.name not in FORMS:
        return
    plain, _ = sent(file)
    request, _ = sent(file, form=True)

    forge = detect(request)

    assert forge.verify(request, [secret]) == 0
    assert forge.decode(request) == forge.decode(plain)


@each_delivery
def test_a_file_says_what_it_was_written_from(file):
    said = json.loads(file.read_text("utf-8"))

    assert said["written_from"].startswith(("https://", "hookrunner/docs/"))
    assert set(said) <= {"written_from", "event", "body", "pushes", "ignored"}
    assert ("pushes" in said) != ("ignored" in said)


@pytest.mark.parametrize("forge", FORGES)
def test_every_forge_has_a_push_and_something_else(forge):
    names = {file.stem for file in FILES if file.parent.name == forge}

    assert "push" in names
    assert len(names) > 1
