import pytest
from hypothesis import given
from hypothesis import strategies as st

from batch_client import APIConnectionError, RetryPolicy, ServerError
from batch_client.retry import Retrier, harmless
from tests.unit.batch_client.fake_service import BATCH, FakeClock, answer, client_of

steps = st.integers(0, 100)
waits = st.none() | st.floats(0, 1e12)
draws = st.floats(0, 1, exclude_max=True)


@given(retry=steps, asked=waits, drawn=draws)
def test_no_delay_is_longer_than_its_bounds(retry: int, asked: float | None, drawn: float) -> None:
    policy = RetryPolicy(floor=0.5, ceiling=8, retry_after_cap=60)
    delay = policy.delay(retry, asked, lambda: drawn)
    assert 0 <= delay <= 8 + 60
    assert asked is None or delay >= min(asked, 60)


def test_delays_double_up_to_the_ceiling_and_are_drawn_evenly_below() -> None:
    policy = RetryPolicy(floor=0.5, ceiling=8)
    assert [policy.delay(retry, None, lambda: 1.0) for retry in range(6)] == [0.5, 1, 2, 4, 8, 8]
    assert policy.delay(4, None, lambda: 0.0) == 0


def test_retries_are_bounded_in_count() -> None:
    clock = FakeClock()
    client, service = client_of(answer({}, 500), clock=clock, retry=RetryPolicy(max_retries=3))
    with pytest.raises(ServerError) as caught:
        client.retrieve_batch("batch_1")
    assert (len(service.sent), len(clock.slept), caught.value.attempts) == (4, 3, 4)


def test_retries_are_bounded_in_total_time() -> None:
    clock = FakeClock()
    policy = RetryPolicy(max_retries=100, total=100, retry_after_cap=40)
    client, service = client_of(answer({}, 429, {"retry-after": "86400"}), clock=clock, retry=policy)
    with pytest.raises(Exception, match="429"):
        client.retrieve_batch("batch_1")
    assert len(service.sent) == 3
    assert sum(clock.slept) <= 100


def test_the_service_can_stop_retries() -> None:
    client, service = client_of(answer({}, 500, {"x-should-retry": "false"}), answer(BATCH))
    with pytest.raises(ServerError):
        client.retrieve_batch("batch_1")
    assert len(service.sent) == 1


def test_what_is_not_retryable_is_not_repeated() -> None:
    calls = []

    def fail() -> None:
        calls.append(1)
        raise APIConnectionError("certificate", retryable=False)

    with pytest.raises(APIConnectionError):
        Retrier(RetryPolicy(), FakeClock(), lambda: 0.5).run(fail, harmless)
    assert len(calls) == 1
