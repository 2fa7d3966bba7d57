"""What the local AWS does with a stack of functions, as far as ours needs it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.engine.places import OTHERS, TASKS
from local.stack.function_logs import save_logs
from local.stack.running import Stack
from tests.integration.local.engine.probe.running import Probe, eventually, probe

HOST = {
    "PATH": "/usr/bin:/bin",
    "AWS_PROFILE": "somebody",
    "AWS_SECRET_ACCESS_KEY": "a real secret",
    "AWS_ENDPOINT_URL_S3": "https://elsewhere.example",
    "PROVIDER_API_KEY": "sk-real",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    with probe(tmp_path_factory.mktemp("engine"), host=HOST) as running:
        yield running


@pytest.mark.parametrize(("room", "route"), [("echo", "GET /v1/echo/{name}"), ("none", "$default")])
def test_a_request_reaches_its_function_as_it_was_sent(stack: Probe, room: str, route: str) -> None:
    sent = f"/{room}/a%20b%2Bc%25d%C3%A9?limit=2&after=x%2By&empty="
    event = stack.call("GET", sent, headers={"Idempotency-Key": "K 1"}).json()
    assert event["version"] == "2.0"
    assert event["routeKey"] == event["requestContext"]["routeKey"] == route
    assert event["requestContext"]["stage"] == "$default"
    assert event["rawPath"] == event["requestContext"]["http"]["path"] == f"/v1/{room}/a b+c%25dé"
    assert event["rawQueryString"] == "limit=2&after=x%2By&empty="
    assert event["queryStringParameters"] == {"limit": "2", "after": "x+y", "empty": ""}
    assert event["headers"]["idempotency-key"] == "K 1"
    assert event["headers"]["authorization"] == "Bearer letmein"
    assert event["requestContext"]["http"]["method"] == "GET"


def test_a_body_reaches_its_function_as_text(stack: Probe) -> None:
    event = stack.call("POST", "/echo", content='{"é": 1}', headers={"content-type": "application/json"}).json()
    assert (event["body"], event["isBase64Encoded"]) == ('{"é": 1}', False)


def test_an_answer_keeps_its_status_and_headers(stack: Probe) -> None:
    answer = stack.call("POST", "/echo", content="{}")
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/x-probe; charset=utf-8"
    assert answer.headers["x-probe"] == "yes"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/echo"), ("GET", "/no/such/route"), ("HEAD", "/echo/x")])
def test_what_no_route_fits_reaches_the_default_one(stack: Probe, method: str, path: str) -> None:
    answer = stack.call(method, path)
    assert answer.status_code == 201
    assert method == "HEAD" or answer.json()["routeKey"] == "$default"


def test_a_function_has_its_roles_permissions_and_no_others(stack: Probe) -> None:
    answer, failure = stack.invoke("StepFunction", {"forbidden": True})
    assert failure == "Unhandled"
    assert "dynamodb:Scan" in answer["errorMessage"]


def test_a_function_sees_nothing_of_the_users_secrets_and_settings(stack: Probe) -> None:
    seen, _ = stack.invoke("StepFunction", {"environment": True})
    assert "AWS_PROFILE" not in seen
    assert "AWS_ENDPOINT_URL_S3" not in seen
    assert "PROVIDER_API_KEY" not in seen
    assert seen["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert seen["AWS_SECRET_ACCESS_KEY"] != "a real secret"


@pytest.mark.parametrize("name", ["plain.jsonl", "a b+c%d%20 é 文.jsonl", "sub/folder.jsonl"])
def test_an_upload_reaches_its_function_under_the_very_same_key(stack: Probe, name: str) -> None:
    key = f"inbox/default/{name}"
    version_id = stack.clients.s3.put_object(Bucket=stack.outputs["BucketName"], Key=key, Body=b"x")["VersionId"]
    assert stack.item(key)["VersionId"] == version_id


def test_a_failed_execution_becomes_an_event(stack: Probe) -> None:
    assert stack.execute({"fail": True})["status"] == "FAILED"
    detail = json.loads(stack.item("Step Functions Execution Status Change")["event"])["detail"]
    assert detail["status"] == "FAILED"
    assert json.loads(detail["input"]) == {"fail": True}


def test_the_error_path_ends_with_the_whole_error_as_text(stack: Probe) -> None:
    ended = stack.execute({"fail": True})
    assert ended["error"] == "OfItsOwnError"
    assert json.loads(json.loads(ended["cause"])["Cause"])["errorMessage"] == "on purpose"


def test_a_nested_execution_hands_its_answer_back_as_json(stack: Probe) -> None:
    ended = stack.execute({"nested": {"greeting": ["hello"]}})
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", {"answer": {"greeting": ["hello"]}})


def test_a_nested_execution_that_is_stopped_alone_fails_its_parents_task(stack: Probe) -> None:
    states = stack.clients.stepfunctions
    machine, given = stack.outputs["StateMachineArn"], json.dumps({"nested": {"wait_seconds": 2}})
    parent = states.start_execution(stateMachineArn=machine, name="parent", input=given)["executionArn"]
    nested = f"{parent}-nested"
    eventually(lambda: _status(stack, nested) == "RUNNING" or None)
    states.stop_execution(executionArn=nested)
    eventually(lambda: _status(stack, parent) == "FAILED" or None)
    ended = states.describe_execution(executionArn=parent)
    assert ended["error"] == "States.TaskFailed"
    assert json.loads(json.loads(ended["cause"])["Cause"])["Status"] == "ABORTED"


def _status(stack: Probe, arn: str) -> str | None:
    states = stack.clients.stepfunctions
    try:
        return states.describe_execution(executionArn=arn)["status"]
    except states.exceptions.ExecutionDoesNotExist:
        return None


def test_a_failing_item_of_a_map_fails_no_other(stack: Probe) -> None:
    bucket = stack.outputs["BucketName"]
    items = [{"item": number, "fail": number == 1} for number in range(3)]
    stack.clients.s3.put_object(Bucket=bucket, Key="work/items.json", Body=json.dumps(items).encode())
    given = {"items": {"bucket": bucket, "key": "work/items.json"}, "max_concurrency": 3}
    ended = stack.execute(given)
    assert (ended["status"], json.loads(ended["output"])) == ("SUCCEEDED", given)


def test_a_map_reads_a_list_that_is_kept_on_disk(stack: Probe) -> None:
    bucket, listed = stack.outputs["BucketName"], json.dumps([{"item": 1, "fail": False}]).ljust(3 << 20)
    stack.clients.s3.put_object(Bucket=bucket, Key="work/long.json", Body=listed.encode())
    given = {"items": {"bucket": bucket, "key": "work/long.json"}, "max_concurrency": 1}
    assert stack.execute(given)["status"] == "SUCCEEDED"


def test_a_request_is_answered_while_no_task_and_no_event_has_a_place_left(stack: Probe) -> None:
    states, machine, given = stack.clients.stepfunctions, stack.outputs["StateMachineArn"], json.dumps({"sleep": 5})
    for _ in range(TASKS + 1):
        states.start_execution(stateMachineArn=machine, input=given)
    for _ in range(OTHERS + 1):
        stack.clients.other("lambda").invoke(
            FunctionName=stack.outputs["StepFunction"], InvocationType="Event", Payload=given
        )
    assert stack.call("POST", "/echo", content="{}").status_code == 201
    assert len(states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]) == TASKS + 1
    eventually(
        lambda: not states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"] or None
    )


def test_what_the_functions_logged_can_be_kept_and_says_which_of_them_did(stack: Probe, tmp_path: Path) -> None:
    stack.invoke("StepFunction", {"fail": True})
    path = save_logs(Stack(stack.clients, stack.outputs, "", (), tmp_path))
    told = [line for line in path.read_text().splitlines() if line.endswith("OfItsOwnError: on purpose")]
    assert {line.split()[0] for line in told} == {stack.outputs["StepFunction"]}


def test_all_that_was_logged_is_kept_though_the_engine_gives_ten_thousand_messages_at_once(tmp_path: Path) -> None:
    with probe(tmp_path) as running:
        logs, group = running.clients.other("logs"), "/aws/lambda/many"
        logs.create_log_group(logGroupName=group)
        for number in range(120):
            stream = {"logGroupName": group, "logStreamName": f"2026/11/20/many[$LATEST]{number:03}"}
            logs.create_log_stream(**stream)
            events = [{"timestamp": 1_795_166_047_000 + number, "message": f"{number} {at}"} for at in range(100)]
            logs.put_log_events(**stream, logEvents=events)
        kept = save_logs(Stack(running.clients, running.outputs, "", (), tmp_path)).read_text().splitlines()
    assert [line for line in kept if line.startswith("many ")] == [
        f"many {n} {at}" for n in range(120) for at in range(100)
    ]


def test_the_engine_and_its_workers_end_together(tmp_path: Path) -> None:
    with probe(tmp_path) as running:
        running.invoke("StepFunction", {})
        members = _group(running.process.pid)
        assert len(members) == 2
    assert _group(running.process.pid) == []


def _group(number: int) -> list[int]:
    stats = [path.read_text().rpartition(")")[2].split() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    return [int(stat[2]) for stat in stats if int(stat[2]) == number and stat[0] != "Z"]
