"""``hookrunner hook``: what it prints, and what it refuses."""

import pytest


def test_the_hook_is_filled_with_literals(run, config, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"'''\"\"\"\\\x00\xff;import os#\n" * 2)
    config.write_text(
        "listen: ['unix:/run/x.sock', '[::]:4665']\n"
        f"sources:\n  bare: {{secret_file: {secret}, repositories: ['**']}}\n"
    )
    name = "a'\"\\\nimport os #ü"

    shown = run("hook", "bare", "--repository", name, "--wait", "1m30s")

    assert shown.exit_code == 0, shown.stderr
    assert shown.stdout.isascii()
    values: dict[str, object] = {"__name__": "hook"}
    exec(compile(shown.stdout, "hook", "exec"), values)  # noqa: S102 - that is the test
    assert values["SECRET"] == secret.read_bytes()[:-1]
    assert values["URL"] == "http://[::1]:4665/hooks/bare"
    assert (values["REPOSITORY"], values["WAIT"], values["SECRET_FILE"]) == (name, 90.0, None)
    assert "chmod 0700" in shown.stderr
    assert "gitolite setup --hooks-only" in shown.stderr


@pytest.mark.parametrize(
    ("words", "exit_code"),
    [
        (("other",), 2),
        (("bare", "--url", "ftp://x"), 2),
        (("bare", "--secret-file", "relative"), 2),
        (("bare", "--wait", "60"), 2),
        (("bare",), 78),
        (("bare", "--secret-file", "/s"), 0),
    ],
)
def test_hook_refuses(run, config, words, exit_code):
    config.write_text("sources: {bare: {secret_file: /nowhere/x, repositories: ['**']}}\n")

    assert run("hook", *words).exit_code == exit_code


def test_the_hook_names_the_public_url(run, config):
    config.write_text(
        "public_url: https://hooks.example.net/x\n"
        "sources: {bare: {secret_file: /nowhere/x, repositories: ['**']}}\n"
    )

    shown = run("hook", "bare", "--secret-file", "/s")

    assert "URL = 'https://hooks.example.net/x/hooks/bare'\n" in shown.stdout
    assert "SECRET_FILE = '/s'\n" in shown.stdout
