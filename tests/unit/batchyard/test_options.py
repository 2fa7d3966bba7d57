"""What may be asked for beside OpenAI's own members, in a body or as user metadata."""

import pytest

from batchyard import options


def test_options_are_picked_from_a_body_and_from_user_metadata() -> None:
    assert options.of_body({"on_invalid": "skip", "endpoint": "/v1/responses"}) == {"on_invalid": "skip"}
    assert options.of_body({"on_invalid": None}) == {}
    assert options.of_metadata({"on-invalid": "skip", "metadata": "{}"}) == {"on_invalid": "skip"}


@pytest.mark.parametrize("wanted", ["refuse", "skip"])
def test_what_can_be_followed_is_not_wrong(wanted: str) -> None:
    assert options.wrong({"on_invalid": wanted}) is None
    assert options.wrong({}) is None


@pytest.mark.parametrize("wanted", ["SKIP", "", True, 1, "ignore"])
def test_anything_else_is_told_with_its_name(wanted: object) -> None:
    error = options.wrong({"on_invalid": wanted})
    assert error is not None
    assert (error.code, error.param) == ("invalid_value", "on_invalid")
