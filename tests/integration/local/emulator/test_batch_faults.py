"""Every failure of a batch and its lines, seen in the batch and its files."""

import time
from typing import Any

import pytest

from tests.integration.local.emulator.running import Emulator, chat_line, jsonl


def ids(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(line["custom_id"] for line in lines)


def order(emulator: Emulator, **fault: object) -> None:
    emulator.play(batches=[{"do": fault}])


def order_lines(emulator: Emulator, custom_id: str, **fault: object) -> None:
    emulator.play(lines=[{"custom_id": custom_id, "do": fault}])


@pytest.mark.parametrize("code", ["token_limit_exceeded", "billing_hard_limit_reached", "file_not_found"])
def test_a_batch_fails_on_order(emulator: Emulator, code: str) -> None:
    order(emulator, fail=code)
    batch = emulator.run(2)
    assert batch["status"] == "failed"
    assert batch["errors"]["data"][0]["code"] == code.replace("file_not_found", "invalid_request")
    assert batch["request_counts"] == {"total": 0, "completed": 0, "failed": 0}
    assert emulator.ledger(batch["id"])["billed"] == []


def test_only_the_first_attempt_fails_and_the_same_file_works_again(emulator: Emulator) -> None:
    emulator.play(batches=[{"nth": 1, "do": {"fail": "file_not_found"}}])
    file_id = emulator.upload(jsonl([chat_line("a")]))["id"]
    ends = [emulator.wait(emulator.create(file_id)["id"])["status"] for _ in range(2)]
    assert ends == ["failed", "completed"]


def test_a_batch_expires_after_a_share_of_its_lines(emulator: Emulator) -> None:
    order(emulator, expire_after=0.4)
    batch = emulator.run(10)
    assert batch["status"] == "expired"
    assert batch["request_counts"] == {"total": 10, "completed": 4, "failed": 0}
    finished, unfinished = emulator.lines(batch["output_file_id"]), emulator.lines(batch["error_file_id"])
    assert len(finished) == 4
    assert ids(finished + unfinished) == ids([{"custom_id": f"a-{n}"} for n in range(1, 11)])
    assert {line["error"]["code"] for line in unfinished} == {"batch_expired"}
    assert sorted(emulator.ledger(batch["id"])["billed"]) == ids(finished)


def test_a_stuck_batch_expires_when_its_window_has_passed(fresh: Emulator) -> None:
    for ordinal, stage in enumerate(("validating", "in_progress", "finalizing")):
        order(fresh, stuck=stage)
        batch_id = fresh.submit(3)
        assert fresh.wait(batch_id, stage)["status"] == stage
        fresh.admin("/clock", {"seconds": 86_401})
        batch = fresh.wait(batch_id)
        assert batch["status"] == "expired", ordinal
        assert batch["expired_at"] >= batch["expires_at"]


def test_the_window_ends_a_slow_batch_with_what_it_has(fresh: Emulator) -> None:
    fresh.play(seconds_per_batch=200_000)
    batch_id = fresh.submit(10)
    fresh.admin("/clock", {"seconds": 50_000})
    while fresh.wait(batch_id, "in_progress")["request_counts"]["completed"] < 1:
        pass
    fresh.admin("/clock", {"seconds": 40_000})
    batch = fresh.wait(batch_id)
    assert batch["status"] == "expired"
    done = batch["request_counts"]["completed"]
    assert 0 < done < 10
    assert len(fresh.lines(batch["error_file_id"])) == 10 - done


def test_a_cancel_keeps_finished_lines_and_names_the_others(emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=2)
    batch_id = emulator.submit(10)
    while emulator.wait(batch_id, "in_progress")["request_counts"]["completed"] < 3:
        pass
    assert emulator.call("POST", f"/batches/{batch_id}/cancel").json()["status"] == "cancelling"
    batch = emulator.wait(batch_id)
    assert batch["status"] == "cancelled"
    assert batch["request_counts"]["failed"] == 0
    finished, unfinished = emulator.lines(batch["output_file_id"]), emulator.lines(batch["error_file_id"])
    assert len(ids(finished + unfinished)) == 10
    assert {line["error"]["code"] for line in unfinished} == {"batch_cancelled"}
    assert batch["cancelling_at"] <= batch["cancelled_at"]


def test_a_cancel_can_lose_the_race(emulator: Emulator) -> None:
    order(emulator, cancel_finishes=True, seconds=0.5)
    batch_id = emulator.submit(5)
    emulator.wait(batch_id, "in_progress")
    emulator.call("POST", f"/batches/{batch_id}/cancel")
    batch = emulator.wait(batch_id)
    assert (batch["status"], batch["request_counts"]["completed"]) == ("completed", 5)


def test_a_cancel_can_be_stuck(emulator: Emulator) -> None:
    order(emulator, stuck="cancelling", seconds=5)
    batch_id = emulator.submit(5)
    emulator.wait(batch_id, "in_progress")
    emulator.call("POST", f"/batches/{batch_id}/cancel")
    emulator.admin("/clock", {"seconds": 3600})
    time.sleep(0.2)  # time to end, which it must not use
    assert emulator.get(f"/batches/{batch_id}")["status"] == "cancelling"


def test_absent_file_ids_can_be_empty_strings(emulator: Emulator) -> None:
    order(emulator, empty_file_ids=True)
    assert emulator.run(1)["error_file_id"] == ""


def test_a_completed_batch_can_lack_its_output_file(emulator: Emulator) -> None:
    order(emulator, no_output_file=True)
    batch = emulator.run(2)
    assert (batch["status"], batch["output_file_id"]) == ("completed", None)
    assert len(emulator.ledger(batch["id"])["billed"]) == 2


def test_a_batch_whose_lines_all_fail_has_no_output_file(emulator: Emulator) -> None:
    order_lines(emulator, "*", status=500, code="server_error")
    batch = emulator.run(3)
    assert batch["request_counts"] == {"total": 3, "completed": 0, "failed": 3}
    assert batch["output_file_id"] is None
    (first, *_) = emulator.lines(batch["error_file_id"])
    assert first["response"]["status_code"] == 500
    assert first["response"]["body"]["error"] == {
        "message": "This request was answered 500 on order.",
        "type": "server_error",
        "param": None,
        "code": "server_error",
    }


def test_a_line_can_end_without_an_answer(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", error="request_timeout")
    (line,) = emulator.lines(emulator.run(3)["error_file_id"])
    assert (line["custom_id"], line["response"], line["error"]["code"]) == ("a-2", None, "request_timeout")


def test_a_line_can_have_status_0(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", status=0)
    (line,) = emulator.lines(emulator.run(3)["error_file_id"])
    assert (line["response"]["status_code"], line["response"]["body"], line["error"]) == (0, {}, None)


def test_a_200_line_can_hold_an_error_object(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", body={"error": {"code": "odd"}})
    lines = {line["custom_id"]: line for line in emulator.lines(emulator.run(3)["output_file_id"])}
    assert lines["a-2"]["response"]["status_code"] == 200
    assert lines["a-2"]["response"]["body"] == {"error": {"code": "odd"}}


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        ("missing", ["a-1", "a-3"]),
        ("duplicate", ["a-1", "a-2", "a-2", "a-3"]),
    ],
)
def test_a_paid_line_can_be_missing_or_there_twice(emulator: Emulator, fault: str, seen: list[str]) -> None:
    order_lines(emulator, "a-2", **{fault: True})
    batch = emulator.run(3)
    assert batch["request_counts"]["completed"] == 3
    assert ids(emulator.lines(batch["output_file_id"])) == seen
    assert sorted(emulator.ledger(batch["id"])["billed"]) == ["a-1", "a-2", "a-3"]


def test_a_line_nobody_asked_for_can_be_there(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", unknown_custom_id=True)
    seen = ids(emulator.lines(emulator.run(3)["output_file_id"]))
    assert seen[:3] == ["a-1", "a-2", "a-3"]
    assert seen[3].startswith("unknown-")


def test_a_line_can_be_bare(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", bare=True)
    lines = {line["custom_id"]: line for line in emulator.lines(emulator.run(3)["output_file_id"])}
    assert (lines["a-2"]["response"], lines["a-2"]["error"]) == (None, None)


def test_a_line_can_be_cut_in_half(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", malformed=True)
    batch = emulator.run(3)
    content = emulator.call("GET", f"/files/{batch['output_file_id']}/content").text
    assert [line.endswith("}") for line in content.splitlines()].count(False) == 1


def test_a_line_can_hold_a_byte_that_is_not_utf8(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", garbled=True)
    batch = emulator.run(3)
    content = emulator.call("GET", f"/files/{batch['output_file_id']}/content").content
    assert [b"\xff" in line for line in content.splitlines()].count(True) == 1
    assert batch["request_counts"]["completed"] == 3


def test_a_line_can_have_an_answer_and_an_error_beside_it(emulator: Emulator) -> None:
    order_lines(emulator, "a-2", status=400, error="request_timeout")
    (line,) = emulator.lines(emulator.run(3)["error_file_id"])
    assert (line["response"]["status_code"], line["response"]["body"], line["error"]["code"]) == (
        400,
        {},
        "request_timeout",
    )
    order_lines(emulator, "a-2", status=200, error="odd")
    assert emulator.run(3)["request_counts"]["completed"] == 3


def test_a_transient_line_succeeds_the_second_time(emulator: Emulator) -> None:
    emulator.play(lines=[{"custom_id": "a-2", "times": 1, "do": {"status": 429, "code": "rate_limit_exceeded"}}])
    assert [emulator.run(3)["request_counts"]["failed"] for _ in range(2)] == [1, 0]


def test_output_lines_come_in_another_order_the_same_for_the_same_seed(emulator: Emulator) -> None:
    batch = emulator.run(50)
    order = [line["custom_id"] for line in emulator.lines(batch["output_file_id"])]
    assert order != [f"a-{n}" for n in range(1, 51)]
    assert sorted(order) == sorted(f"a-{n}" for n in range(1, 51))
    answers = [line["id"] for line in emulator.lines(batch["output_file_id"])]
    assert len(set(answers)) == 50


def test_a_file_deleted_while_its_batch_runs_does_not_hurt_it(emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=0.5)
    file_id = emulator.upload(jsonl([chat_line("a"), chat_line("b")]))["id"]
    batch_id = emulator.create(file_id)["id"]
    emulator.wait(batch_id, "in_progress")
    emulator.call("DELETE", f"/files/{file_id}")
    assert emulator.wait(batch_id)["request_counts"]["completed"] == 2


def test_ordinals_count_from_the_post_of_the_scenario(emulator: Emulator) -> None:
    emulator.run(1)
    emulator.play(batches=[{"batch": 2, "do": {"fail": "token_limit_exceeded"}}])
    assert [emulator.run(1)["status"] for _ in range(3)] == ["completed", "failed", "completed"]
