import pytest
from requests.structures import CaseInsensitiveDict

from batch_client import HttpInfo, RateLimit


def info(**headers: str) -> HttpInfo[None]:
    return HttpInfo(None, 200, CaseInsensitiveDict({name.replace("_", "-"): text for name, text in headers.items()}))


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1s", 1.0), ("6m0s", 360.0), ("120ms", 0.12), ("1h1m1.5s", 3661.5), ("1d", 86400.0), ("soon", None), ("", None)],
)
def test_a_reset_is_read_as_seconds(reset: str, seconds: float | None) -> None:
    assert info(x_ratelimit_reset_tokens=reset).rate_limit("tokens").reset == seconds


def test_limits_are_read_by_what_they_limit() -> None:
    told = info(X_RateLimit_Limit_Requests="500", X_RateLimit_Remaining_Requests="499")
    assert told.rate_limit() == RateLimit(500, 499, None)
    assert told.rate_limit("project-tokens") == RateLimit(None, None, None)


def test_an_unreadable_limit_is_none() -> None:
    assert info(x_ratelimit_limit_requests="many").rate_limit().limit is None


def test_the_id_of_a_request_is_cut_where_it_has_no_end() -> None:
    assert info(x_request_id="r" * 60_000).request_id == "r" * 200
