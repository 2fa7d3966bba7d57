"""A slip in the option `accept` is refused before it is paid: each answer that is not accepted is asked for again."""

import pytest

from batchyard.acceptance.rules import wrong


@pytest.mark.parametrize(
    ("word", "meant"), [("STOP", "stop"), ("stopp", "stop"), ("tool_call", "tool_calls"), ("Length", "length")]
)
def test_a_misspelt_finish_reason_is_refused_with_the_one_that_is_meant(word: str, meant: str) -> None:
    error = wrong({"finish_reason": ["stop", word]})
    assert error is not None
    assert (error.code, error.param) == ("invalid_value", "accept.finish_reason")
    assert f"Did you mean '{meant}'?" in error.message


@pytest.mark.parametrize("word", ["stop", "length", "tool_calls", "content_filter", "eos", "stop_sequence", "end_turn"])
def test_a_reason_that_a_service_may_have_is_taken(word: str) -> None:
    assert wrong({"finish_reason": [word]}) is None
