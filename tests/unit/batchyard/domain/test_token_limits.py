"""What the user has set and what services write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchyard.domain.token_limits import configured_limit, estimated, limit_of, lowest_published, stated_limit


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


@pytest.mark.parametrize("digits", [16, 38, 39, 310, 4_000, 5_000])
@pytest.mark.parametrize(
    "text", ["Limit: {} enqueued tokens.", "the limit of {}K", "{} enqueued tokens", "limit: 1.{}", "limit: {}.5B"]
)
def test_a_number_without_end_is_no_limit(digits: int, text: str) -> None:
    assert stated_limit(text.format("9" * digits)) is None
    assert stated_limit(text.format(",".join(["999"] * digits))) is None


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


def test_four_bytes_are_one_token_and_a_rest_is_one_more() -> None:
    assert [estimated(size) for size in (0, 1, 4, 5, 400)] == [0, 1, 1, 2, 100]


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o", 90_000), ("gpt-4o-mini-2024-07-18", 2_000_000), ("gpt-4.1-nano", 2_000_000), ("o1-mini", 2_000_000),
        ("text-embedding-3-small", 3_000_000), ("gpt-3.5-turbo", 2_000_000), ("my-own", 1_500_000), ("", 1_500_000),
        ("o3", 90_000),
    ],
)  # fmt: skip
def test_the_first_window_is_the_lowest_limit_that_is_published_for_the_model(model: str, tokens: int) -> None:
    assert lowest_published(model) == tokens
