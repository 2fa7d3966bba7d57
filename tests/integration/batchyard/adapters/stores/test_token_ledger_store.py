"""The real table's ledgers do what the ledgers in memory do, move for move."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from msgspec.structs import asdict

from batchyard.adapters import aws
from batchyard.domain.token_ledger import Ledger, Reservation, Terms, ahead_of
from tests.fakes.moto import TABLE
from tests.fakes.stores import MemoryTokenLedgerStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from batchyard.adapters.stores.token_ledger_store import TokenLedgerStore
    from tests.fakes.world import World

NAME, TTL = "127.0.0.1#m", 1_800_000_000
A, B, C = (Reservation(attempt=f"b/{at}/1", since=100 + at, wanted=40, seen_at=500) for at in range(3))
D = Reservation(attempt="b/3/1", since=90, tenant="a-tenant", place=1, wanted=40, seen_at=500)  # it stands last


def held(book: TokenLedgerStore, reservation: Reservation) -> Reservation:
    known = book.reservation(NAME, reservation.attempt)
    assert known is not None
    return known


# Every move, each in the state that those before it left.
TRANSITIONS: list[Callable[[TokenLedgerStore], object]] = [
    lambda book: book.take(NAME, A, Terms(most_enqueued=60), TTL),
    lambda book: book.take(NAME, A, Terms(), TTL),  # again
    lambda book: book.take(NAME, B, Terms(most_enqueued=39), TTL),  # there is more by now
    lambda book: book.take(NAME, B, Terms(most_unconfirmed=0), TTL),
    lambda book: book.wait(NAME, C, TTL),
    lambda book: book.wait(NAME, B, TTL),
    lambda book: book.wait(NAME, A, TTL),  # it holds its tokens
    lambda book: book.confirm(NAME, held(book, A)),
    lambda book: book.confirm(NAME, A),  # as it was before it held any
    lambda book: book.take(NAME, B, Terms(most_enqueued=40, most_unconfirmed=0), TTL),
    lambda book: book.change(NAME, limit=90, stated=True, probe_at=7, ratio=200_000),
    lambda book: book.take(NAME, C, Terms(probed_at=6), TTL),
    lambda book: book.take(NAME, C, Terms(probed_at=7, most_unconfirmed=1), TTL),
    lambda book: book.release(NAME, held(book, A), TTL, ended=True),
    lambda book: book.release(NAME, held(book, B), TTL, ended=False),
    lambda book: book.release(NAME, held(book, B), TTL, ended=False),
    lambda book: book.take(NAME, A, Terms(), TTL),  # it has ended
    lambda book: book.wait(NAME, A, TTL),
    lambda book: book.take(NAME, B, Terms(), TTL),
    lambda book: book.recount(NAME, book.read(NAME), Ledger(enqueued=5, reservations=1, confirmed=2, overdue=3)),
    lambda book: book.recount(NAME, Ledger(version=1), Ledger()),
    lambda book: book.take_place(NAME, "a-tenant", 0, 30),
    lambda book: book.take_place(NAME, "a-tenant", 0, 5),
    lambda book: book.take_place(NAME, "another", 7, 5),
    lambda book: book.take_place(NAME, "another", 70, 5),
    lambda book: book.correct_tenant(NAME, "another", 74, 1),
    lambda book: book.correct_tenant(NAME, "another", 75, 1),
    lambda book: book.wait(NAME, D, TTL),
    lambda book: book.take(NAME, D, Terms(), TTL, 9),
    lambda book: book.mark_overdue(NAME, D),
    lambda book: book.mark_overdue(NAME, held(book, D)),
    lambda book: book.confirm(NAME, held(book, D)),
    lambda book: book.release(NAME, held(book, D), TTL, ended=False),
    lambda book: book.take(NAME, D, Terms(), TTL, 9),
    lambda book: book.mark_overdue(NAME, held(book, D)),
    lambda book: book.release(NAME, held(book, D), TTL, ended=True),
]


def seen(book: TokenLedgerStore) -> Any:
    reservations = sorted(book.reservations(NAME), key=lambda reservation: reservation.attempt)
    late = Reservation(attempt="z", since=10**9)
    queue = [reservation.attempt for reservation in book.ahead(NAME, late)]
    names, tenants = list(book.names()), book.tenants(NAME)
    return book.read(NAME), reservations, queue, list(book.ahead(NAME, B)), names, tenants


def test_every_move_has_the_same_answer_and_leaves_the_same(world: World) -> None:
    real, fake = world.services.account().token_ledgers, MemoryTokenLedgerStore()
    for at, move in enumerate(TRANSITIONS):
        assert move(real) == move(fake), f"move {at}"
        assert seen(real) == seen(fake), f"after move {at}"


def test_the_attempt_that_waits_longest_is_first_whoever_came_first(world: World) -> None:
    for reservation in (C, A, B):
        world.services.account().token_ledgers.wait(NAME, reservation, TTL)
    assert [reservation.attempt for reservation in world.services.account().token_ledgers.ahead(NAME, C)] == [
        A.attempt,
        B.attempt,
    ]


def test_a_look_at_a_queue_of_ten_thousand_costs_a_few_read_units(world: World) -> None:
    read = list[int]()
    aws.client("dynamodb").meta.events.register(
        "after-call.dynamodb.Query", lambda parsed, **_: read.append(units(parsed))
    )
    store = world.services.account().token_ledgers
    queue = (Reservation(attempt=f"b/{at}/1", since=at, wanted=40, seen_at=500, waiting=True) for at in range(10_000))
    with boto3.resource("dynamodb").Table(TABLE).batch_writer() as writer:
        for each in queue:
            index = {"gsi1pk": f"QUEUE#{NAME}", "gsi1sk": f"{each.since:010}#{each.attempt}"}
            writer.put_item({"pk": f"TOKENS#{NAME}", "sk": f"RESERVATION#{each.attempt}", **asdict(each), **index})
    for limit in (100, 2_000, 4_000, None):
        read.clear()
        ahead_of(store.ahead(NAME, Reservation(attempt="last", since=10**6)), limit, 0)
        assert 0 < sum(read) <= 10, limit


def units(answer: Any) -> int:
    """Count the read units of a page: half a unit for each 4 KB, as an index is never read consistently."""
    size = sum(len(json.dumps(item)) for item in answer["Items"])
    return -(-size // 8_192)


@pytest.mark.parametrize("model", ["m", "gpt-4o", "ft:gpt-4o:a/b#c", "m" * 256, "模型"])
def test_ledgers_of_any_model_are_told_apart(world: World, model: str) -> None:
    world.services.account().token_ledgers.change(f"127.0.0.1#{model}", limit=5)
    assert list(world.services.account().token_ledgers.names()) == [f"127.0.0.1#{model}"]
    assert world.services.account().token_ledgers.read(f"127.0.0.1#{model}").limit == 5
