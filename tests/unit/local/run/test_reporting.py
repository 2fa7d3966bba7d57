from pathlib import Path
from typing import Any

import pytest
from rich.progress import Progress as Bar

from local.run import reporting
from local.run.records import Progress
from local.run.reporting import Display, _Clock, error_lines, print_closing


def an_error(line: int | None, **members: Any) -> dict[str, Any]:
    return {"code": "invalid_json_line", "message": "This is no JSON.", "param": None, "line": line, **members}


def batch(status: str, **members: Any) -> Progress:
    return Progress("batch_1", status, **members)


def test_an_error_is_told_with_its_line_and_what_to_do() -> None:
    told = error_lines(batch("failed", errors=[an_error(3)], errors_total=1), None)
    assert told[0] == "  line 3: This is no JSON. (invalid_json_line)"
    assert told[-1].startswith("Nothing was sent. Correct these lines")


def faults(count: int) -> list[dict[str, Any]]:
    return [an_error(line, message=f"The member {line} is wrong.") for line in range(1, count + 1)]


def test_only_the_first_faults_are_told_and_where_the_rest_is(tmp_path: Path) -> None:
    told = error_lines(batch("failed", errors=faults(20), errors_total=20), tmp_path / "report.json")
    assert told[:5] == [f"  line {line}: The member {line} is wrong. (invalid_json_line)" for line in range(1, 6)]
    assert told[5] == f"  … and 15 more; {tmp_path / 'report.json'} lists them all."


def test_a_report_that_lists_not_all_is_not_said_to() -> None:
    told = error_lines(batch("failed", errors=faults(20), errors_total=1_234), Path("out/report.json"))
    assert told[5] == "  … and 1,229 more; out/report.json lists the first 20 of them all."


def test_the_same_fault_on_many_lines_is_told_once_with_its_count() -> None:
    errors = [an_error(line) for line in range(1, 1_001)]
    errors[7:7] = [an_error(2_000, message="This is empty."), an_error(3_000, message="This is empty.")]
    told = error_lines(batch("failed", errors=errors, errors_total=1_002), None)
    assert told[:2] == [
        "  1,000 lines, the first are 1, 2, 3: This is no JSON. (invalid_json_line)",
        "  lines 2000 and 3000: This is empty. (invalid_json_line)",
    ]
    assert told[2].startswith("Nothing was sent.")


def test_a_fault_at_another_place_of_each_line_is_one_fault() -> None:
    errors = [an_error(line, message=f"Expecting ',' at character {30 + line % 3}.") for line in range(1, 10)]
    told = error_lines(batch("failed", errors=errors, errors_total=9), None)
    assert told[0] == "  9 lines, the first are 1, 2, 3: Expecting ',' at character 31. (invalid_json_line)"


def test_without_a_report_none_is_named() -> None:
    told = error_lines(batch("failed", errors=[an_error(1)], errors_total=3), None)
    assert told[1] == "  … and 2 more."


def test_an_error_of_the_whole_is_told_without_a_line() -> None:
    told = error_lines(batch("failed", errors=[an_error(None, message="The file is empty.")], errors_total=1), None)
    assert told == ["  The file is empty. (invalid_json_line)", "Nothing was sent."]


def test_of_a_batch_that_was_sent_it_is_not_said_that_nothing_was() -> None:
    assert error_lines(batch("failed", shards=1, errors=[an_error(None)], errors_total=1), None)[1:] == []


def test_a_refused_batch_has_no_count_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_closing(batch("failed", errors=[an_error(1)], errors_total=1), [], 1.0)
    assert "succeeded" not in capsys.readouterr().err


def test_text_of_the_users_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    error = an_error(1, message="[bold]not markup[/bold] [/]")
    print_closing(batch("failed", errors=[error], errors_total=1), [], 1.0)
    assert "[bold]not markup[/bold] [/]" in capsys.readouterr().err


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled"])
def test_every_end_has_its_sentence(status: str, capsys: pytest.CaptureFixture[str]) -> None:
    print_closing(batch(status, shards=1, total=3, completed=2, failed=1), [], 1.0)
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
        "validating",
        "in_progress, 0/2 shards, 0/10 lines",
        "completed, 2/2 shards, 10/10 lines",
    ]


def paused(reason: str, **members: Any) -> Progress:
    return batch("in_progress", total=10, paused=reason, **members)


def test_a_paused_batch_says_why_and_how_to_end_it(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.show(paused("the quota is used up"))
        display.show(paused("the quota is used up"))
    told = capsys.readouterr().err
    assert "(paused: the quota is used up)" in told
    assert told.count("Ctrl-C ends it") == 1


KEY_REFUSED = "The provider refused our key: Incorrect API key provided."


def test_a_refused_key_of_one_s_own_is_to_be_checked_and_the_run_begun_again(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with Display(own_provider=True) as display:
        display.show(paused(KEY_REFUSED))
        display.show(paused(KEY_REFUSED))
    told = capsys.readouterr().err
    assert told.count("Check PROVIDER_API_KEY; a key cannot be changed in a running make run") == 1
    assert "goes on by itself" not in told


@pytest.mark.parametrize(("own", "reason"), [(True, "The provider refused us: no money"), (False, KEY_REFUSED)])
def test_of_another_pause_and_of_the_emulator_no_key_is_spoken(
    own: bool, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with Display(own_provider=own) as display:
        display.show(paused(reason))
    told = capsys.readouterr().err
    assert "goes on by itself" in told
    assert "Check PROVIDER_API_KEY" not in told


def test_a_reason_that_differs_in_ids_alone_is_told_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reporting, "_PLAIN_SECONDS", 0.0)
    with Display() as display:
        display.show(paused("not served 3 times: no money (request id req_1)"))
        display.show(paused("not served 4 times: no money (request id req_2)"))
        display.show(paused("not served 5 times: no money (request id req_3)", completed=2))
        display.show(paused("not served 6 times: no way (request id req_4)"))
    told = [line for line in capsys.readouterr().err.splitlines() if "in_progress" in line]
    assert told == [
        "in_progress (paused: not served 3 times: no money (request id req_1)), 0/10 lines",
        "in_progress (paused: as before), 2/10 lines",
        "in_progress (paused: not served 6 times: no way (request id req_4)), 0/10 lines",
    ]


def test_the_clock_goes_on_when_all_lines_have_their_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    clock = _Clock(started=40.0)
    bar = Bar(clock)
    bar.update(bar.add_task("x", total=2), completed=2)
    (task,) = bar.tasks
    now += 65
    assert (task.finished, clock.render(task).plain) == (True, "0:02:05")


def test_a_dry_run_is_not_taken_for_the_batch(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.show(batch("in_progress", dry_run=True))
        display.show(batch("completed", total=3, dry_run=True))
    assert capsys.readouterr().err.splitlines() == ["estimating", "estimated, 3 lines"]


def test_what_finalizing_does_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with Display() as display:
        display.show(batch("finalizing", total=10, shards=2, shards_done=2, completed=10))
    assert "finalizing (joins the answers in input order), 2/2 shards, 10/10 lines" in capsys.readouterr().err


def test_a_long_path_is_shown_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / ("long" * 40) / "output.jsonl"
    print_closing(batch("completed", shards=1, total=1, completed=1), [path])
    told = "".join(line.split("│")[2].strip() for line in capsys.readouterr().err.splitlines() if "│" in line)
    assert str(path) in told


def test_the_table_names_the_tokens_and_the_provider(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    report.write_text('{"usage": {"input_tokens": 1200, "output_tokens": 34, "total_tokens": 1234}}')
    print_closing(batch("completed", shards=1, total=1, completed=1), [report], 1.0, "the emulator")
    told = [line.split() for line in capsys.readouterr().err.splitlines()]
    assert ["│", "tokens", "│", "1,200", "in,", "34", "out", "│"] in [[*line] for line in told if "tokens" in line]
    assert any(line[1:5] == ["provider", "│", "the", "emulator"] for line in told)


def test_a_dry_run_says_that_nothing_was_sent(capsys: pytest.CaptureFixture[str]) -> None:
    print_closing(batch("completed", shards=1, total=3, dry_run=True), [], 1.0)
    told = capsys.readouterr().err
    assert "The dry run is complete: nothing was sent." in told
    assert "succeeded" not in told


def test_the_lines_of_a_cancelled_batch_add_up(capsys: pytest.CaptureFixture[str]) -> None:
    print_closing(batch("cancelled", total=27, completed=16, failed=5, shards=3), [], 1.0)
    assert "27 (16 succeeded, 5 failed, 6 cancelled)" in capsys.readouterr().err
    print_closing(batch("completed", total=21, completed=16, failed=5, shards=3), [], 1.0)
    assert "21 (16 succeeded, 5 failed)" in capsys.readouterr().err
