"""What every store relies on in the table, and where one engine for the table answers otherwise than another."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from batchyard.adapters import aws
from batchyard.adapters.stores.token_ledger_store import QUEUE_PAGE
from batchyard.domain.errors import StoreError
from batchyard.domain.token_ledger import Ledger, Reservation, Terms

if TYPE_CHECKING:
    from tests.fakes.world import World

NAME, TTL = "api.example.com#m", 1_800_000_000
LONGEST_KEY = 1_024  # bytes of `pk`, which is a sort key in two of the indexes
WORKERS, EACH = 4, 10


def reservation(attempt: str) -> Reservation:
    return Reservation(attempt=attempt, since=100, wanted=7, seen_at=500)


def test_a_list_whose_last_page_is_full_ends_there(world: World) -> None:
    """DynamoDB names a key to go on behind, though nothing follows; moto knows that nothing follows."""
    store = world.services.account().token_ledgers
    for at in range(2 * QUEUE_PAGE):
        store.wait(NAME, reservation(f"b/{at:02}/1"), TTL)
    found = [each.attempt for each in store.ahead(NAME, reservation("c"))]
    assert found == [f"b/{at:02}/1" for at in range(2 * QUEUE_PAGE)]


def test_the_key_of_a_record_has_as_many_bytes_as_a_sort_key_of_an_index(world: World) -> None:
    receipts, room = world.services.webhook_receipts, LONGEST_KEY - len("WEBHOOK#")
    receipts.record("x" * room, TTL)
    assert receipts.has("x" * room)
    with pytest.raises(StoreError, match="ValidationException"):
        receipts.record("x" * (room + 1), TTL)


def test_a_transaction_that_is_sent_again_after_its_answer_was_lost_counts_once(world: World) -> None:
    """DynamoDB knows the token of the request and answers as before; moto refuses the second request by its condition."""
    sent = list[int]()

    def again(attempts: int, **_: Any) -> float | None:
        sent.append(attempts)
        return 0.0 if attempts == 1 else None

    hook: Any = again  # its answer counts, though the stubs say that it has none
    aws.client("dynamodb").meta.events.register_first("needs-retry.dynamodb.TransactWriteItems", hook)
    store = world.services.account().token_ledgers
    store.take(NAME, reservation("b/0/1"), Terms(), TTL)
    assert sent == [1, 2]
    assert store.read(NAME) == Ledger(enqueued=7, reservations=1, unconfirmed=1, version=1)


def test_workers_side_by_side_lose_no_reservation_and_take_no_more_than_there_is(
    world: World, concurrent_table: None
) -> None:
    del concurrent_table
    store = world.services.account().token_ledgers
    terms = Terms(most_enqueued=7 * WORKERS * EACH // 2 - 1)

    def work(worker: int) -> int:
        return sum(store.take(NAME, reservation(f"b/{worker}/{at}"), terms, TTL) for at in range(EACH))

    with ThreadPoolExecutor(WORKERS) as pool:
        taken = sum(pool.map(work, range(WORKERS)))
    ledger = store.read(NAME)
    assert taken == WORKERS * EACH // 2
    assert (ledger.enqueued, ledger.reservations, ledger.version) == (7 * taken, taken, taken)
    assert sum(each.tokens for each in store.reservations(NAME)) == 7 * taken
