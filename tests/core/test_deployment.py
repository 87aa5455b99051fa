"""What is known of a container's start: its environment's word, else the engine's."""

from datetime import UTC, datetime

from hookrunner.core.deployment import runtime_facts

CREATED = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_the_environment_counts_more_than_the_engine():
    found = runtime_facts(
        {
            "CONTAINER_DEPLOYED_AT": "2026-11-23 11:59:58",
            "CONTAINER_DEPLOYED_BY": "anna",
            "CONTAINER_DEPLOYED_REASON": "the nightly rebuild",
            "CONTAINER_DEPLOYED_NODE": "dns1",
            "PASSWORD": "x",
        },
        created_at=CREATED,
        node="local",
    )

    assert list(found.keys.items()) == [
        ("deployed_at", "2026-11-23 11:59:58"),
        ("deployed_by", "anna"),
        ("deployed_reason", "the nightly rebuild"),
        ("deployed_node", "dns1"),
    ]
    assert set(found.origins.values()) == {"environment"}


def test_the_engine_stands_in_for_what_nobody_said():
    found = runtime_facts({"CONTAINER_DEPLOYED_BY": " "}, created_at=CREATED, node="local")

    assert found.keys == {"deployed_at": "2026-11-23T12:00:00Z", "deployed_node": "local"}
    assert found.origins == dict.fromkeys(found.keys, "engine")
