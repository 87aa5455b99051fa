"""The safe update: what it does, step by step."""

import time

import pytest

pytestmark = pytest.mark.process


def test_an_update_fetches_validates_switches_and_reloads(site):
    site.update()
    second = site.push("second")

    said = site.update()

    assert [line for line in said.splitlines() if line.startswith(">> ")] == [
        ">> Fetching latest git checkout",
        f">> Checking out {second[:12]}",
        ">> Validating",
        ">> Reloading",
        ">> Checking",
    ]
    assert said.endswith(f"Updated to {second[:12]}.\n")
    assert (site.zone(), site.loaded(), site.gitref()) == ("second", "second", second)
    assert site.git("rev-parse", "HEAD", at=site.live) == second


def test_there_is_nothing_to_do_at_the_tip(site):
    site.update()

    said = site.update()

    assert said == ">> Fetching latest git checkout\nAlready up to date.\n"


def test_what_does_not_validate_changes_nothing(site):
    site.update()
    trees = site.trees()
    site.push("broken")

    said = site.update(code=65)

    assert said.endswith(" is not valid; nothing changed\n")
    assert (site.zone(), site.loaded(), site.gitref()) == ("first", "first", site.first)
    assert site.trees() == trees
    site.push("mended")
    site.update()
    assert site.loaded() == "mended"


def test_what_the_service_refuses_is_taken_back(site):
    site.update()
    site.push("refuse")

    said = site.update(code=65)

    assert f">> Going back to {site.first[:12]}\n" in said
    assert (site.zone(), site.loaded(), site.gitref()) == ("first", "first", site.first)


def test_what_does_not_work_after_the_reload_is_taken_back(site):
    site.describe(
        update_method=f"container-update --reload {site.reload}"
        f" --check 'grep -v odd {site.service}'"
    )
    site.update()
    site.push("odd")

    site.update(code=65)

    assert (site.zone(), site.loaded()) == ("first", "first")


def test_a_service_that_takes_nothing_is_no_fault_of_the_revision(one):
    one.update()
    one.kit.script("reload.sh", "#!/bin/sh\nexit 1\n")
    one.push("second")

    said = one.update(code=1)

    assert "takes neither the new tree nor" in said
    assert one.zone() == "first"


def test_rollback_goes_to_the_revision_before(site):
    site.update()
    site.push("second")
    site.update()

    said = site.kit.run("--rollback", check=0).stdout

    assert said.endswith(f"Back at {site.first[:12]}.\n")
    assert (site.zone(), site.loaded(), site.gitref()) == ("first", "first", site.first)
    assert "no revision before" in site.kit.run("--rollback", check=1).stdout
    site.update()
    assert site.loaded() == "second"


def test_what_comes_back_is_newer_than_what_was_live(one):
    """BIND and others read a file again only if its time is later than their last look."""
    one.update()
    one.push("second")
    one.update()
    loaded = time.time_ns()

    one.kit.run("--rollback", check=0)

    assert (one.live / "zone").stat().st_mtime_ns >= loaded - 20_000_000  # the kernel's tick


def test_rollback_without_a_safe_update_is_78(kit):
    (kit.root / "data").mkdir()
    kit.write({"project": "dns", "checkout": str(kit.root / "data")})

    kit.run("--rollback", check=78)


def test_a_branch_that_was_forced_is_taken_as_it_is(site):
    site.update()
    site.push("second")
    site.update()
    site.git("reset", "-q", "--hard", site.first)
    other = site.push("other", "--force")

    site.update()

    assert (site.loaded(), site.gitref()) == ("other", other)


def test_local_changes_stay_where_they_are_and_are_told(site):
    site.update()
    (site.live / "zone").write_text("by hand\n")
    (site.live / "new").write_text("by hand\n")
    site.push("second")

    said = site.update()

    assert "2 local changes in " in said
    assert (site.loaded(), (site.live / "new").exists()) == ("second", False)


@pytest.mark.parametrize("name", ["index.lock", "packed-refs.lock", "refs/container/tip.lock"])
def test_locks_that_a_killed_git_left_are_no_hindrance(one, name):
    one.update()
    one.push("second")
    for place in (one.store / "repository", *one.store.glob("repository/worktrees/*")):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).touch()

    one.update()

    assert one.loaded() == "second"


def test_a_plain_clone_becomes_a_switched_one_shallow_or_not(site):
    site.push("second")
    site.git("clone", "-q", "--depth", "1", f"file://{site.origin}", site.live, at=site.work)
    site.describe(git_repo=None)
    (site.live / ".git" / "index.lock").touch()
    third = site.push("third")

    said = site.update()

    assert "was a plain directory" in said
    assert (site.loaded(), site.gitref()) == ("third", third)
    site.kit.run("--rollback", check=0)
    assert site.loaded() == "second"


def test_an_empty_directory_is_no_revision(one):
    one.live.mkdir()

    one.update()

    assert one.loaded() == "first"
    one.kit.run("--rollback", check=1)


def test_a_start_script_makes_the_checkout_and_needs_the_server_only_once(site):
    init = ["--init"]
    site.kit.run(*init, program="container-update", check=0)
    assert (site.zone(), site.gitref()) == ("first", site.first)
    away = site.origin.rename(site.origin.with_name("away"))

    site.kit.run(*init, program="container-update", check=0)

    away.rename(site.origin)
    assert "Already up to date." in site.update()
