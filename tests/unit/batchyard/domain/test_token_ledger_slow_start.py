"""What goes out while nobody knows the limit: small attempts at once, large ones bravely, and few are refused."""

import heapq
import random
from dataclasses import dataclass, field

import msgspec
import pytest

from batchyard.domain.pacing import floor_while_unknown, room_wait
from batchyard.domain.token_ledger import Ahead, Ledger, after_acceptance, after_refusal, terms
from batchyard.domain.token_limits import limit_of, lowest_published

FLOOR, CEILING = 30, 600  # seconds between looks, as a stack has them by default


@dataclass
class Provider:
    """A queue of `limit` tokens, which tells what is too much by failing it; each attempt takes `seconds`."""

    limit: float
    seconds: int
    queued: int = 0
    refused: int = 0
    created: dict[int, int] = field(default_factory=dict)


def play(wants: list[int], provider: Provider, first: int) -> Ledger:
    """Submit attempts of these tokens, all present from the start; each is looked at every `FLOOR` seconds."""
    chance = random.Random(3)  # noqa: S311 - a test is to be repeated
    due = [(0, at, "submit") for at in range(len(wants))]
    ledger, waiting = Ledger(), set(range(len(wants)))
    while due:
        now, at, what = heapq.heappop(due)
        known = limit_of(None, ledger.limit)
        if what == "submit":
            older = sorted(each for each in waiting if each < at)[:100]
            ahead = Ahead(len(older), sum(wants[each] for each in older))
            if terms(ledger, known, ahead, wants[at], now, first) is None:
                floor = FLOOR if known else floor_while_unknown(now, FLOOR)
                wait = room_wait(now, floor, CEILING, chance.random(), soon=known is None or not older)
                heapq.heappush(due, (now + wait, at, "submit"))
                continue
            waiting.discard(at)
            ledger = moved(ledger, enqueued=wants[at], reservations=1, unconfirmed=1)
            fits = provider.queued + wants[at] <= provider.limit
            provider.queued += wants[at] if fits else 0
            provider.created.setdefault(at, now)
            first_poll = FLOOR if known else floor_while_unknown(0, FLOOR)
            heapq.heappush(due, (now + first_poll, at, "accepted" if fits else "refused"))
        elif what == "accepted":
            ledger = moved(ledger, confirmed=wants[at], unconfirmed=-1)
            ledger = msgspec.structs.replace(ledger, **after_acceptance(ledger, now))
            heapq.heappush(due, (provider.created[at] + max(2 * FLOOR, provider.seconds), at, "done"))
        elif what == "refused":
            provider.refused += 1
            ledger = msgspec.structs.replace(ledger, **after_refusal(ledger, int(provider.limit), known, now))
            ledger = moved(ledger, enqueued=-wants[at], reservations=-1, unconfirmed=-1)
            waiting.add(at)
            heapq.heappush(due, (now + FLOOR, at, "submit"))
        else:
            provider.queued -= wants[at]
            ledger = moved(ledger, enqueued=-wants[at], reservations=-1, confirmed=-wants[at])
    return ledger


def moved(ledger: Ledger, **by: int) -> Ledger:
    return msgspec.structs.replace(ledger, **{name: getattr(ledger, name) + more for name, more in by.items()})


@pytest.mark.parametrize("model", ["gpt-4.1-mini", "gpt-5", "a-model-of-my-own", "gpt-4o", "o1"])
def test_a_thousand_small_files_are_all_submitted_within_two_minutes(model: str) -> None:
    provider = Provider(limit=float("inf"), seconds=60)
    play([800] * 1_000, provider, lowest_published(model))
    assert len(provider.created) == 1_000
    assert max(provider.created.values()) <= 120


def test_forty_small_files_go_at_once() -> None:
    provider = Provider(limit=float("inf"), seconds=60)
    play([800] * 40, provider, lowest_published("a-model-of-my-own"))
    assert max(provider.created.values()) == 0


@pytest.mark.parametrize(
    ("model", "limit", "tokens", "attempts"),
    [
        ("gpt-4o", 90_000, 50_000, 10), ("gpt-4o", 90_000, 20_000, 40), ("gpt-4o", 1_350_000, 200_000, 40),
        ("gpt-4o-mini", 2_000_000, 1_000_000, 20), ("gpt-4o-mini", 20_000_000, 5_000_000, 40),
    ],
)  # fmt: skip
def test_under_a_real_limit_a_handful_are_refused_and_all_get_their_turn(
    model: str, limit: int, tokens: int, attempts: int
) -> None:
    provider = Provider(limit=limit, seconds=600)
    play([tokens] * attempts, provider, lowest_published(model))
    assert provider.refused <= 5
    assert len(provider.created) == attempts


@pytest.mark.parametrize("limit", [100_000, 200_000, 500_000])
def test_where_small_attempts_meet_a_limit_no_more_are_refused_than_one_growth_of_the_window(limit: int) -> None:
    provider = Provider(limit=limit, seconds=60)
    play([800] * 1_000, provider, lowest_published("gpt-4o"))
    assert provider.refused <= limit // 2 // 800
    assert len(provider.created) == 1_000


def test_what_was_taken_in_is_remembered_when_all_work_has_ended() -> None:
    ledger = play([800] * 100, Provider(limit=float("inf"), seconds=60), 90_000)
    assert (ledger.enqueued, ledger.confirmed) == (0, 0)
    assert ledger.accepted == 80_000
