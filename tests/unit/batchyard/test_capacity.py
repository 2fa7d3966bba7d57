"""The rules of the room for enqueued tokens."""

import heapq
import random
from bisect import bisect_left
from itertools import islice
from operator import attrgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.capacity import (
    FIRST_UNCONFIRMED,
    LEAST_RATIO,
    LONGEST_NAME,
    MILLION,
    MOST_RATIO,
    PROBE_AFTER_REFUSAL,
    USUAL_RATIO,
    Ahead,
    Claim,
    Ledger,
    Terms,
    after_acceptance,
    after_refusal,
    ahead_of,
    configured_limit,
    corrected,
    limit_of,
    recounted,
    sample_of,
    short,
    stated_limit,
    terms,
    tokens_of,
    wave,
)
from batchyard.pacing import room_wait

NOW = 1_790_000_000
NOBODY = Ahead()
BY_AGE = attrgetter("since")


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        (
            "Enqueued token limit reached for gpt-4o in organization org-6fjq2. Limit: 90,000 enqueued tokens. Please try …",
            90_000,
        ),
        ("Enqueued token limit reached for gpt-4o-mini-2024-07-18. Limit: 2,000,000 enqueued tokens.", 2_000_000),
        (
            "The number of enqueued tokens has surpassed the configured limit of 30K for the deployment 'gpt-4.1-batch'.",
            30_000,
        ),
        ("The configured limit of 1.5M for the deployment 'm' is reached", 1_500_000),
        ("limit is 5_000_000", 5_000_000),
        ("Limit: 1.350.000 Token", 1_350_000),
        ("You may have 100000 enqueued tokens at most", 100_000),
        ("Enqueued token limit reached for gpt-4o in organization org-2.", None),
        ("Limit: 0 enqueued tokens", None),
        ("no room", None),
        ("", None),
    ],
)
def test_the_limit_is_read_from_what_services_really_write(message: str, limit: int | None) -> None:
    assert stated_limit(message) == limit


@given(st.text())
def test_no_message_breaks_the_reading(message: str) -> None:
    assert (stated_limit(f"limit: {message}") or 1) > 0


@pytest.mark.parametrize(
    ("text", "model", "limit"),
    [
        ("0", "m", None),
        ("", "m", None),
        ("90000", "m", 90_000),
        ("gpt-4o=90000,gpt-4o-mini=2000000,7", "gpt-4o", 90_000),
        ("gpt-4o=90000,gpt-4o-mini=2000000,7", "gpt-4o-mini", 2_000_000),
        ("gpt-4o=90000,gpt-4o-mini=2000000,7", "other", 7),
        ("gpt-4o=90000", "other", None),
        ("gpt-4o=0,7", "gpt-4o", None),
        ("ft:m:x=1=5", "ft:m:x=1", 5),
    ],
)
def test_the_configured_limit_is_that_of_the_model_or_that_of_all(text: str, model: str, limit: int | None) -> None:
    assert configured_limit(text, model) == limit


@pytest.mark.parametrize("text", ["many", "m=", "m=-1", "1,m=x", "1.5"])
def test_a_configured_limit_that_is_none_is_told(text: str) -> None:
    with pytest.raises(ValueError, match=r"^MaxEnqueuedTokens must be a number or model=number"):
        configured_limit(text, "m")


def test_the_lower_of_the_known_limits_is_kept_to() -> None:
    assert [limit_of(*each) for each in ((None, None), (5, None), (None, 7), (5, 7), (9, 7))] == [None, 5, 7, 5, 7]


@given(
    st.lists(st.integers(1, 10_000), min_size=1, max_size=50), st.integers(1, 20_000), st.integers(LEAST_RATIO, MILLION)
)
def test_a_wave_is_the_longest_that_fits_and_at_least_one_line(sizes: list[int], most: int, ratio: int) -> None:
    lines, size = wave(sizes, ratio, most)
    assert (1 <= lines <= len(sizes), size) == (True, sum(sizes[:lines]))
    assert lines == 1 or tokens_of(size, ratio) <= most
    assert lines == len(sizes) or tokens_of(sum(sizes[: lines + 1]), ratio) > most


def test_without_a_limit_all_lines_go_at_once() -> None:
    assert wave([10, 20, 30], USUAL_RATIO, None) == (3, 60)
    assert wave([], USUAL_RATIO, None) == wave([], USUAL_RATIO, 5) == (0, 0)


def test_before_a_limit_is_known_few_are_sent_until_the_provider_has_taken_them_in() -> None:
    book = Ledger()
    for _ in range(FIRST_UNCONFIRMED):
        assert terms(book, None, NOBODY, 10, NOW) == Terms(most_unconfirmed=FIRST_UNCONFIRMED - 1)
        book = msgspec.structs.replace(
            book, enqueued=book.enqueued + 10, claims=book.claims + 1, unconfirmed=book.unconfirmed + 1
        )
    assert terms(book, None, NOBODY, 10, NOW) is None
    taken = Ledger(claims=12, unconfirmed=5)
    assert terms(taken, None, NOBODY, 10, NOW) is None
    assert terms(msgspec.structs.replace(taken, unconfirmed=3), None, NOBODY, 10, NOW) == Terms(most_unconfirmed=3)


def test_as_much_as_was_taken_in_once_is_sent_at_once() -> None:
    book = Ledger(enqueued=50, claims=5, unconfirmed=5, accepted=100)
    assert terms(book, None, NOBODY, 50, NOW) == Terms(most_enqueued=50)
    assert terms(book, None, NOBODY, 51, NOW) is None


def test_who_came_later_takes_only_what_those_before_leave() -> None:
    book = Ledger(enqueued=40, claims=1)
    assert terms(book, 100, Ahead(1, 30), 30, NOW) == Terms(most_enqueued=70)
    assert terms(book, 100, Ahead(1, 31), 30, NOW) is None


def test_one_that_seems_too_large_goes_when_nobody_else_is_there() -> None:
    assert terms(Ledger(), 100, NOBODY, 500, NOW) == Terms(most_enqueued=0)
    assert terms(Ledger(), 100, Ahead(1, 1), 500, NOW) is None
    assert terms(Ledger(enqueued=1, claims=1), 100, NOBODY, 500, NOW) is None


def test_a_learned_limit_is_tried_rarely_and_a_configured_one_never() -> None:
    book = Ledger(enqueued=90, claims=1, confirmed=90, limit=100, probe_at=NOW)
    assert terms(book, 100, NOBODY, 90, NOW) == Terms(most_unconfirmed=0, probed_at=NOW)
    assert terms(book, 100, NOBODY, 90, NOW - 1) is None
    assert terms(book, 100, Ahead(1, 5), 90, NOW) is None
    assert terms(book, 100, NOBODY, 111, NOW) is None, "too far beyond"
    assert terms(msgspec.structs.replace(book, unconfirmed=1), 100, NOBODY, 90, NOW) is None
    assert terms(book, 95, NOBODY, 90, NOW) is None, "the user wants it lower"


def test_a_stated_limit_is_believed_and_an_unstated_one_guessed() -> None:
    book = Ledger(enqueued=100, claims=2, confirmed=40, unconfirmed=1)
    later = NOW + PROBE_AFTER_REFUSAL
    assert after_refusal(book, 90, None, 60, NOW) == {"limit": 90, "stated": True, "probe_at": later}
    assert after_refusal(book, None, None, 60, NOW) == {"limit": 50, "stated": False, "probe_at": later}
    alone = Ledger(enqueued=1, claims=1, unconfirmed=1)
    assert after_refusal(alone, None, None, 1, NOW)["limit"] == 1


def test_tokens_are_taken_for_more_when_what_should_fit_is_refused_beside_others() -> None:
    book = Ledger(enqueued=80, claims=2, confirmed=40, unconfirmed=1, limit=90, ratio=USUAL_RATIO)
    assert after_refusal(book, 90, 90, 40, NOW)["ratio"] == USUAL_RATIO * 5 // 4
    assert "ratio" not in after_refusal(book, 90, 90, 80, NOW), "it was alone: its shard sends less instead"
    assert "ratio" not in after_refusal(book, 70, 70, 40, NOW), "no wonder"


def test_what_was_taken_in_raises_a_limit_or_what_is_known_to_fit() -> None:
    assert after_acceptance(Ledger(confirmed=5, accepted=7), NOW) == {}
    assert after_acceptance(Ledger(confirmed=9, accepted=7), NOW) == {"accepted": 9}
    learned = after_acceptance(Ledger(confirmed=150, limit=100), NOW)
    assert (learned["limit"], learned["probe_at"] > NOW) == (150, True)
    assert after_acceptance(Ledger(confirmed=90, limit=100, accepted=95), NOW) == {}


@given(st.integers(LEAST_RATIO, MOST_RATIO), st.integers(0, 100 * MILLION))
def test_a_ratio_stays_bounded_rises_at_once_and_falls_slowly(ratio: int, sample: int) -> None:
    after = corrected(ratio, sample)
    assert LEAST_RATIO <= after <= MOST_RATIO
    assert after >= min(sample, MOST_RATIO) or after < ratio
    assert after >= ratio * 7 // 8 - 1


def test_the_ratio_is_that_of_the_lines_that_were_answered_if_they_were_most() -> None:
    assert sample_of(1_000, 10, 10, 200) == 200_000
    assert sample_of(1_000, 10, 9, 180) == 200_000
    assert sample_of(1_000, 10, 8, 160) is None
    assert sample_of(0, 10, 10, 160) is None
    assert sample_of(1_000, 10, 10, 0) is None


def test_those_who_no_longer_come_to_look_are_not_waited_for() -> None:
    waiting = [Claim(attempt=f"b/{at}/1", since=NOW, wanted=30, seen_at=NOW + at, waiting=True) for at in range(4)]
    assert ahead_of(waiting, 1_000, NOW + 2) == Ahead(2, 60)
    assert ahead_of(waiting, 20, NOW) == Ahead(2, 40), "none can take more than the limit"


def test_the_sums_of_a_ledger_follow_from_its_claims() -> None:
    held = [Claim(attempt="b/0/1", since=NOW, tokens=5), Claim(attempt="b/1/1", since=NOW, tokens=7, confirmed=True)]
    waiting = Claim(attempt="b/2/1", since=NOW, wanted=9, waiting=True)
    true = recounted(Ledger(enqueued=99, claims=9, limit=50), [*held, waiting])
    assert true == Ledger(enqueued=12, claims=2, confirmed=7, unconfirmed=1, limit=50)


def test_a_model_s_name_of_any_length_fits_a_key() -> None:
    assert short("gpt-4o") == "gpt-4o"
    long = [short("m" * LONGEST_NAME), short("m" * 5_000), short("m" * 5_001), short("\ud800")]
    assert len(set(long)) == len(long)
    assert all(len(each.encode()) <= LONGEST_NAME for each in long)


def test_a_thousand_who_wait_share_the_room_by_age_and_none_starves() -> None:
    """Play two hours and more: each looks, waits as it is told, enters, stays a while, and leaves."""
    chance, limit, floor, ceiling = random.Random(7), 1_000, 30, 600  # noqa: S311 - a test is to be repeated
    wants = [1_000 if at % 50 == 0 else chance.randint(20, 120) for at in range(1_000)]
    waiting: list[Claim] = []
    events = [(at, at, "look") for at in range(1_000)]
    book, entered, looks, latest = Ledger(limit=limit, probe_at=2 * NOW), {}, [0] * 1_000, 0
    while events:
        now, at, what = heapq.heappop(events)
        if what == "leave":
            book = msgspec.structs.replace(book, enqueued=book.enqueued - wants[at], claims=book.claims - 1)
            continue
        looks[at] += 1
        place = bisect_left(waiting, at, key=BY_AGE)
        ahead = ahead_of(islice(waiting, place), limit, now - 3 * ceiling)
        if place < len(waiting) and waiting[place].since == at:
            del waiting[place]
        if terms(book, limit, ahead, wants[at], now) is None:
            claim = Claim(attempt=f"b/{at}/1", since=at, wanted=wants[at], seen_at=now, waiting=True)
            waiting.insert(place, claim)
            wait = room_wait(now - at, floor, ceiling, chance.random(), soon=not ahead.claims)
            assert wait >= floor * 0.9
            heapq.heappush(events, (now + wait, at, "look"))
            continue
        assert all(wants[each] + wants[at] <= limit for each in range(at) if each not in entered), (
            "a big one was overtaken"
        )
        book = msgspec.structs.replace(book, enqueued=book.enqueued + wants[at], claims=book.claims + 1)
        assert book.enqueued <= limit
        entered[at], latest = now, max(latest, now)
        heapq.heappush(events, (now + chance.randint(300, 900), at, "leave"))
    assert len(entered) == 1_000
    assert book.enqueued == 0
    assert latest < 5 * sum(wants) / limit * 900, "the room was left empty"
    order = sorted(entered, key=entered.__getitem__)
    overtaken = max(sum(1 for later in order[:place] if later > at) for place, at in enumerate(order))
    assert overtaken <= 60
    assert max(looks) <= latest / ceiling + latest / floor / 20, "waiting long must not mean looking often"
