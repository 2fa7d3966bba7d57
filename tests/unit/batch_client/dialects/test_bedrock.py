"""Bedrock's jobs, call by call: what is sent, what is read, and what lies in the bucket."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest

from batch_client import (
    AuthenticationError,
    BadRequestError,
    BatchClientError,
    BatchError,
    BedrockDialect,
    ConflictError,
    CreateOutcomeUnknown,
    Input,
    InvalidArgumentError,
    Job,
    Look,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RequestCounts,
    RequestOutcomeUnknown,
    ServerError,
    State,
    TokenLimitError,
    Usage,
)
from batch_client import speak as speak_as
from batch_client.dialects.bedrock_names import name_of, token_of
from batch_client.sources import BytesSource
from batchyard.domain.batch import BatchError as Problem
from batchyard.domain.policy import Reaction, after_failed_batch, after_failed_call
from tests.fakes.objects import ROLE, MemoryObjects
from tests.unit.batch_client.dialects.test_bedrock_lines import IDS, URL, line, record
from tests.unit.batch_client.fake_service import (
    KEY,
    Answer,
    FakeClock,
    FakeService,
    Step,
    answer,
    client_of,
    lost_answers,
    reset,
)

BASE = "https://bedrock.eu-central-1.amazonaws.com"
MODEL = "anthropic.claude-haiku-4-5"
CREATED = 1_790_000_000
LABELS = {"stack": "yard-1"}
JOB = Job(
    key="batch_1/0/2", labels=LABELS, endpoint=URL, model="m", window="24h", count=3, filename="in.jsonl",
    prepared="s3://bucket/p/in.jsonl",
)  # fmt: skip
ARN = "arn:aws:bedrock:eu-central-1:123456789012:model-invocation-job/abc123def456"
ID = "abc123def456"
QUOTA = "ServiceQuotaExceededException"
LINES = BytesSource(b"".join(line(name) + b"\n" for name in IDS))


def speak(*steps: Step, objects: MemoryObjects | None = None, **options: Any) -> tuple[BedrockDialect, FakeService]:
    client, service = client_of(*steps, base_url=BASE, profile="bedrock-key", **options)
    return BedrockDialect(client, "", objects or MemoryObjects()), service


def job(
    status: str = "InProgress", key: str = JOB.key, arn: str = ARN, at: str = "2026-09-21T14:13:20Z", **more: Any
) -> dict[str, Any]:
    return {
        "jobArn": arn, "jobName": name_of(key), "clientRequestToken": token_of(key, LABELS), "modelId": MODEL, "roleArn": ROLE,
        "status": status, "submitTime": at, "jobExpirationTime": "2026-09-22T14:13:20.5Z",
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": "s3://bucket/p/in.jsonl"}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/p/"}}, **more,
    }  # fmt: skip


def refusal(kind: str, message: str = "no", status: int = 400) -> Answer:
    return answer(
        {"message": message}, status, {"x-amzn-errortype": f"{kind}:http://internal", "x-amzn-requestid": "r-9"}
    )


def listed(*jobs: dict[str, Any], token: str | None = None) -> Answer:
    return answer({"invocationJobSummaries": list(jobs), **({"nextToken": token} if token else {})})


def left(objects: MemoryObjects, *lines: bytes, **manifest: int) -> MemoryObjects:
    """Write results, and a manifest beside them, as the service does."""
    objects.store(f"s3://bucket/p/{ID}/in.jsonl.out", b"".join(lines))
    objects.store(f"s3://bucket/p/{ID}/manifest.json.out", json.dumps(manifest).encode())
    return objects


def test_an_input_is_written_as_records_under_its_name() -> None:
    objects = MemoryObjects()
    dialect, service = speak(answer({}), objects=objects)
    made = dialect.prepare(JOB, LINES)
    assert made is not None
    assert (made.id, made.pending, made.problem) == ("s3://bucket/p/in.jsonl", False, None)
    assert dialect.prepared(made.id) == made
    records = list(map(json.loads, objects.stored[made.id].splitlines()))
    assert [each["recordId"] for each in records] == ["00000000000", "00000000001", "00000000002"]
    assert service.sent == []


def test_a_create_carries_our_key_as_its_token_and_in_its_name() -> None:
    dialect, service = speak(answer({"jobArn": ARN}))
    made = dialect.submit(JOB, LINES)
    (sent,) = service.sent
    assert (sent.method, sent.url) == ("POST", f"{BASE}/model-invocation-job")
    assert sent.headers["Authorization"] == f"Bearer {KEY}"
    assert json.loads(sent.body) == {
        "jobName": "batch+1.0.2", "clientRequestToken": token_of(JOB.key, LABELS), "roleArn": ROLE, "modelId": MODEL,
        "modelInvocationType": "InvokeModel", "timeoutDurationInHours": 24,
        "inputDataConfig": {"s3InputDataConfig": {"s3InputFormat": "JSONL", "s3Uri": JOB.prepared}},
        "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://bucket/p/"}},
    }  # fmt: skip
    assert made == Look(id=ID, state=State.WAITING, status="Submitted", input=JOB.prepared, key=JOB.key, labels=LABELS)


@pytest.mark.parametrize(("window", "hours"), [("24h", 24), ("7d", 168), ("30h", 30), ("1h", 24), ("14d", 168)])
def test_a_window_is_a_day_at_least_and_a_week_at_most(window: str, hours: int) -> None:
    dialect, service = speak(answer({"jobArn": ARN}))
    dialect.submit(msgspec.structs.replace(JOB, window=window, endpoint="/model/amazon.nova-lite-v1:0/converse"), LINES)
    sent = json.loads(service.sent[0].body)
    assert (sent["timeoutDurationInHours"], sent["modelInvocationType"]) == (hours, "Converse")
    assert sent["modelId"] == "amazon.nova-lite-v1:0"


@pytest.mark.parametrize("window", ["", "soon", "24", "1w"])
def test_what_is_no_window_is_refused_and_not_sent(window: str) -> None:
    dialect, service = speak(answer({"jobArn": ARN}))
    with pytest.raises(InvalidArgumentError, match="no window"):
        dialect.submit(msgspec.structs.replace(JOB, window=window), LINES)
    assert service.sent == []


@pytest.mark.parametrize("lost", lost_answers())
def test_a_create_whose_answer_is_lost_is_sent_once(lost: Step) -> None:
    dialect, service = speak(lost, answer({"jobArn": ARN}))
    with pytest.raises(CreateOutcomeUnknown):
        dialect.submit(JOB, LINES)
    assert len(service.sent) == 1


@pytest.mark.parametrize(
    ("refused", "error", "reaction"),
    [
        (refusal(QUOTA, "You have reached the limit of jobs in progress"), TokenLimitError, Reaction.REUSE),
        (refusal(QUOTA, "The number of records exceeds the maximum size"), TokenLimitError, Reaction.REUSE),
        (refusal("ThrottlingException", "Rate exceeded", 429), RateLimitError, Reaction.RETRY),
        (refusal("AccessDeniedException", "not authorized: iam:PassRole", 403), PermissionDeniedError, Reaction.PAUSE),
        (refusal("UnrecognizedClientException", "The security token is invalid.", 403), AuthenticationError, Reaction.PAUSE),
        (refusal("ValidationException", "Could not validate GetObject permissions to access S3"), AuthenticationError,
         Reaction.PAUSE),
        (refusal("ValidationException", "Could not assume provided IAM role. Check its trust policy."), AuthenticationError,
         Reaction.PAUSE),
        (refusal("ValidationException", "jobName: check permissions to assume"), BadRequestError, Reaction.ASK_AGAIN),
        (refusal("ValidationException", "modelId is not valid"), BatchClientError, Reaction.ASK_AGAIN),
        (refusal("ConflictException", "Another job has this token"), ConflictError, Reaction.RETRY),
    ],
)  # fmt: skip
def test_what_a_refusal_means(refused: Step, error: type[BatchClientError], reaction: Reaction) -> None:
    dialect, _ = speak(refused)
    with pytest.raises(error) as caught:
        dialect.submit(JOB, LINES)
    assert after_failed_call(caught.value) is reaction
    assert caught.value.request_id == "r-9"


@pytest.mark.parametrize(
    "message",
    [
        "Could not validate GetObject permissions to access S3 bucket", "messages: you are not authorized to assume this",
        "permission: extra field", "tools.0.description: access denied",
    ],
)  # fmt: skip
def test_a_body_that_is_refused_is_never_taken_for_a_missing_right(message: str) -> None:
    dialect, _ = speak(refusal("ValidationException", message))
    with pytest.raises(BadRequestError) as caught:
        dialect.send(URL, b"{}")
    assert after_failed_call(caught.value) is not Reaction.PAUSE


@pytest.mark.parametrize(
    ("kind", "status"), [("AccessDeniedException", 403), ("AccessDeniedException", 400), ("NotAuthorized", 400)]
)
def test_a_missing_right_of_a_request_is_told_by_its_type(kind: str, status: int) -> None:
    dialect, _ = speak(*[refusal(kind, "no", status)] * 2)
    with pytest.raises((PermissionDeniedError, AuthenticationError)) as caught:
        dialect.send(URL, b"{}")
    assert after_failed_call(caught.value) is Reaction.PAUSE


def test_a_server_that_fails_may_have_made_the_job() -> None:
    dialect, _ = speak(refusal("InternalServerException", status=500))
    with pytest.raises(CreateOutcomeUnknown):
        dialect.submit(JOB, LINES)
    with pytest.raises(ServerError):
        dialect.look(ID)


@pytest.mark.parametrize(
    ("status", "state", "partial"),
    [
        ("Submitted", State.WAITING, False), ("Validating", State.WAITING, False), ("Scheduled", State.WAITING, False),
        ("InProgress", State.RUNNING, False), ("Stopping", State.ENDING, False), ("Stopped", State.ENDED, True),
        ("Completed", State.ENDED, False), ("PartiallyCompleted", State.ENDED, True), ("Expired", State.ENDED, True),
        ("Failed", State.ENDED, False), ("Hibernating", State.UNKNOWN, False),
    ],
)  # fmt: skip
def test_each_status_is_one_of_five_states(status: str, state: State, *, partial: bool) -> None:
    dialect, _ = speak(answer(job(status)))
    seen = dialect.look(ID)
    assert (seen.id, seen.status, seen.state, seen.partial) == (ID, status, state, partial)
    assert (seen.key, seen.labels, seen.input) == (JOB.key, LABELS, "s3://bucket/p/in.jsonl")
    assert (seen.created_at, seen.expires_at) == (CREATED, CREATED + 86_400)
    assert bool(seen.problems) is (status == "Failed")
    assert seen.results == ()


def test_an_ended_job_has_the_results_that_are_there_and_the_counts_and_tokens_of_its_manifest() -> None:
    objects = left(
        MemoryObjects(), record(0, modelOutput={}), totalRecordCount=3, processedRecordCount=3, successRecordCount=2,
        errorRecordCount=1, inputTokenCount=70, outputTokenCount=9,
    )  # fmt: skip
    late: dict[str, Any] = {
        "totalRecordCount": 3,
        "processedRecordCount": 1,
        "successRecordCount": 1,
        "errorRecordCount": 0,
    }
    dialect, _ = speak(answer(job("Completed", **late)), objects=objects)
    seen = dialect.look(ID)
    assert seen.results == (f"s3://bucket/p/{ID}/in.jsonl.out",)
    assert (seen.counts, seen.usage, seen.whole) == (RequestCounts(3, 2, 1), Usage(70, 9, 79), True)


@pytest.mark.parametrize(
    "manifest", [b"", b"[]", b"{broken", b'{"inputTokenCount":"x","outputTokenCount":1}', b"x" * 100_000]
)
def test_a_manifest_that_cannot_be_read_tells_nothing(manifest: bytes) -> None:
    objects = left(MemoryObjects(piece=1_000), record(0, modelOutput={}))
    objects.store(f"s3://bucket/p/{ID}/manifest.json.out", manifest)
    counts: dict[str, Any] = {"totalRecordCount": 1, "successRecordCount": 1, "errorRecordCount": 0}
    dialect, _ = speak(answer(job("Completed", **counts)), objects=objects)
    seen = dialect.look(ID)
    assert (seen.counts, seen.usage) == (RequestCounts(1, 1, 0), None)


def test_answers_that_are_counted_and_not_there_are_told() -> None:
    counts: dict[str, Any] = {"totalRecordCount": 3, "successRecordCount": 2, "errorRecordCount": 1}
    dialect, _ = speak(answer(job("PartiallyCompleted", **counts)))
    seen = dialect.look(ID)
    assert (seen.results, seen.whole, seen.partial) == ((), False, True)


def test_a_job_that_expired_never_began_and_has_nothing() -> None:
    dialect, _ = speak(answer(job("Expired", totalRecordCount=3, successRecordCount=0, errorRecordCount=0)))
    seen = dialect.look(ID)
    assert (seen.results, seen.whole, seen.partial, seen.ended) == ((), True, True, True)


@pytest.mark.parametrize(
    ("message", "code", "reaction"),
    [
        (None, "batch_failed", Reaction.RETRY),
        ("The model had a problem", "batch_failed", Reaction.RETRY),
        ("Could not assume provided IAM role. Check its trust policy.", "invalid_api_key", Reaction.PAUSE),
        ("Could not validate PutObject permissions to access S3 bucket: b", "invalid_api_key", Reaction.PAUSE),
        ("Too many records failed", "batch_failed", Reaction.RETRY),
        ("Some records could not be run: check permissions of the prompt", "batch_failed", Reaction.RETRY),
        ("The size of some records exceeds the limit", "batch_failed", Reaction.RETRY),
        ("contains less records (5) than the required minimum of: 100", "batch_failed", Reaction.RETRY),
    ],
)
def test_why_a_job_failed_is_read_from_its_words(message: str | None, code: str, reaction: Reaction) -> None:
    dialect, _ = speak(answer(job("Failed", message=message)))
    (problem,) = dialect.look(ID).problems
    assert isinstance(problem, BatchError)
    assert problem.code == code
    assert after_failed_batch([Problem(problem.code, problem.message or "")]) is reaction


@pytest.mark.parametrize("odd", [{"jobArn": None}, {"jobArn": 7}, {}])
def test_a_job_without_an_arn_is_no_answer(odd: dict[str, Any]) -> None:
    dialect, _ = speak(answer(odd))
    with pytest.raises(ProtocolError):
        dialect.look(ID)


def test_odd_members_count_as_absent() -> None:
    odd = job(7, totalRecordCount=-1, submitTime=[], inputDataConfig=None, outputDataConfig={"s3OutputDataConfig": []})  # type: ignore[arg-type]
    dialect, _ = speak(answer({**odd, "clientRequestToken": 7}))
    assert dialect.look(ID) == Look(id=ID, state=State.UNKNOWN, status="unknown", expires_at=CREATED + 86_400)


def test_a_stop_is_answered_with_the_job_as_it_is_then() -> None:
    dialect, service = speak(answer({}), answer(job("Stopping")))
    assert dialect.stop(ID).state is State.ENDING
    assert [(sent.method, urlsplit(sent.url).path) for sent in service.sent] == [
        ("POST", f"/model-invocation-job/{ID}/stop"), ("GET", f"/model-invocation-job/{ID}")
    ]  # fmt: skip


def test_a_job_that_has_ended_is_returned_as_it_is_and_one_that_runs_is_refused() -> None:
    dialect, _ = speak(refusal("ConflictException"), answer(job("Completed")))
    assert dialect.stop(ID).status == "Completed"
    dialect, _ = speak(refusal("ValidationException"), answer(job("InProgress")))
    with pytest.raises(BatchClientError):
        dialect.stop(ID)


def test_a_lost_create_is_found_by_its_token_among_the_jobs_of_its_name() -> None:
    other = job(key="batch_1/0/22", arn=ARN[:-1] + "7")
    dialect, service = speak(listed(other, token="next"), listed(job()))
    found = dialect.find(JOB, CREATED)
    assert found is not None
    assert found.id == ID
    query = dict(parse_qsl(urlsplit(service.sent[0].url).query))
    assert query == {
        "nameContains": "batch+1.0.2", "submitTimeAfter": "2026-09-21T14:13:20Z", "sortBy": "CreationTime",
        "sortOrder": "Descending", "maxResults": "100",
    }  # fmt: skip
    assert dict(parse_qsl(urlsplit(service.sent[1].url).query))["nextToken"] == "next"


def test_what_is_not_listed_was_not_made_and_what_is_known_is_no_find() -> None:
    dialect, _ = speak(listed())
    assert dialect.find(JOB, CREATED) is None
    dialect, _ = speak(listed(job()))
    assert dialect.find(JOB, CREATED, {ID}) is None


def test_jobs_are_listed_page_by_page_and_behind_one_of_them() -> None:
    jobs = [job(arn=f"{ARN[:-1]}{at}", at=f"2026-09-21T14:13:{20 - at // 2}Z") for at in range(6)]  # two in each second
    dialect, _ = speak(listed(*jobs[:4], token="a"), listed(*jobs[4:]))
    assert [seen.id for seen in dialect.jobs()] == [f"{ID[:-1]}{at}" for at in range(6)]
    dialect, service = speak(answer(jobs[2]), listed(*jobs))
    assert [seen.id for seen in dialect.jobs(f"{ID[:-1]}2")] == [f"{ID[:-1]}{at}" for at in (3, 4, 5)]
    assert "submitTimeBefore=2026-09-21T14%3A13%3A20Z" in service.sent[1].url


def test_an_ended_job_of_a_list_names_the_results_that_the_rule_says_without_a_look_at_the_bucket() -> None:
    dialect, _ = speak(listed(job("Completed")))
    (seen,) = dialect.jobs()
    assert seen.results == (f"s3://bucket/p/{ID}/in.jsonl.out",)


def test_a_list_that_goes_round_in_circles_is_refused() -> None:
    dialect, _ = speak(listed(job(), token="a"))
    with pytest.raises(ProtocolError, match="no way"):
        list(dialect.jobs())


def test_a_result_is_read_and_one_that_is_not_there_is_not_found() -> None:
    objects = left(MemoryObjects(), record(2, modelOutput={"a": 1}), record(0, error={"errorCode": 400}))
    dialect, _ = speak(answer({}), objects=objects)
    name = f"s3://bucket/p/{ID}/in.jsonl.out"
    found = list(map(json.loads, b"".join(dialect.read(name, IDS)).splitlines()))
    assert [each["custom_id"] for each in found] == [IDS[2], IDS[0]]
    with pytest.raises(NotFoundError):
        list(dialect.read("s3://bucket/p/other/in.jsonl.out", IDS))


def test_with_a_result_its_manifest_is_forgotten_and_nothing_else() -> None:
    objects = left(MemoryObjects(), b"")
    objects.put("in.jsonl", [b""])
    dialect, _ = speak(answer({}), objects=objects)
    assert dialect.forget(f"s3://bucket/p/{ID}/in.jsonl.out")
    assert list(objects.stored) == ["s3://bucket/p/in.jsonl"]
    assert not dialect.forget(f"s3://bucket/p/{ID}/in.jsonl.out")
    assert dialect.forget("s3://bucket/p/in.jsonl")


def test_inputs_are_listed_newest_first_without_results() -> None:
    objects = MemoryObjects()
    names = [objects.put(f"{name}.jsonl", [b""]) for name in "cab"]
    left(objects, b"")
    dialect, _ = speak(answer({}), objects=objects)
    found = list(dialect.inputs())
    assert found[0] == Input(names[2], "b.jsonl", CREATED + 2)
    assert [each.filename for each in found] == ["b.jsonl", "a.jsonl", "c.jsonl"]
    assert [each.filename for each in dialect.inputs(names[1])] == ["c.jsonl"]
    assert [each.filename for each in dialect.inputs("gone")] == ["b.jsonl", "a.jsonl", "c.jsonl"]


def test_a_request_on_its_own_goes_to_the_other_host() -> None:
    dialect, service = speak(answer({"usage": {}}))
    told = dialect.send("/model/amazon.nova-lite-v1:0/converse", b'{"messages":[]}')
    assert json.loads(told.data) == {"usage": {}}
    (sent,) = service.sent
    assert sent.url == "https://bedrock-runtime.eu-central-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse"
    assert (sent.method, sent.body) == ("POST", b'{"messages":[]}')


def test_a_request_whose_answer_is_lost_is_sent_once_and_a_throttled_one_again() -> None:
    dialect, service = speak(reset(), answer({}))
    with pytest.raises(RequestOutcomeUnknown):
        dialect.send(URL, b"{}")
    assert len(service.sent) == 1
    dialect, service = speak(refusal("ThrottlingException", status=429), answer({}), clock=FakeClock())
    dialect.send(URL, b"{}")
    assert len(service.sent) == 2


def test_what_is_no_url_of_bedrock_is_not_sent() -> None:
    dialect, service = speak(answer({}))
    for call in (
        lambda: dialect.send("/v1/messages", b"{}"),
        lambda: dialect.submit(msgspec.structs.replace(JOB, endpoint="/x"), LINES),
    ):
        with pytest.raises(InvalidArgumentError, match="no url of Bedrock"):
            call()
    assert service.sent == []


def test_without_objects_jobs_can_be_looked_at_and_stopped_and_nothing_else() -> None:
    client, _ = client_of(answer(job("Completed")), base_url=BASE, profile="bedrock-key")
    dialect = speak_as(client, "")
    assert isinstance(dialect, BedrockDialect)
    assert dialect.look(ID).results == (f"s3://bucket/p/{ID}/in.jsonl.out",)
    for call in (
        lambda: dialect.prepare(JOB, LINES),
        lambda: list(dialect.inputs()),
        lambda: dialect.forget("s3://a/b"),
    ):
        with pytest.raises(InvalidArgumentError, match="give `speak` the `objects`"):
            call()


def test_without_a_role_nothing_is_written_and_the_remedy_is_said() -> None:
    objects = MemoryObjects(role="")
    dialect, service = speak(answer({}), objects=objects)
    for call in (lambda: dialect.prepare(JOB, LINES), lambda: dialect.submit(JOB, LINES)):
        with pytest.raises(InvalidArgumentError, match="name its ARN as `role`") as caught:
            call()
        assert after_failed_call(caught.value) is Reaction.PAUSE
    assert (objects.stored, service.sent) == ({}, [])


def test_an_input_must_have_the_end_by_which_it_is_known() -> None:
    dialect, _ = speak(answer({}))
    with pytest.raises(InvalidArgumentError, match="does not end"):
        dialect.prepare(msgspec.structs.replace(JOB, filename="in.txt"), LINES)
