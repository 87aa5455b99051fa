"""Whose secret opens what: where secrets come from, two at once, what each may speak for."""

CONFIG = """\
sources:
  rotated: {forge: github, secret_env: [NEW, OLD], repositories: ["ops/*"]}
  filed: {forge: github, secret_file: FILE, repositories: ["ops/*"]}
  given: {forge: github, repositories: ["web/*", "git.example.net/dns/**"]}
"""
NEW, OLD, FILED, GIVEN = (f"{name}, a secret of the tests" for name in ("a", "b", "c", "d"))


async def test_each_secret_opens_its_source_and_which_one_it_was_is_told(
    door, body, signed, tmp_path
):
    (tmp_path / "file").write_text(FILED + "\n")
    (tmp_path / "given").write_text(GIVEN + "\n")
    text = CONFIG.replace("FILE", str(tmp_path / "file"))
    environment = {"NEW": NEW, "OLD": OLD, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    async with door(text, **environment) as client:
        told = []
        for secret in (NEW, OLD, FILED, GIVEN):
            data = body()
            _, said, _ = await client.send(
                data, signed(data, secret=secret.encode()), path="/hooks"
            )
            _, found = await client.api("GET", f"/api/v1/deliveries/{said['delivery']}")
            told.append((found["source"], found["secret"], found["ignored"] is None))
        data = body()
        other = await client.status(
            data, signed(data, secret=NEW.encode()), path="/hooks/filed"
        )

    assert told == [
        ("rotated", 0, True),
        ("rotated", 1, True),
        ("filed", 0, True),
        ("given", 0, False),
    ]
    assert other == 401, "a secret opens no other source"


async def test_a_source_that_may_not_speak_for_a_repository_is_told_so(
    door, body, signed, tmp_path
):
    (tmp_path / "file").write_text(FILED)
    (tmp_path / "given").write_text(GIVEN)
    text = CONFIG.replace("FILE", str(tmp_path / "file"))
    environment = {"NEW": NEW, "OLD": OLD, "CREDENTIALS_DIRECTORY": str(tmp_path)}
    async with door(text, **environment) as client:
        data = body()
        status, said, _ = await client.send(
            data, signed(data, secret=GIVEN.encode()), path="/hooks/given"
        )

        assert status == 200
        assert "may not speak for ops/bind" in said["ignored"]
        assert "web/*, git.example.net/dns/**" in said["ignored"]
        assert await client.runs() == []
