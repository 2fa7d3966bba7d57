import json
from pathlib import Path
from typing import Any

import pytest

from local.run.records import Progress
from local.run.summary import closing_sentence, exit_status, failed_by_input, outcome_lines

REFUSED = {"custom_id": "a", "response": {"status_code": 400, "body": {"error": {"message": "No such model."}}}}


def ended(status: str = "completed", **members: Any) -> Progress:
    return Progress("batch_1", status, **members)


def results(
    folder: Path, codes: dict[str, int], first: str = "{}", shards: list[list[str | None]] | None = None
) -> Any:
    attempts = [[{"provider_batch_id": each} for each in shard] for shard in shards or []]
    report = {"errors": {"by_code": codes}, "shards": [{"attempts": each} for each in attempts]}
    (folder / "report.json").write_text(json.dumps(report))
    (folder / "errors.jsonl").write_text(f"{first}\n{{}}\n")
    return [folder / "report.json", folder / "errors.jsonl"]


def test_failed_lines_are_told_by_code_the_most_first_with_the_rest_summed(tmp_path: Path) -> None:
    codes = {"a": 1, "b": 2_000, "c": 3, "d": 4, "e": 5, "f": 6, "g": 1}
    told = outcome_lines(results(tmp_path, codes))
    errors = tmp_path / "errors.jsonl"
    assert told[0] == f"Failed lines by code: 2,000 b, 6 f, 5 e, 4 d, 3 c, 2 with other codes; see {errors}."


@pytest.mark.parametrize(
    ("first", "told"),
    [
        (json.dumps(REFUSED), "No such model."),
        (
            json.dumps({"response": None, "error": {"code": "x", "message": "It was\n not finished."}}),
            "It was not finished.",
        ),
        (json.dumps({"error": {"message": "m" * 500}}), "m" * 199 + "…"),
        (json.dumps({"error": "odd"}), '{"error": "odd"}'),
        ("[1]", "[1]"),
        ('{"error": \x1b[31m', '{"error": [31m'),
    ],
)
def test_one_message_stands_for_all(tmp_path: Path, first: str, told: str) -> None:
    assert outcome_lines(results(tmp_path, {"x": 1}, first))[1] == f"  The first of them: {told}"


def test_without_failed_lines_or_a_report_nothing_is_told(tmp_path: Path) -> None:
    assert outcome_lines(results(tmp_path, {}, shards=[["batch_1"], ["batch_2"], []])) == []
    assert outcome_lines([tmp_path / "output.jsonl"]) == []


def test_a_report_of_a_batch_that_was_refused_says_nothing_of_lines(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text(json.dumps({"errors": {"object": "list", "data": []}}))
    assert outcome_lines([tmp_path / "report.json"]) == []


@pytest.mark.parametrize(
    ("shards", "told"),
    [
        ([["b1", "b2"], ["b3"]], "3 provider batches for 2 shards: what was unfinished was sent again."),
        ([["b1", None, "b2"]], "2 provider batches for 1 shard: what was unfinished was sent again."),
        ([["b1", "b2"], []], "2 provider batches for 2 shards: what was unfinished was sent again."),
    ],
)
def test_what_was_sent_again_is_told(tmp_path: Path, shards: list[list[str | None]], told: str) -> None:
    assert outcome_lines(results(tmp_path, {}, shards=shards)) == [told]


def test_an_attempt_that_made_no_provider_batch_was_not_sent_again(tmp_path: Path) -> None:
    assert outcome_lines(results(tmp_path, {}, shards=[["b1", None]])) == []


@pytest.mark.parametrize(
    ("completed", "failed", "told"),
    [
        (0, 3, "The batch is complete, but no line succeeded: all 3 lines failed."),
        (0, 1, "The batch is complete, but no line succeeded: its only line failed."),
        (1, 2, "The batch is complete: every line has its outcome."),
        (0, 0, "The batch is complete: every line has its outcome."),
    ],
)
def test_a_complete_batch_without_a_success_is_not_told_as_one(completed: int, failed: int, told: str) -> None:
    assert closing_sentence(ended(completed=completed, failed=failed)) == told


def test_a_fault_of_the_input_needs_no_look_at_the_logs() -> None:
    assert failed_by_input(ended("failed", errors=[{"code": "empty_file"}, {"code": "invalid_json_line"}]))


@pytest.mark.parametrize(
    "last",
    [
        ended("failed", errors=[{"code": "invalid_json_line"}, {"code": "server_error"}]),
        ended("failed", errors=[{"code": "invalid_value"}], shards=1),
        ended("failed"),
        ended("cancelled", errors=[{"code": "invalid_value"}]),
    ],
)
def test_any_other_end_may_stand_in_the_logs(last: Progress) -> None:
    assert not failed_by_input(last)


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (ended(completed=2), 0),
        (ended(completed=1, failed=1), 0),
        (ended(failed=2), 3),
        (ended("failed"), 1),
        (ended("cancelled", completed=2), 1),
        (ended(dry_run=True, total=2), 0),
        (ended(dry_run=True, total=2, errors=[{"code": "x"}]), 1),
    ],
)
def test_the_exit_status_is_zero_where_every_line_is_answered_and_some_succeeded(last: Progress, status: int) -> None:
    assert exit_status(last) == status


def test_what_can_be_sent_again_is_told_with_the_command(tmp_path: Path) -> None:
    retry = tmp_path / "my out" / "batch_1" / "retry.jsonl"
    told = outcome_lines([*results(tmp_path, {}), retry])
    command = f"make run INPUT='{retry}' OUT='{retry.parent.parent}'"
    assert told == [f"{retry} holds the requests of the failed lines, ready to be sent again: {command}"]
