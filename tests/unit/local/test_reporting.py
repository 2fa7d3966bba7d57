from typing import Any

import pytest

from local.records import Progress
from local.reporting import Display, closing, error_lines


def an_error(line: int | None, **members: Any) -> dict[str, Any]:
    return {"code": "invalid_json_line", "message": "This is no JSON.", "param": None, "line": line, **members}


def batch(status: str, **members: Any) -> Progress:
    return Progress("batch_1", status, **members)


def test_an_error_is_told_with_its_line_and_what_to_do() -> None:
    told = error_lines(batch("failed", errors=[an_error(3)], errors_total=1))
    assert told[0] == "  line 3: This is no JSON. (invalid_json_line)"
    assert told[-1].startswith("Nothing was sent. Correct these lines")


def test_only_the_first_errors_are_told_and_the_rest_counted() -> None:
    told = error_lines(batch("failed", errors=[an_error(line) for line in range(1, 21)], errors_total=1_234))
    assert [line for line in told if "line" in line and "This is" in line] == told[:5]
    assert "1,229 more" in told[5]


def test_an_error_of_the_whole_is_told_without_a_line() -> None:
    told = error_lines(batch("failed", errors=[an_error(None, message="The file is empty.")], errors_total=1))
    assert told == ["  The file is empty. (invalid_json_line)"]


def test_text_of_the_users_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    error = an_error(1, message="[bold]not markup[/bold] [/]")
    closing(batch("failed", errors=[error], errors_total=1), [], 1.0)
    assert "[bold]not markup[/bold] [/]" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_every_end_has_its_sentence(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    closing(batch(status, total=3, completed=2, failed=1), [], 1.0)
    told = capsys.readouterr().err
    assert "3 (2 succeeded, 1 failed)" in told
    assert "The batch " in told


def test_away_from_a_terminal_a_changed_status_is_a_line_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.show(batch("validating"))
        display.show(batch("in_progress", total=10, shards=2))
        display.show(batch("in_progress", total=10, shards=2, completed=1))
        display.show(batch("completed", total=10, shards=2, shards_done=2, completed=9, failed=1))
    assert capsys.readouterr().err.splitlines() == [
        "validating, 0/0 lines",
        "in_progress, 0/2 shards, 0/10 lines",
        "completed, 2/2 shards, 10/10 lines",
    ]


def test_a_paused_batch_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.show(batch("in_progress", total=10, paused="the quota is used up"))
    assert "(paused: the quota is used up)" in capsys.readouterr().err
