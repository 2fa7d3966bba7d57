"""The emulator of Bedrock, spoken to by boto3, which knows the shapes; its objects are those of a bucket of memory."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import boto3
import pytest
import requests
from botocore.config import Config
from botocore.exceptions import ClientError

from tests.fakes.batches import BUCKET
from tests.fakes.objects import ROLE
from tests.fakes.s3_server import S3Server, s3_server
from tests.integration.local.emulator.running import CHAT, ROOT, Emulator, chat_line, jsonl, started

if TYPE_CHECKING:
    from collections.abc import Iterator

NOVA, CLAUDE, GPT = "amazon.nova-lite-v1:0", "us.anthropic.claude-haiku-4-5-20251001-v1:0", "openai.gpt-oss-20b-1:0"
PRICES = ROOT / "layers/core/batchyard/costs/prices.json"
ENDS = {"Completed", "PartiallyCompleted", "Failed", "Stopped", "Expired"}
TWO = {"least_records": 2}
FOLDER = "providers/x"


@pytest.fixture(scope="module")
def shared() -> Iterator[Emulator]:
    with s3_server() as s3, started("--aws", s3.url, "--prices", str(PRICES)) as emulator:
        emulator.s3 = s3
        yield emulator


@pytest.fixture
def emulator(shared: Emulator) -> Emulator:
    play(shared)
    served(shared).events.clear()
    return shared


def play(emulator: Emulator, bedrock: dict[str, Any] | None = None, **scenario: Any) -> None:
    emulator.play(**{"seconds_per_batch": 0.05, "bedrock": TWO if bedrock is None else bedrock, **scenario})


def served(emulator: Emulator) -> S3Server:
    assert emulator.s3 is not None
    return emulator.s3


def client(emulator: Emulator, service: str = "bedrock", key: str = "AKIAMADEUP") -> Any:
    return boto3.client(  # type: ignore[call-overload]  # the name is not a literal
        service, endpoint_url=emulator.url.removesuffix("/v1"), region_name="eu-central-1", aws_access_key_id=key,
        aws_secret_access_key="made-up", config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip


def turn(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


def put(emulator: Emulator, count: int = 4, name: str = "in.jsonl", record: Any = None) -> str:
    records = [{"recordId": f"{at:011d}", "modelInput": record or turn(f"Say {at}")} for at in range(count)]
    served(emulator).bucket.put(f"{FOLDER}/{name}", jsonl(records))
    return f"s3://{BUCKET}/{FOLDER}/{name}"


def create(emulator: Emulator, source: str, token: str = "", **more: Any) -> str:
    made = client(emulator).create_model_invocation_job(**{
        "jobName": "batch+1.0.1", "roleArn": ROLE, "modelId": NOVA, "modelInvocationType": "Converse",
        "clientRequestToken": token or f"t{time.monotonic_ns()}", "timeoutDurationInHours": 24,
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": source}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": f"s3://{BUCKET}/{FOLDER}/"}}, **more,
    })  # fmt: skip
    return str(made["jobArn"])


def ended(emulator: Emulator, arn: str) -> dict[str, Any]:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        job = dict(client(emulator).get_model_invocation_job(jobIdentifier=arn))
        if job["status"] in ENDS:
            return job
        time.sleep(0.01)
    raise AssertionError(job["status"])


def run(emulator: Emulator, count: int = 4, **more: Any) -> dict[str, Any]:
    return ended(emulator, create(emulator, put(emulator, count), **more))


def results(emulator: Emulator, job: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]] | None:
    """Return the records and the manifest of a job; None where it left nothing."""
    folder, stored = f"{FOLDER}/{job['jobArn'].rpartition('/')[2]}", served(emulator).bucket.stored
    if f"{folder}/in.jsonl.out" not in stored:
        return None
    lines = [json.loads(line) for line in stored[f"{folder}/in.jsonl.out"].splitlines()]
    return lines, json.loads(stored[f"{folder}/manifest.json.out"])


def refusal(emulator: Emulator, **more: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        create(emulator, put(emulator), **more)
    return refused.value.response["Error"]["Code"], refused.value.response["ResponseMetadata"]["HTTPStatusCode"]


def test_a_job_runs_and_writes_its_records_in_another_order_with_their_echo_and_a_manifest(emulator: Emulator) -> None:
    job = run(emulator, 20)
    assert job["status"] == "Completed"
    assert (job["totalRecordCount"], job["processedRecordCount"], job["successRecordCount"]) == (20, 20, 20)
    left = results(emulator, job)
    assert left is not None
    lines, manifest = left
    ids = [line["recordId"] for line in lines]
    assert sorted(ids) == [f"{at:011d}" for at in range(20)] != ids
    first = next(line for line in lines if line["recordId"].endswith("7"))
    assert first["modelInput"] == turn(f"Say {int(first['recordId'])}")
    assert first["modelOutput"]["output"]["message"]["content"] == [
        {"text": f"You asked: Say {int(first['recordId'])}"}
    ]
    used = [line["modelOutput"]["usage"] for line in lines]
    assert manifest == {
        "totalRecordCount": 20, "processedRecordCount": 20, "successRecordCount": 20, "errorRecordCount": 0,
        "inputTokenCount": sum(each["inputTokens"] for each in used),
        "outputTokenCount": sum(each["outputTokens"] for each in used),
    }  # fmt: skip


def test_a_job_is_billed_by_what_aws_asks(emulator: Emulator) -> None:
    job = run(emulator)
    entry = emulator.ledger(job["jobArn"].rpartition("/")[2])
    tokens = entry["usage"]
    assert entry["usd"] == pytest.approx((tokens["input_tokens"] * 0.06 + tokens["output_tokens"] * 0.24) / 1e6)
    assert (entry["billed_requests"], len(entry["billed"])) == (4, 4)


def test_fewer_records_than_the_minimum_fail_the_job(emulator: Emulator) -> None:
    play(emulator, {})
    job = run(emulator, 99)
    assert job["status"] == "Failed"
    assert job["message"] == "The job contains less records (99) than the required minimum of: 100"
    assert results(emulator, job) is None
    assert emulator.ledger(job["jobArn"].rpartition("/")[2])["billed"] == []
    assert run(emulator, 100)["status"] == "Completed"


def test_no_more_jobs_of_a_model_run_at_once_than_the_quota_says(emulator: Emulator) -> None:
    play(emulator, {**TWO, "jobs_at_once": 1}, seconds_per_batch=600)
    first = create(emulator, put(emulator))
    assert refusal(emulator) == ("ServiceQuotaExceededException", 400)
    create(emulator, put(emulator), modelId="amazon.nova-pro-v1:0")
    client(emulator).stop_model_invocation_job(jobIdentifier=first)
    assert ended(emulator, first)["status"] == "Stopped"
    create(emulator, put(emulator))


def test_a_token_is_known_again_and_another_request_with_it_is_a_conflict(emulator: Emulator) -> None:
    source = put(emulator)
    first = create(emulator, source, token="same")
    before = len(emulator.admin("/ledger?lines=false")["data"])
    assert create(emulator, source, token="same") == first
    assert len(emulator.admin("/ledger?lines=false")["data"]) == before
    assert refusal(emulator, clientRequestToken="same", timeoutDurationInHours=48) == ("ConflictException", 400)
    ended(emulator, first)
    assert create(emulator, source, token="same") == first


@pytest.mark.parametrize(
    "wrong",
    [
        {"jobName": "batch_1"}, {"clientRequestToken": "a/b"}, {"timeoutDurationInHours": 24 * 8}, {"roleArn": "arn:x"},
        {"inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/a:b.jsonl"}}},
        {"outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "https://bucket/x"}}},
    ],
)  # fmt: skip
def test_a_create_with_a_wrong_member_is_refused(emulator: Emulator, wrong: dict[str, Any]) -> None:
    body = {
        "jobName": "a", "roleArn": ROLE, "modelId": NOVA, "clientRequestToken": "a",
        "inputDataConfig": {"s3InputDataConfig": {"s3Uri": "s3://bucket/x.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/x/"}}, **wrong,
    }  # fmt: skip
    url = emulator.url.removesuffix("/v1") + "/model-invocation-job"
    answer = requests.post(url, json=body, headers={"Authorization": "Bearer k"}, timeout=10)
    assert answer.status_code == 400
    assert answer.headers["x-amzn-errortype"].startswith("ValidationException:")
    assert next(iter(wrong)) in answer.json()["message"]


def test_a_job_that_runs_out_of_time_keeps_what_it_has_and_one_that_never_began_has_nothing(emulator: Emulator) -> None:
    play(emulator, batches=[{"batch": 1, "do": {"expire_after": 0.5}}, {"batch": 2, "do": {"expire_after": 0.0}}])
    partial, expired = run(emulator), run(emulator)
    assert (partial["status"], expired["status"]) == ("PartiallyCompleted", "Expired")
    left = results(emulator, partial)
    assert left is not None
    assert (len(left[0]), left[1]["processedRecordCount"], left[1]["totalRecordCount"]) == (2, 2, 4)
    assert results(emulator, expired) is None
    assert expired["processedRecordCount"] == 0


def test_a_job_without_output_counts_what_nobody_can_read(emulator: Emulator) -> None:
    play(emulator, batches=[{"do": {"no_output_file": True}}])
    job = run(emulator)
    assert (job["status"], job["successRecordCount"]) == ("Completed", 4)
    assert results(emulator, job) is None


def test_counts_are_late_as_ordered_and_statuses_are_not(emulator: Emulator) -> None:
    play(emulator, {**TWO, "counts_lag": 3_600})
    job = run(emulator)
    assert (job["status"], job["totalRecordCount"], job["successRecordCount"]) == ("Completed", 0, 0)
    emulator.admin("/clock", {"seconds": 3_601})
    assert ended(emulator, job["jobArn"])["successRecordCount"] == 4


def test_records_that_fail_have_their_status_and_the_rest_goes_on(emulator: Emulator) -> None:
    rules = [
        {"lines": 1, "do": {"status": 429, "message": "slow"}}, {"lines": 2, "do": {"missing": True}},
        {"lines": 3, "do": {"duplicate": True}}, {"lines": 4, "do": {"malformed": True}},
        {"lines": 5, "do": {"unknown_custom_id": True}}, {"lines": 6, "do": {"bare": True}},
    ]  # fmt: skip
    play(emulator, lines=rules)
    job = run(emulator, 6)
    key = f"{FOLDER}/{job['jobArn'].rpartition('/')[2]}/in.jsonl.out"
    lines = served(emulator).bucket.stored[key].splitlines()
    whole = [json.loads(line) for line in lines if line.endswith(b"}")]
    assert len(lines) - len(whole) == 1
    by_id: dict[str, list[dict[str, Any]]] = {}
    for each in whole:
        by_id.setdefault(each["recordId"][-1], []).append(each)
    assert by_id["0"][0]["error"] == {"errorCode": 429, "errorMessage": "slow"}
    assert {name: len(found) for name, found in by_id.items()} == {"0": 1, "2": 2, "4": 1, "N": 1, "5": 1}
    assert not {"modelOutput", "error"} & set(by_id["5"][0])
    assert (job["successRecordCount"], job["errorRecordCount"]) == (4, 2)


def test_a_body_that_does_not_fit_its_model_is_an_error_of_its_record(emulator: Emulator) -> None:
    source = put(emulator, 2, record={"toolConfig": {}, **turn("x")})
    job = ended(emulator, create(emulator, source))
    left = results(emulator, job)
    assert left is not None
    assert [line["error"]["errorCode"] for line in left[0]] == [400, 400]
    job = ended(emulator, create(emulator, put(emulator, 2), modelId=CLAUDE, modelInvocationType="InvokeModel"))
    left = results(emulator, job)
    assert left is not None
    assert "anthropic_version" in left[0][0]["error"]["errorMessage"]


@pytest.mark.parametrize("denied", [f"{FOLDER}/in.jsonl", "results"])
def test_a_role_that_may_not_read_or_write_fails_the_job(emulator: Emulator, denied: str) -> None:
    play(emulator, seconds_per_batch=0.3)
    arn = create(emulator, put(emulator)) if denied == "results" else ""
    keys = {f"{FOLDER}/{arn.rpartition('/')[2]}/in.jsonl.out"} if arn else {denied}
    served(emulator).denied |= keys
    try:
        job = ended(emulator, arn or create(emulator, put(emulator)))
    finally:
        served(emulator).denied.clear()
    assert job["status"] == "Failed"
    assert "Object permissions to access" in job["message"]


def test_jobs_are_listed_by_name_time_and_page(emulator: Emulator) -> None:
    source = put(emulator)
    names = [f"list+{at}" for at in range(3)]
    for name in names:
        ended(emulator, create(emulator, source, jobName=name))
    bedrock = client(emulator)
    order = {"sortBy": "CreationTime", "sortOrder": "Descending"}
    first = bedrock.list_model_invocation_jobs(nameContains="list+", maxResults=2, **order)
    rest = bedrock.list_model_invocation_jobs(nameContains="list+", maxResults=2, nextToken=first["nextToken"], **order)
    found = [*first["invocationJobSummaries"], *rest["invocationJobSummaries"]]
    assert [job["jobName"] for job in found] == names[::-1]
    assert "nextToken" not in rest
    upwards = bedrock.list_model_invocation_jobs(nameContains="list+", sortOrder="Ascending")["invocationJobSummaries"]
    assert [job["jobName"] for job in upwards] == names
    between = {"submitTimeAfter": found[2]["submitTime"], "submitTimeBefore": found[2]["submitTime"]}
    assert bedrock.list_model_invocation_jobs(nameContains="list+9", **between)["invocationJobSummaries"] == []


def wait_for_events(emulator: Emulator, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and len(served(emulator).events) < count:
        time.sleep(0.01)
    return served(emulator).events


def test_each_change_of_a_job_is_an_event_unless_it_is_lost(emulator: Emulator) -> None:
    job = run(emulator)
    events = wait_for_events(emulator, 5)
    assert {event["Source"] for event in events} == {"aws.bedrock"}
    assert {event["DetailType"] for event in events} == {"Batch Inference Job State Change"}
    details = [json.loads(event["Detail"]) for event in events]
    assert sorted(each["status"] for each in details) == [
        "Completed",
        "InProgress",
        "Scheduled",
        "Submitted",
        "Validating",
    ]
    assert {(each["batchJobArn"], each["batchJobName"]) for each in details} == {(job["jobArn"], "batch+1.0.1")}
    play(emulator, batches=[{"batch": 1, "do": {"webhook": "lost"}}, {"batch": 2, "do": {"webhook": "twice"}}])
    served(emulator).events.clear()
    run(emulator)
    second = run(emulator)
    events = wait_for_events(emulator, 10)
    assert {json.loads(event["Detail"])["batchJobArn"] for event in events} == {second["jobArn"]}
    assert len(events) == 10


@pytest.mark.parametrize(
    ("model", "body", "words"),
    [
        (CLAUDE, {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]},
         {"content", "usage", "stop_reason"}),
        (NOVA, turn("hi"), {"output", "usage", "stopReason"}),
        ("meta.llama4-scout-v1:0", {"prompt": "hi"}, {"generation", "prompt_token_count", "generation_token_count"}),
        ("amazon.titan-text-lite-v1", {"inputText": "hi"}, {"results", "inputTextTokenCount"}),
        ("amazon.titan-embed-text-v2:0", {"inputText": "hi", "dimensions": 8}, {"embedding", "inputTextTokenCount"}),
        (GPT, {"messages": [{"role": "user", "content": "hi"}]}, {"choices", "usage"}),
        ("mistral.mistral-large-2402-v1:0", {"prompt": "hi"}, {"outputs"}),
    ],
)  # fmt: skip
def test_a_model_answers_at_once_in_its_own_words(
    emulator: Emulator, model: str, body: dict[str, Any], words: set[str]
) -> None:
    runtime = client(emulator, "bedrock-runtime")
    told = json.loads(runtime.invoke_model(modelId=model, body=json.dumps(body))["body"].read())
    assert words <= set(told)
    with pytest.raises(runtime.exceptions.ValidationException):
        runtime.invoke_model(modelId=model, body=json.dumps({"odd": 1}) if "outputs" not in words else "[]")


def test_a_conversation_at_once_is_billed_at_the_full_price(emulator: Emulator) -> None:
    told = client(emulator, "bedrock-runtime").converse(modelId=NOVA, **turn("hi"))
    used = told["usage"]
    assert told["output"]["message"]["content"] == [{"text": "You asked: hi"}]
    billed = emulator.admin("/ledger")["direct"][-1]
    assert billed["usd"] == pytest.approx((used["inputTokens"] * 0.06 + used["outputTokens"] * 0.24) / 1e6)


def test_only_the_key_that_is_accepted_signs(emulator: Emulator) -> None:
    play(emulator, api_key="AKIAGOOD")
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        client(emulator, key="AKIABAD").list_model_invocation_jobs()
    assert client(emulator, key="AKIAGOOD").list_model_invocation_jobs()["invocationJobSummaries"] is not None
    url = emulator.url.removesuffix("/v1") + "/model-invocation-jobs"
    assert requests.get(url, timeout=10).status_code == 403
    assert requests.get(url, headers={"Authorization": "Bearer AKIAGOOD"}, timeout=10).status_code == 200


def open_batch(emulator: Emulator, lines: list[dict[str, Any]], **headers: str) -> requests.Response:
    served(emulator).bucket.put(f"{FOLDER}/chat.jsonl", jsonl(lines))
    body = {"input_file_id": f"s3://{BUCKET}/{FOLDER}/chat.jsonl", "endpoint": CHAT, "completion_window": "24h"}
    given = {"Authorization": "Bearer k", "X-Amzn-Bedrock-RoleArn": ROLE, "X-Amzn-Bedrock-ModelId": GPT, **headers}
    return requests.post(emulator.url.replace("/v1", "/openai/v1") + "/batches", json=body, headers=given, timeout=10)


def run_batch(emulator: Emulator, lines: list[dict[str, Any]]) -> dict[str, Any]:
    made = open_batch(emulator, lines).json()
    deadline = time.monotonic() + 15
    url = f"{emulator.url.replace('/v1', '/openai/v1')}/batches/{made['id']}"
    while time.monotonic() < deadline:
        seen = dict(requests.get(url, headers={"Authorization": "Bearer k"}, timeout=10).json())
        if seen["status"] in {"completed", "failed", "expired", "cancelled"}:
            return seen
        time.sleep(0.01)
    raise AssertionError(seen["status"])


LINES = [chat_line(f"a-{at}", model=GPT) for at in range(3)]


def test_a_batch_of_openais_shape_writes_beside_its_input(emulator: Emulator) -> None:
    play(emulator, lines=[{"custom_id": "a-1", "do": {"status": 400, "code": "bad"}}])
    seen = run_batch(emulator, LINES)
    assert seen["status"] == "completed"
    folder, stored = f"{FOLDER}/{seen['id']}", served(emulator).bucket.stored
    assert {json.loads(line)["custom_id"] for line in stored[f"{folder}/chat.jsonl.out"].splitlines()} == {"a-0", "a-2"}
    assert [json.loads(line)["custom_id"] for line in stored[f"{folder}/chat.jsonl.err"].splitlines()] == ["a-1"]
    assert emulator.ledger(seen["id"])["usd"] > 0


def test_a_batch_of_openais_shape_may_have_no_file_of_errors(emulator: Emulator) -> None:
    play(emulator, lines=[{"custom_id": "a-1", "do": {"status": 400}}], batches=[{"do": {"no_error_file": True}}])
    seen = run_batch(emulator, LINES)
    assert f"{FOLDER}/{seen['id']}/chat.jsonl.err" not in served(emulator).bucket.stored


@pytest.mark.parametrize("missing", ["X-Amzn-Bedrock-RoleArn", "X-Amzn-Bedrock-ModelId"])
def test_a_batch_of_openais_shape_needs_two_headers(emulator: Emulator, missing: str) -> None:
    refused = open_batch(emulator, LINES, **{missing: ""})
    assert (refused.status_code, refused.headers["x-amzn-errortype"].partition(":")[0]) == (400, "ValidationException")
    assert missing in refused.json()["error"]["message"]


def test_a_batch_of_openais_shape_is_for_the_model_of_its_header_and_has_the_same_minimum(emulator: Emulator) -> None:
    assert run_batch(emulator, [chat_line("a", model="x"), chat_line("b", model="x")])["status"] == "failed"
    play(emulator, {})
    failed = run_batch(emulator, LINES)
    assert "minimum of: 100" in failed["errors"]["data"][0]["message"]


def test_an_emulator_that_was_told_no_address_says_so() -> None:
    with started("--seconds-per-batch", "0.05") as emulator:
        emulator.s3 = S3Server()
        job = run(emulator)
        assert "start it with --aws" in job["message"]
        with s3_server() as s3:
            emulator.s3 = s3
            refused = requests.post(
                emulator.url.replace("/v1", "/_emulator/aws"),
                json={"endpoint_url": "http://s3.example.com"},
                timeout=10,
            )
            assert refused.status_code == 400
            assert emulator.admin("/aws", {"endpoint_url": s3.url}) == {"endpoint_url": s3.url}
            play(emulator)
            assert run(emulator)["status"] == "Completed"
