"""What may be asked for beside OpenAI's own members, in a body or as user metadata."""

from typing import Any

import pytest

from batchyard import options


def test_options_are_picked_from_a_body() -> None:
    body = {"on_invalid": "skip", "dry_run": True, "max_cost_usd": 0.1, "endpoint": "/v1/responses"}
    assert options.of_body(body) == {"on_invalid": "skip", "dry_run": True, "max_cost_usd": "0.1"}
    assert options.of_body({"on_invalid": None, "dry_run": None, "max_cost_usd": None}) == {}


def test_options_are_picked_from_user_metadata() -> None:
    metadata = {"on-invalid": "skip", "dry-run": "True", "max-cost-usd": "12.50", "metadata": "{}"}
    assert options.of_metadata(metadata) == {"on_invalid": "skip", "dry_run": True, "max_cost_usd": "12.50"}
    assert options.of_metadata({"dry-run": "false"}) == {"dry_run": False}


@pytest.mark.parametrize(
    "named",
    [
        {}, {"on_invalid": "refuse"}, {"on_invalid": "skip"}, {"dry_run": True}, {"dry_run": False}, {"max_cost_usd": 1},
        {"max_cost_usd": 0.000001}, {"max_cost_usd": 1e9},
    ],
)  # fmt: skip
def test_what_can_be_followed_is_not_wrong(named: dict[str, Any]) -> None:
    assert options.wrong(options.of_body(named)) is None


WRONG: dict[str, tuple[str, list[Any]]] = {
    "on_invalid": ("invalid_value", ["SKIP", "", True, 1, "ignore", []]),
    "dry_run": ("invalid_type", ["true", 1, [], ""]),
    "max_cost_usd": ("invalid_value", [0, -1, True, [], float("inf"), 10**30]),
}


@pytest.mark.parametrize(
    ("named", "code"), [({name: value}, code) for name, (code, values) in WRONG.items() for value in values]
)
def test_anything_else_in_a_body_is_told_with_its_name(named: dict[str, Any], code: str) -> None:
    error = options.wrong(options.of_body(named))
    assert error is not None
    assert ([error.param], error.code) == (list(named), code)


@pytest.mark.parametrize(
    "metadata",
    [
        {"on-invalid": "no"}, {"dry-run": "yes"}, {"max-cost-usd": "0"}, {"max-cost-usd": "NaN"}, {"max-cost-usd": "$5"},
        {"max-cost-usd": "1" * 30}, {"max-cost-usd": ""},
    ],
)  # fmt: skip
def test_anything_else_in_user_metadata_is_told_with_its_name(metadata: dict[str, str]) -> None:
    error = options.wrong(options.of_metadata(metadata))
    assert error is not None
    assert [error.param] == [name.replace("-", "_") for name in metadata]
