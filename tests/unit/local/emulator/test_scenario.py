import msgspec
import pytest

from local.emulator import faults
from local.emulator.faults import BatchFault, Scenario
from local.emulator.ranges import in_range
from local.emulator.scenario import NO_CALL_FAULT, NO_LINE_FAULT, CallSubject, Director


def director(text: str) -> Director:
    return Director(faults.parse(text.encode()))


def statuses(director: Director, operation: str, times: int, subject: CallSubject | None = None) -> list[int | None]:
    return [director.for_call(operation, subject or CallSubject()).status for _ in range(times)]


@pytest.mark.parametrize(
    ("wanted", "inside"),
    [(3, [3]), ("3", [3]), ("2-4", [2, 3, 4]), ("4-", [4, 5, 6]), ("1,4-5", [1, 4, 5]), ("1, 6", [1, 6])],
)
def test_a_range_holds_the_numbers_it_names(wanted: int | str, inside: list[int]) -> None:
    assert [number for number in range(1, 7) if in_range(number, wanted)] == inside


def test_an_empty_scenario_orders_nothing() -> None:
    nothing = Director(Scenario())
    assert nothing.for_call("createBatch", CallSubject()) is NO_CALL_FAULT
    assert nothing.for_batch(1, "/v1/responses", "m", None) == BatchFault()
    assert nothing.for_line(BatchFault(), "a", 1) is NO_LINE_FAULT
    assert not nothing.orders_lines


def test_a_rule_counts_only_the_calls_of_its_operation() -> None:
    played = director('{"calls": [{"operation": "createBatch", "nth": 2, "do": {"status": 503}}]}')
    assert statuses(played, "retrieveBatch", 3) == [None, None, None]
    assert statuses(played, "createBatch", 3) == [None, 503, None]


def test_the_first_rule_that_hits_acts_while_the_others_go_on_counting() -> None:
    played = director(
        '{"calls": [{"operation": "createFile", "nth": "1-2", "do": {"status": 500}},'
        ' {"nth": "2-3", "do": {"status": 429}}]}'
    )
    assert statuses(played, "createFile", 4) == [500, 500, 429, None]


def test_a_rule_about_a_batch_leaves_other_batches_alone() -> None:
    played = director('{"calls": [{"batch": "2-", "do": {"status": 404}}]}')
    assert statuses(played, "retrieveBatch", 1, CallSubject(batch=1)) == [None]
    assert statuses(played, "retrieveBatch", 1, CallSubject(batch=2)) == [404]
    assert statuses(played, "listBatches", 1) == [None]


def test_each_batch_is_counted_apart_when_asked_for() -> None:
    played = director('{"calls": [{"each_batch": true, "nth": 2, "do": {"status": 500}}]}')
    assert statuses(played, "retrieveBatch", 2, CallSubject(batch=1)) == [None, 500]
    assert statuses(played, "retrieveBatch", 2, CallSubject(batch=2)) == [None, 500]


def test_a_rule_about_a_filename_leaves_other_files_alone() -> None:
    played = director('{"calls": [{"filename": "*_output.jsonl", "do": {"status": 500}}]}')
    assert statuses(played, "downloadFile", 1, CallSubject(filename="b_output.jsonl")) == [500]
    assert statuses(played, "downloadFile", 1, CallSubject(filename="b_error.jsonl")) == [None]


def test_a_share_hits_about_so_many_and_the_same_ones_for_the_same_seed() -> None:
    order = '{"seed": %d, "lines": [{"share": 0.3, "do": {"missing": true}}]}'

    def hit(seed: int) -> list[int]:
        played = director(order % seed)
        return [n for n in range(1000) if played.for_line(BatchFault(), f"line-{n}", n + 1).missing]

    assert 250 < len(hit(1)) < 350
    assert hit(1) == hit(1)
    assert hit(1) != hit(2)


def test_two_shares_are_drawn_apart() -> None:
    played = director('{"lines": [{"share": 0.5, "do": {"missing": true}}, {"share": 0.5, "do": {"bare": true}}]}')
    found = [played.for_line(BatchFault(), f"line-{n}", n + 1) for n in range(400)]
    assert sum(fault.missing for fault in found) > 150
    assert sum(fault.bare for fault in found) > 50


def test_times_hits_a_custom_id_only_so_often() -> None:
    played = director('{"lines": [{"custom_id": "a-*", "times": 1, "do": {"status": 500}}]}')
    assert [played.for_line(BatchFault(), "a-1", 1).status for _ in range(3)] == [500, None, None]
    assert played.for_line(BatchFault(), "a-2", 2).status == 500
    assert played.for_line(BatchFault(), "b-1", 3) is NO_LINE_FAULT


def test_the_lines_of_a_batch_rule_come_before_those_of_the_scenario() -> None:
    played = director(
        '{"batches": [{"batch": 1, "do": {"lines": [{"lines": 2, "do": {"status": 400}}]}}],'
        ' "lines": [{"do": {"status": 500}}]}'
    )
    fault = played.for_batch(1, "/v1/responses", "m", None)
    assert [played.for_line(fault, "x", number).status for number in (1, 2)] == [500, 400]


def test_a_batch_rule_fits_by_ordinal_model_endpoint_and_metadata() -> None:
    played = director(
        '{"batches": [{"batch": "2-", "model": "m", "endpoint": "/v1/responses", "metadata": {"shard": "1"},'
        ' "do": {"stuck": "in_progress"}}]}'
    )
    metadata = {"shard": "1", "attempt": "1"}
    assert played.for_batch(2, "/v1/responses", "m", metadata).stuck == "in_progress"
    assert played.for_batch(1, "/v1/responses", "m", metadata).stuck is None
    assert played.for_batch(2, "/v1/embeddings", "m", metadata).stuck is None
    assert played.for_batch(2, "/v1/responses", "n", metadata).stuck is None
    assert played.for_batch(2, "/v1/responses", "m", {"shard": "2"}).stuck is None
    assert played.for_batch(2, "/v1/responses", "m", None).stuck is None


def test_nth_of_a_batch_rule_counts_only_batches_that_fit() -> None:
    played = director('{"batches": [{"metadata": {"shard": "1"}, "nth": 1, "do": {"expire_after": 0.5}}]}')
    ends = [played.for_batch(n, "/v1/responses", "m", {"shard": str(n % 2)}).expire_after for n in range(4)]
    assert ends == [None, 0.5, None, None]


@pytest.mark.parametrize(
    "wrong",
    [
        '{"call": []}',
        '{"calls": [{"operation": "createBach", "do": {}}]}',
        '{"calls": [{"nth": "two", "do": {}}]}',
        '{"calls": [{"do": {"statuss": 500}}]}',
        '{"batches": [{"batch": "-3", "do": {}}]}',
        '{"batches": [{"do": {"stuck": "completed"}}]}',
        '{"lines": [{"lines": "1-b", "do": {}}]}',
        "[]",
        "{",
    ],
)
def test_a_misspelt_scenario_is_refused(wrong: str) -> None:
    with pytest.raises(msgspec.DecodeError):
        faults.parse(wrong.encode())


def test_ordinals_count_from_the_scenario_on() -> None:
    rules = (
        '{"calls": [{"batch": 1, "do": {"status": 503}}], "batches": [{"batch": 1, "do": {"stuck": "in_progress"}}]}'
    )
    played = Director(faults.parse(rules.encode()), made=4)
    assert [played.for_batch(number, "/v1/responses", "m", None).stuck for number in (1, 4, 5, 6)] == [
        None,
        None,
        "in_progress",
        None,
    ]
    assert [played.for_call("retrieveBatch", CallSubject(number)).status for number in (1, 5, 6)] == [None, 503, None]
