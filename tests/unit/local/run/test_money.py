"""What a run may spend, and the estimate in words."""

import json
from pathlib import Path
from typing import Any

import pytest

from local.errors import UsageError
from local.run.money import Money, cost_told, estimate_lines, money_from, tokens_told


def test_without_a_word_on_money_the_stack_is_told_nothing() -> None:
    assert money_from({"PATH": "", "DRY_RUN": "0"}).metadata == {}


@pytest.mark.parametrize("value", ["1", "true", "YES"])
def test_a_dry_run_and_a_limit_are_told_to_the_stack(value: str) -> None:
    money = money_from({"DRY_RUN": value, "MAX_COST_USD": "12.50"})
    assert money.metadata == {"dry-run": "true", "max-cost-usd": "12.50"}
    assert money == Money(dry_run=True, most="12.50")


@pytest.mark.parametrize(
    ("name", "meant"), [("DRYRUN", "DRY_RUN"), ("dry_run", "DRY_RUN"), ("DRY_RNU", "DRY_RUN"), ("MAXCOST_USD", "MAX_COST_USD"),
     ("MAX_COST", "MAX_COST_USD")]
)  # fmt: skip
def test_a_misspelt_name_does_not_spend(name: str, meant: str) -> None:
    with pytest.raises(UsageError, match=rf"{name} is set, .* Did you mean {meant}\?"):
        money_from({name: "1"})


@pytest.mark.parametrize(
    ("name", "value"), [("DRY_RUN", "on a sunday"), ("MAX_COST_USD", "much"), ("MAX_COST_USD", "0"), ("MAX_COST_USD", "-1"),
     ("MAX_COST_USD", ""), ("DRY_RUN", "")]
)  # fmt: skip
def test_a_value_that_says_nothing_does_not_spend(name: str, value: str) -> None:
    with pytest.raises(UsageError, match=f"{name} is '{value}'" if value else f"{name} is empty"):
        money_from({name: value})


def preflight(usd: float | None, **members: Any) -> str:
    models = [{"model": "mine", "estimated_usd": None}, {"model": "gpt", "estimated_usd": 2.0}]
    tokens = {"estimated_input_tokens": 1_234, "estimated_output_tokens": 5_000}
    found = {"lines": 10, "bad_lines": 0, "would_run": True, "models": models, "note": "No bill.", **tokens, **members}
    return json.dumps({**found, "estimated_usd": usd})


@pytest.mark.parametrize(
    ("usd", "told"),
    [(12.345, "$12.35"), (0.00042, "$0.000420"), (None, "dollars unknown: there is no price for mine")],
)
def test_the_estimate_is_one_sentence(usd: float | None, told: str) -> None:
    assert estimate_lines(preflight(usd)) == [
        f"Estimate: 10 requests, 1,234 tokens in, 5,000 out at most, {told}.",
        "No bill.",
    ]


def test_of_several_providers_the_estimate_says_how_many_requests_each_gets() -> None:
    told = estimate_lines(preflight(2.0, lines_by_provider={"groq": 4, "openai": 6_000}))
    assert told[-1] == "By provider: groq 4, openai 6,000."
    assert "By provider" not in " ".join(estimate_lines(preflight(2.0, lines_by_provider={"openai": 10})))


def test_the_estimate_tells_requests_that_are_too_few_for_a_batch() -> None:
    told = estimate_lines(preflight(2.0, lines_one_by_one=7))
    assert told[2] == "7 requests too few for a batch there: one by one, at the full price."
    assert len(estimate_lines(preflight(2.0, lines_one_by_one=0))) == 2


@pytest.mark.parametrize(("would", "told"), [(True, "run without them"), (False, "be refused")])
def test_bad_lines_are_told(would: bool, told: str) -> None:
    lines = estimate_lines(preflight(1.0, bad_lines=3, would_run=would))
    assert lines[0].startswith("Estimate: 7 requests")
    assert lines[2] == f"3 lines are bad, and the batch would {told}."


def test_the_tokens_are_those_of_the_report(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"usage": {"input_tokens": 1200, "output_tokens": 34, "total_tokens": 1234}}')
    assert tokens_told(report) == "1,200 in, 34 out"
    report.write_text('{"usage": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}}')
    assert tokens_told(report) is None
    report.write_text("{}")
    assert tokens_told(report) is None


@pytest.mark.parametrize(
    ("cost", "told"),
    [
        ('{"usd": 1234.567, "basis": "listed batch price"}', "$1,234.57 (listed batch price)"),
        ('{"usd": 0.02799, "basis": "your price list"}', "$0.0280 (your price list)"),
        (
            '{"usd": 0.75, "basis": "several: see by_model", "by_provider": {"a": {"usd": 0.25}, "b": {"usd": 0.5}}}',
            "$0.7500 (a $0.2500, b $0.5000)",
        ),
        ('{"usd": null, "input_usd": 0.5, "unpriced_tokens": 1200}', "$0.5000 and 1,200 tokens without a price"),
        ('{"usd": 0.0}', None),
        ("null", None),
    ],
)
def test_the_cost_is_that_of_the_report(tmp_path: Path, cost: str, told: str | None) -> None:
    report = tmp_path / "report.json"
    report.write_text(f'{{"cost": {cost}}}')
    assert cost_told(report) == told


def test_one_line_is_one_line() -> None:
    found = {
        "lines": 2, "bad_lines": 1, "estimated_input_tokens": 9, "estimated_output_tokens": 9, "estimated_usd": 1.0,
        "note": "", "would_run": True,
    }  # fmt: skip
    told = estimate_lines(json.dumps(found))
    assert told[0].startswith("Estimate: 1 request, ")
    assert told[-1] == "1 line is bad, and the batch would run without it."


def test_the_cost_is_parted_by_provider_also_where_one_has_no_price(tmp_path: Path) -> None:
    each = {"a": {"usd": 0.25}, "b": {"usd": None}, "c": {"usd": None, "input_usd": 0.25}}
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"cost": {"usd": None, "input_usd": 0.5, "unpriced_tokens": 7, "by_provider": each}}))
    told = "$0.5000 and 7 tokens without a price (a $0.2500, b no price, c $0.2500 and more)"
    assert cost_told(report) == told
