"""How long a token is known, and its name taken."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from hookrunner.adapters.store import UseQuery
from hookrunner.core.tokens import Use
from hookrunner.errors import ConflictError

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)


MINUTE = timedelta(minutes=1)


def use(number=0, **values):
    at = values.pop("at", NOW + number * MINUTE)
    return Use(
        **{"at": at, "who": "token ci", "what": f"GET /{number}", "status": 200}
        | {"address": "unix"}
        | values
    )


async def test_a_token_is_known_until_it_is_revoked(token, store):
    await store.add_token(token())
    await store.add_use(use(at=NOW + MINUTE), "t-ci")
    used = token(last_used_at=NOW + MINUTE)
    assert await store.token_by_hash("t-cit-ci") == used

    assert await store.revoke_token("ci", NOW + 2 * MINUTE)

    assert (await store.token_by_hash("t-cit-ci")).revoked_at == NOW + 2 * MINUTE
    assert await store.tokens() == [msgspec.structs.replace(used, revoked_at=NOW + 2 * MINUTE)]
    assert not await store.revoke_token("ci", NOW)


async def test_a_tokens_name_is_free_again_once_it_is_revoked_or_expired(token, store):
    await store.add_token(token(expires_at=NOW + MINUTE))

    with pytest.raises(ConflictError, match="named ci"):
        await store.add_token(token(id="2"))
    await store.add_token(token(id="3", created_at=NOW + MINUTE))
    assert await store.revoke_token("ci", NOW + 2 * MINUTE)
    await store.add_token(token(id="4", created_at=NOW + 2 * MINUTE))

    assert [one.id for one in await store.tokens() if not one.revoked_at] == ["4", "t-ci"]


async def test_uses_are_listed_newest_first_by_page_time_and_who(store):
    every = [use(number, who="token ci" if number % 3 else "user root") for number in range(10)]
    for one in every:
        await store.add_use(one, None)

    async def listed(**values):
        return [one for _, one in await store.uses(UseQuery(**values))]

    first = await store.uses(UseQuery(limit=4))
    assert [one for _, one in first] == every[:-5:-1]
    assert await listed(cursor=first[-1][0]) == every[5::-1]
    assert await listed(who="user root") == every[9::-3]
    assert await listed(who="nobody") == []
    assert await listed(since=NOW + 2 * MINUTE, until=NOW + 4 * MINUTE) == every[3:1:-1]
    assert await listed(who="user root", until=NOW + MINUTE) == every[:1]
