"""An upload to the inbox of a deployed stack, from its event to its results."""

import pytest

from batchyard.domain.batch import derived_id
from tests.system.processes import eventually
from tests.system.running_stack import TENANT, RunningStack, jsonl, request


def test_every_request_of_an_upload_is_answered_once_and_in_order(stack: RunningStack) -> None:
    rows = [request(number) for number in range(25)]
    batch = stack.run("in-order.jsonl", jsonl(rows))
    results = stack.results(batch.batch_id)
    assert batch.status == "completed"
    assert [row["custom_id"] for row in results.output] == [row["custom_id"] for row in rows]
    assert results.errors == []
    assert results.report["outcomes_equal_lines"] is True


def test_requests_of_several_models_and_endpoints_share_an_input(stack: RunningStack) -> None:
    def row(number: int) -> dict[str, object]:
        if number % 3 == 0:
            embedding = {"model": "text-embedding-3-small", "input": f"text {number}"}
            return {**request(number), "url": "/v1/embeddings", "body": embedding}
        return request(number, model=("gpt-4.1-mini", "gpt-4.1-nano")[number % 2])

    batch = stack.run("mixed.jsonl", jsonl(row(number) for number in range(12)))
    results = stack.results(batch.batch_id)
    assert [line["custom_id"] for line in results.output] == [f"request-{number}" for number in range(12)]
    assert len(stack.provider_batches(batch.batch_id)) == 3


def test_a_request_the_provider_refuses_is_an_error_and_the_rest_is_answered(stack: RunningStack) -> None:
    batch = stack.run("one-bad.jsonl", jsonl([request(0), request(1, temperature=99), request(2)]))
    results = stack.results(batch.batch_id)
    assert (batch.status, batch.completed, batch.failed) == ("completed", 2, 1)
    assert [line["custom_id"] for line in results.output] == ["request-0", "request-2"]
    assert [line["custom_id"] for line in results.errors] == ["request-1"]


@pytest.mark.parametrize(
    "name", ["with space.jsonl", "a+b.jsonl", "100%25%.jsonl", "grüße-文字-🚂.jsonl", "deep/er/x.jsonl"]
)
def test_an_input_may_have_any_name(stack: RunningStack, name: str) -> None:
    batch = stack.run(name, jsonl([request(1)]))
    assert batch.status == "completed"
    assert stack.results(batch.batch_id).report["input"]["key"] == f"inbox/{TENANT}/{name}"


def test_a_bad_input_is_refused_with_its_line_numbers_and_nothing_is_sent(stack: RunningStack) -> None:
    body = jsonl([request(0)]) + b'{"custom_id": \n' + jsonl([{"custom_id": "x"}])
    batch = stack.run("bad.jsonl", body)
    assert batch.status == "failed"
    assert [(error["line"], error["code"]) for error in batch.errors] == [
        (2, "invalid_json_line"),
        (3, "missing_required_parameter"),
    ]
    assert stack.provider_batches(batch.batch_id) == []


def test_an_empty_input_is_refused(stack: RunningStack) -> None:
    batch = stack.run("empty.jsonl", b"")
    assert batch.status == "failed"
    assert len(batch.errors) == 1


def test_a_doubled_event_makes_no_second_batch(stack: RunningStack) -> None:
    version_id = stack.drop("doubled.jsonl", jsonl([request(1)]))
    batch_id = stack.batch_of("doubled.jsonl", version_id)
    told = {"key": f"inbox/{TENANT}/doubled.jsonl", "version-id": version_id}
    event = {"detail-type": "Object Created", "detail": {"bucket": {"name": stack.doors["bucket"]}, "object": told}}
    assert [stack.invoke("Intake", event) for _ in range(2)] == [{"batch_ids": [batch_id]}] * 2
    assert stack.ended(batch_id).status == "completed"
    assert stack.invoke("Intake", event) == {"batch_ids": [batch_id]}
    assert [batch["billed"] for batch in stack.provider_batches(batch_id)] == [["request-1"]]


def test_an_input_that_is_put_again_is_another_batch(stack: RunningStack) -> None:
    first, second = (stack.run("again.jsonl", jsonl([request(number)])) for number in (1, 2))
    assert first.batch_id != second.batch_id
    assert stack.results(first.batch_id).output[0]["custom_id"] == "request-1"
    assert stack.results(second.batch_id).output[0]["custom_id"] == "request-2"


def test_an_empty_upload_retries_a_batch_with_changed_bodies(stack: RunningStack) -> None:
    rows = [request(number, **({"temperature": 99} if number == 1 else {})) for number in range(3)]
    parent = stack.run("retried.jsonl", jsonl(rows))
    bucket, key = stack.doors["bucket"], f"inbox/{TENANT}/retry-it"
    asked = {"retry-of": parent.batch_id, "retry-body": '{"temperature": 1}'}
    version_id = stack.clients.s3.put_object(Bucket=bucket, Key=key, Body=b"", Metadata=asked)["VersionId"]
    record = {"pk": f"BATCH#{derived_id('s3', bucket, key, version_id)}", "sk": "BATCH"}
    eventually(lambda: stack.table.get_item(Key=record).get("Item"))
    child = stack.ended(record["pk"].removeprefix("BATCH#"))
    assert (child.status, child.completed, child.failed) == ("completed", 3, 0)
    results = stack.results(child.batch_id)
    assert [line["custom_id"] for line in results.output] == ["request-0", "request-1", "request-2"]
    assert [batch["billed"] for batch in stack.provider_batches(child.batch_id)] == [["request-1"]]
    assert [each["answered"] for each in results.report["history"]] == [2, 1]


def test_an_input_larger_than_a_provider_batch_becomes_several_and_one_result(stack: RunningStack) -> None:
    lines = 120_001
    version_id = stack.drop("large.jsonl", jsonl(request(number) for number in range(lines)))
    batch = stack.ended(stack.batch_of("large.jsonl", version_id), seconds=240)
    assert (batch.status, batch.completed, batch.shards) == ("completed", lines, 3)
    assert [made["requests"] for made in stack.provider_batches(batch.batch_id)] in (
        [50_000, 50_000, 20_001],
        [50_000, 20_001, 50_000],
        [20_001, 50_000, 50_000],
    )
    output = stack.results(batch.batch_id).output
    assert [line["custom_id"] for line in output] == [f"request-{number}" for number in range(lines)]


def test_an_ended_batch_is_told_on_the_bus(stack: RunningStack) -> None:
    sqs, events = stack.clients.other("sqs"), stack.clients.other("events")
    queue = sqs.create_queue(QueueName="heard")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.put_rule(Name="hear", EventBusName="batchyard", EventPattern='{"detail-type": ["Batch Completed"]}')
    events.put_targets(Rule="hear", EventBusName="batchyard", Targets=[{"Id": "heard", "Arn": arn}])
    batch = stack.run("told.jsonl", jsonl([request(1)]))
    heard = eventually(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"), 20)
    assert any(batch.batch_id in message["Body"] for message in heard)
