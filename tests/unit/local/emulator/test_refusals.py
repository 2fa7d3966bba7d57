from typing import Any

import pytest

from local.emulator.refusals import refusal


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({"temperature": 999}, "temperature", "decimal_above_max_value"),
        ({"temperature": -0.1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": True}, "top_p", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 1.5}, "n", "invalid_type"),
        ({"max_tokens": 10_000_000}, "max_tokens", "integer_above_max_value"),
        ({"max_tokens": 10**400}, "max_tokens", "integer_above_max_value"),
        ({"max_completion_tokens": -(10**400)}, "max_completion_tokens", "integer_below_min_value"),
        ({"temperature": 10**400}, "temperature", "decimal_above_max_value"),
        ({"temperature": float("inf")}, "temperature", "decimal_above_max_value"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": "hi"}, "messages", "invalid_type"),
        ({"input": []}, "input", "empty_array"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused_when_the_line_runs(
    body: dict[str, Any], param: str, code: str
) -> None:
    found = refusal(body)
    assert found is not None
    assert (found.status, found.error["param"], found.error["code"]) == (400, param, code)


def test_the_message_names_the_parameter_the_bound_and_the_value() -> None:
    found = refusal({"temperature": 999})
    assert found is not None
    expected = "Invalid 'temperature': decimal above maximum value. Expected a value <= 2, but got 999 instead."
    assert found.error["message"] == expected


@pytest.mark.parametrize("body", [{}, {"temperature": 2, "top_p": None, "n": 1, "input": "x"}, {"anything": "else"}])
def test_everything_else_is_answered(body: dict[str, Any]) -> None:
    assert refusal(body) is None


def test_a_number_without_end_is_shown_in_part() -> None:
    found = refusal({"max_tokens": 10**400})
    assert found is not None
    assert len(found.error["message"] or "") < 200
