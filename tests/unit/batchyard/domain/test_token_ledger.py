"""The rules of the room for enqueued tokens."""

import heapq
import random
from bisect import bisect_left
from itertools import islice
from operator import attrgetter

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.pacing import room_wait
from batchyard.domain.token_ledger import (
    FIRST_UNCONFIRMED,
    LONGEST_NAME,
    MARGIN,
    PROBE_AFTER_REFUSAL,
    Ahead,
    Ledger,
    Reservation,
    Terms,
    after_acceptance,
    after_refusal,
    after_usage,
    ahead_of,
    corrected,
    crowding,
    queue_end,
    recounted,
    short,
    terms,
)
from batchyard.domain.token_limits import LEAST_RATIO, MILLION, MOST_RATIO, USUAL_RATIO, sample_of, tokens_of, wave

NOW = 1_790_000_000
NOBODY = Ahead()
BY_AGE = attrgetter("since")


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
            book, enqueued=book.enqueued + 10, reservations=book.reservations + 1, unconfirmed=book.unconfirmed + 1
        )
    assert terms(book, None, NOBODY, 10, NOW) is None
    taken = Ledger(reservations=12, unconfirmed=5)
    assert terms(taken, None, NOBODY, 10, NOW) is None
    assert terms(msgspec.structs.replace(taken, unconfirmed=3), None, NOBODY, 10, NOW) == Terms(most_unconfirmed=3)


def test_as_much_as_was_taken_in_once_is_sent_at_once() -> None:
    book = Ledger(enqueued=50, reservations=5, unconfirmed=5, accepted=100)
    assert terms(book, None, NOBODY, 50, NOW) == Terms(most_enqueued=50)
    assert terms(book, None, NOBODY, 51, NOW) is None


def test_small_attempts_go_at_once_up_to_the_window_that_grows_with_what_was_taken_in() -> None:
    assert terms(Ledger(enqueued=90, reservations=9, unconfirmed=9), None, NOBODY, 10, NOW, 100) == Terms(
        most_enqueued=90
    )
    assert terms(Ledger(enqueued=91, reservations=9, unconfirmed=9), None, NOBODY, 10, NOW, 100) is None
    assert terms(Ledger(enqueued=0), None, Ahead(9, 91), 10, NOW, 100) is None
    grown = Ledger(enqueued=290, reservations=30, unconfirmed=20, accepted=200)
    assert terms(grown, None, NOBODY, 10, NOW, 100) == Terms(most_enqueued=290)
    assert terms(msgspec.structs.replace(grown, enqueued=391), None, NOBODY, 10, NOW, 100) is None


def test_a_large_attempt_has_no_part_in_the_window() -> None:
    assert terms(Ledger(enqueued=20, unconfirmed=2, reservations=2), None, NOBODY, 11, NOW, 100) is None
    assert terms(Ledger(enqueued=20, unconfirmed=1, reservations=1), None, NOBODY, 11, NOW, 100) == Terms(
        most_unconfirmed=1
    )


def test_who_came_later_takes_only_what_those_before_leave() -> None:
    book = Ledger(enqueued=40, reservations=1)
    assert terms(book, 100, Ahead(1, 30), 30, NOW) == Terms(most_enqueued=70)
    assert terms(book, 100, Ahead(1, 31), 30, NOW) is None


def test_one_that_seems_too_large_goes_when_nobody_else_is_there() -> None:
    assert terms(Ledger(), 100, NOBODY, 500, NOW) == Terms(most_enqueued=0)
    assert terms(Ledger(), 100, Ahead(1, 1), 500, NOW) is None
    assert terms(Ledger(enqueued=1, reservations=1), 100, NOBODY, 500, NOW) is None


def test_a_learned_limit_is_tried_rarely_and_a_configured_one_never() -> None:
    book = Ledger(enqueued=90, reservations=1, confirmed=90, limit=100, probe_at=NOW)
    assert terms(book, 100, NOBODY, 90, NOW) == Terms(most_unconfirmed=0, probed_at=NOW)
    assert terms(book, 100, NOBODY, 90, NOW - 1) is None
    assert terms(book, 100, Ahead(1, 5), 90, NOW) is None
    assert terms(book, 100, NOBODY, 111, NOW) is None, "too far beyond"
    assert terms(msgspec.structs.replace(book, unconfirmed=1), 100, NOBODY, 90, NOW) is None
    assert terms(book, 95, NOBODY, 90, NOW) is None, "the user wants it lower"


def test_after_what_should_fit_was_refused_only_one_tries_and_only_after_a_while() -> None:
    book = msgspec.structs.replace(Ledger(limit=100, probe_at=NOW), **crowding(Ledger(crowded=2), NOW + 60))
    assert book.crowded == 3
    assert terms(book, 100, NOBODY, 10, NOW + 59) is None
    assert terms(book, 100, NOBODY, 10, NOW + 60) == Terms(most_enqueued=90, most_unconfirmed=0)
    assert terms(book, 100, Ahead(1, 1), 10, NOW + 60) is None
    trying = msgspec.structs.replace(book, enqueued=10, reservations=1, unconfirmed=1)
    assert terms(trying, 100, NOBODY, 10, NOW + 60) is None
    assert after_acceptance(msgspec.structs.replace(book, confirmed=10), NOW) == {"crowded": 0, "accepted": 10}


def test_a_stated_limit_is_believed_and_an_unstated_one_guessed() -> None:
    book = Ledger(enqueued=100, reservations=2, confirmed=40, unconfirmed=1)
    later = NOW + PROBE_AFTER_REFUSAL
    assert after_refusal(book, 90, None, NOW) == {"limit": 90, "stated": True, "probe_at": later}
    assert after_refusal(book, None, None, NOW) == {"limit": 50, "stated": False, "probe_at": later}
    alone = Ledger(enqueued=1, reservations=1, unconfirmed=1)
    assert after_refusal(alone, None, None, NOW)["limit"] == 1


def test_tokens_are_taken_for_more_when_what_should_fit_is_refused() -> None:
    book = Ledger(enqueued=80, reservations=2, confirmed=40, unconfirmed=1, limit=90, ratio=USUAL_RATIO)
    learned = after_refusal(book, 90, 90, NOW)
    denser = USUAL_RATIO * 3 // 2
    assert (learned["ratio"], learned["least_ratio"], learned["least_until"] > NOW) == (denser, denser, True)
    assert "ratio" not in after_refusal(book, 70, 70, NOW), "no wonder"
    assert "ratio" not in after_refusal(book, 321, 321, NOW), "320 bytes are no 321 tokens: others must be there"
    dense = msgspec.structs.replace(book, ratio=MILLION)
    assert after_refusal(dense, 80, 90, NOW)["ratio"] == MILLION


def test_tokens_are_taken_for_less_when_more_than_the_stated_limit_was_taken_in() -> None:
    book = Ledger(enqueued=180, reservations=2, confirmed=100, unconfirmed=1)
    assert after_refusal(book, 80, None, NOW)["ratio"] == USUAL_RATIO * 80 // 100


def test_what_was_taken_in_raises_a_limit_or_what_is_known_to_fit() -> None:
    assert after_acceptance(Ledger(confirmed=5, accepted=7), NOW) == {}
    assert after_acceptance(Ledger(confirmed=9, accepted=7), NOW) == {"accepted": 9}
    learned = after_acceptance(Ledger(confirmed=150, limit=100), NOW)
    assert (learned["limit"], learned["probe_at"] > NOW) == (150, True)
    assert after_acceptance(Ledger(confirmed=90, limit=100, accepted=95), NOW) == {}


@given(st.integers(LEAST_RATIO, MOST_RATIO), st.integers(0, 100 * MILLION), st.integers(1, 200 * MILLION))
def test_a_ratio_stays_bounded_and_moves_towards_what_was_seen(ratio: int, sample: int, size: int) -> None:
    after = corrected(Ledger(ratio=ratio), sample, size, NOW)
    seen = max(LEAST_RATIO, min(round(sample * MARGIN), MOST_RATIO))
    assert min(ratio, seen) <= after <= max(ratio, seen)


def test_few_bytes_are_little_evidence_and_less_of_it_for_a_lower_ratio() -> None:
    book = Ledger(ratio=200_000)
    up, down = (corrected(book, sample, 50_000, NOW) - book.ratio for sample in (300_000, 50_000))
    assert (up > 50_000, -8_000 < down < 0) == (True, True)
    assert corrected(book, 150_000, 200 * MILLION, NOW) < 156_000


def test_what_would_fill_the_limit_is_evidence_enough_for_a_lower_ratio() -> None:
    small = Ledger(ratio=200_000, limit=1_000)
    assert corrected(small, 150_000, 5_000, NOW) == (200_000 + round(150_000 * MARGIN)) // 2
    assert corrected(small, 1_000, 200 * MILLION, NOW) >= 100_000, "by half at most"


def test_a_ratio_that_was_lowered_too_far_goes_back_to_where_it_was() -> None:
    assert after_usage(Ledger(ratio=200_000), round(200_000 / MARGIN), 1_000, NOW) == {}
    book = Ledger(ratio=200_000, limit=1_000, enqueued=900)
    lowered = msgspec.structs.replace(book, **after_usage(book, 10_000, 5_000, NOW))
    lowered = msgspec.structs.replace(lowered, **after_usage(lowered, 10_000, 5_000, NOW))
    assert lowered.ratio < 130_000
    assert after_refusal(lowered, 1_000, 1_000, NOW)["ratio"] == 200_000


def test_after_a_refusal_the_ratio_is_kept_up_for_a_day() -> None:
    book = Ledger(ratio=200_000, least_ratio=150_000, least_until=NOW + 1)
    assert corrected(book, 10_000, 200 * MILLION, NOW) >= 150_000
    assert corrected(book, 10_000, 200 * MILLION, NOW + 1) < 101_000


def test_the_ratio_is_that_of_the_lines_that_were_answered_if_they_were_most() -> None:
    assert sample_of(1_000, 10, 10, 200) == 200_000
    assert sample_of(1_000, 10, 9, 180) == 200_000
    assert sample_of(1_000, 10, 8, 160) is None
    assert sample_of(0, 10, 10, 160) is None
    assert sample_of(1_000, 10, 10, 0) is None


def test_those_who_no_longer_come_to_look_are_not_waited_for() -> None:
    waiting = [
        Reservation(attempt=f"b/{at}/1", since=NOW, wanted=30, seen_at=NOW + at, waiting=True) for at in range(4)
    ]
    assert ahead_of(waiting, 1_000, NOW + 2) == Ahead(2, 60)
    assert ahead_of(waiting, 20, NOW) == Ahead(2, 40), "none can take more than the limit"


def test_the_sums_of_a_ledger_follow_from_its_claims() -> None:
    held = [
        Reservation(attempt="b/0/1", since=NOW, tokens=5),
        Reservation(attempt="b/1/1", since=NOW, tokens=7, confirmed=True),
    ]
    waiting = Reservation(attempt="b/2/1", since=NOW, wanted=9, waiting=True)
    true = recounted(Ledger(enqueued=99, reservations=9, limit=50), [*held, waiting])
    assert true == Ledger(enqueued=12, reservations=2, confirmed=7, unconfirmed=1, limit=50)


def test_a_model_s_name_of_any_length_fits_a_key() -> None:
    assert short("gpt-4o") == "gpt-4o"
    long = [short("m" * LONGEST_NAME), short("m" * 5_000), short("m" * 5_001), short("\ud800")]
    assert len(set(long)) == len(long)
    assert all(len(each.encode()) <= LONGEST_NAME for each in long)


def test_a_thousand_who_wait_share_the_room_by_age_and_none_starves() -> None:
    """Play two hours and more: each looks, waits as it is told, enters, stays a while, and leaves."""
    chance, limit, floor, ceiling = random.Random(7), 1_000, 30, 600  # noqa: S311 - a test is to be repeated
    wants = [1_000 if at % 50 == 0 else chance.randint(20, 120) for at in range(1_000)]
    waiting: list[Reservation] = []
    events = [(at, at, "look") for at in range(1_000)]
    book, entered, looks, latest = Ledger(limit=limit, probe_at=2 * NOW), {}, [0] * 1_000, 0
    while events:
        now, at, what = heapq.heappop(events)
        if what == "leave":
            book = msgspec.structs.replace(book, enqueued=book.enqueued - wants[at], reservations=book.reservations - 1)
            continue
        looks[at] += 1
        place = bisect_left(waiting, at, key=BY_AGE)
        ahead = ahead_of(islice(waiting, place), limit, now - 3 * ceiling)
        if place < len(waiting) and waiting[place].since == at:
            del waiting[place]
        if terms(book, limit, ahead, wants[at], now) is None:
            reservation = Reservation(attempt=f"b/{at}/1", since=at, wanted=wants[at], seen_at=now, waiting=True)
            waiting.insert(place, reservation)
            wait = room_wait(now - at, floor, ceiling, chance.random(), soon=not ahead.reservations)
            assert wait >= floor * 0.9
            heapq.heappush(events, (now + wait, at, "look"))
            continue
        assert all(wants[each] + wants[at] <= limit for each in range(at) if each not in entered), (
            "a big one was overtaken"
        )
        book = msgspec.structs.replace(book, enqueued=book.enqueued + wants[at], reservations=book.reservations + 1)
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


def test_no_tenant_need_stand_farther_back_than_behind_all_who_wait() -> None:
    waiting = [
        Reservation(attempt=f"b/{at}/1", since=NOW, tenant=tenant, place=place, wanted=30, waiting=True)
        for at, (tenant, place) in enumerate([("a", 0), ("a", 30), ("b", 7)])
    ]
    held = Reservation(attempt="c/0/1", since=NOW, tenant="c", place=99, tokens=5)
    assert queue_end(Ledger(place=5), [*waiting, held]) == 60
    assert queue_end(Ledger(place=5), [held]) == 5


def test_what_is_overdue_is_not_waited_for() -> None:
    held = [
        Reservation(attempt="b/0/1", since=NOW, tokens=5, overdue=True),
        Reservation(attempt="b/1/1", since=NOW, tokens=7),
    ]
    assert recounted(Ledger(), held) == Ledger(enqueued=12, reservations=2, unconfirmed=1, overdue=1)


def test_what_is_overdue_was_not_taken_in_and_so_lets_no_more_out() -> None:
    book = Ledger(enqueued=120, reservations=12, unconfirmed=2, overdue=10)
    assert terms(book, None, NOBODY, 10, NOW) is None
    few = msgspec.structs.replace(book, unconfirmed=1)
    assert terms(few, None, NOBODY, 10, NOW) == Terms(most_unconfirmed=FIRST_UNCONFIRMED - 1)
    taken_in = msgspec.structs.replace(book, overdue=2)
    assert terms(taken_in, None, NOBODY, 10, NOW) == Terms(most_unconfirmed=3)
