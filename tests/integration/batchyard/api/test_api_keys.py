"""API keys in the real table: a write that its condition refuses is no key, and no request."""

import pytest

from batchyard.api import api_keys
from batchyard.costs.cost import PER_DOLLAR
from tests.fakes.world import World


def test_a_key_that_there_is_not_cannot_be_revoked(world: World) -> None:
    with pytest.raises(api_keys.NoSuchKey, match="the list shows them"):
        api_keys.revoke(world.services.api_key_store, "0" * 16)


def test_the_requests_of_a_key_are_counted_by_minute_up_to_the_most(world: World) -> None:
    store = world.services.api_key_store
    assert [store.count_request("0" * 16, 7, 2) for _ in range(4)] == [True, True, False, False]
    assert store.count_request("0" * 16, 8, 2)
    assert store.count_request("1" * 16, 7, 2)


def test_a_budget_is_set_with_a_key_changed_alone_listed_and_removed(world: World) -> None:
    table = world.services.settings.table
    assert api_keys.main([table, "acme", "--budget", "99.50"]).startswith("by_")
    budget = world.services.quota_store.budget("acme")
    assert budget is not None
    assert budget.amount == 995 * PER_DOLLAR // 10
    assert api_keys.main([table, "--budget", "acme", "1200"]).startswith("acme may spend $1,200.00 a month.")
    assert api_keys.main([table, "--budget", "only-by-s3", "0"]).startswith("only-by-s3 may spend $0.00 a month.")
    *_, first, second = api_keys.main([table, "--list"]).splitlines()
    assert (first, second) == ("acme may spend $1,200.00 a month", "only-by-s3 may spend $0.00 a month")
    assert api_keys.main([table, "--budget", "acme", "none"]) == "acme has no budget."
    assert world.services.quota_store.budget("acme") is None


@pytest.mark.parametrize("text", ["", "-1", "1e3", "NaN", "ten", "1,000", "None", "$250"])
def test_what_is_no_amount_sets_no_budget_and_makes_no_key(world: World, text: str) -> None:
    table = world.services.settings.table
    for arguments in ([table, "acme", "--budget", text], [table, "--budget", "acme", text]):
        with pytest.raises(SystemExit) as ended:
            api_keys.main(arguments)
        assert ended.value.code == (
            f"Nothing was done: BUDGET_USD is '{text}'. Write an amount such as 250 or 99.50, or none."
        )
    assert (list(world.services.api_key_store.all()), list(world.services.quota_store.budgets())) == ([], [])
