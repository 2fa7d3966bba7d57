"""Every mend works, and is still needed: what it mends is wrong on an engine without it."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from local.engine.__main__ import WRAPPERS
from local.engine.mends import MENDS
from local.engine.places import OTHERS
from tests.integration.local.engine.probe.running import Probe, eventually, probe


def a_route_of_the_body_answers(stack: Probe) -> bool:
    return stack.call("POST", "/echo", content="{}").status_code == 201


def each_map_keeps_to_its_concurrency(stack: Probe) -> bool:
    bucket, numbers = stack.outputs["BucketName"], list(range(8))
    items = [{"item": number, "fail": False} for number in numbers]
    stack.clients.s3.put_object(Bucket=bucket, Key="work/concurrency.json", Body=json.dumps(items).encode())
    stack.execute({"items": {"bucket": bucket, "key": "work/concurrency.json"}, "max_concurrency": 2})
    stack.execute({"numbers": numbers, "max_concurrency": 2})
    counted = stack.clients.table(stack.outputs["TableName"]).scan()["Items"]
    most = max(str(item["pk"]) for item in counted if str(item["pk"]).startswith("most-"))
    return most == "most-002"


def a_nested_execution_that_failed_is_described(stack: Probe) -> bool:
    ended = stack.execute({"nested": {"fail": True}})
    if ended["error"] != "States.TaskFailed":
        return False
    described = json.loads(json.loads(ended["cause"])["Cause"])
    return (described["Status"], described["Error"]) == ("FAILED", "OfItsOwnError")


def a_failure_is_caught_by_its_class(stack: Probe) -> bool:
    return str(stack.execute({"fail": True})["error"]) == "OfItsOwnError"


def an_uploads_event_names_its_version(stack: Probe) -> bool:
    given = stack.clients.s3.put_object(Bucket=stack.outputs["BucketName"], Key="inbox/default/x", Body=b"x")
    told = json.loads(stack.item("Object Created")["event"])["detail"]["object"]
    return str(told.get("version-id")) == given["VersionId"]


def an_event_of_bedrock_is_taken_and_of_another_service_of_aws_not(stack: Probe) -> bool:
    def refused(source: str) -> int:
        entry = {"Source": source, "DetailType": "Batch Inference Job State Change", "Detail": "{}"}
        return int(stack.clients.other("events").put_events(Entries=[entry])["FailedEntryCount"])

    return (refused("aws.bedrock"), refused("aws.states")) == (0, 1)


def a_range_of_a_version_is_read(stack: Probe) -> bool:
    bucket = stack.outputs["BucketName"]
    given = stack.clients.s3.put_object(Bucket=bucket, Key="work/range", Body=b"0123456789")
    answer = stack.clients.s3.get_object(
        Bucket=bucket, Key="work/range", VersionId=given["VersionId"], Range="bytes=2-5"
    )
    return answer["Body"].read() == b"2345" and answer.get("ContentRange") == "bytes 2-5/10"


def two_workers_share_a_layer(stack: Probe) -> bool:
    stack.invoke("StepFunction", {})
    stack.invoke("WordFunction", {})
    places = {path.resolve() for path in stack.scratch.glob("ministack-lambda-*/layer_0/python")}
    return len(places) == 1


def a_bucket_for_tls_only_can_be_read(stack: Probe) -> bool:
    given = stack.clients.s3.put_object(Bucket=stack.outputs["BucketName"], Key="inbox/default/y", Body=b"x")
    told = {"key": "inbox/default/y", "version-id": given["VersionId"]}
    _, failure = stack.invoke("DoorFunction", {"detail-type": "By hand", "detail": {"object": told}})
    return failure is None


def an_options_reaches_the_function(stack: Probe) -> bool:
    answer = stack.call("OPTIONS", "/echo")
    return answer.status_code == 201 and answer.json()["requestContext"]["http"]["method"] == "OPTIONS"


def a_template_may_have_an_alarm_on_metric_math(stack: Probe) -> bool:
    errors = {"Namespace": "AWS/Lambda", "MetricName": "Errors"}
    metrics = [
        {"Id": "all", "Expression": "SUM(METRICS())", "ReturnData": True},
        {"Id": "one", "MetricStat": {"Metric": errors, "Stat": "Sum", "Period": 300}, "ReturnData": False},
    ]
    compared = {"ComparisonOperator": "GreaterThanThreshold", "Threshold": 0, "EvaluationPeriods": 3}
    alarm = {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": metrics, **compared}}
    stacks = stack.clients.other("cloudformation")
    stacks.create_stack(StackName="alarm", TemplateBody=json.dumps({"Resources": {"Alarm": alarm}}))
    return eventually(lambda: _completed(stacks, "alarm")) == "CREATE_COMPLETE"


def _completed(stacks: Any, name: str) -> str | None:
    status = str(stacks.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"])
    return None if status.endswith("IN_PROGRESS") else status


def a_stream_bears_the_name_of_its_function(stack: Probe) -> bool:
    stack.invoke("WordFunction", {})
    found = stack.clients.other("logs").describe_log_streams(logGroupName="/aws/lambda/batchyard")["logStreams"]
    return [stack.outputs["WordFunction"] in stream["logStreamName"] for stream in found] == [True]


def a_metric_in_the_log_is_measured(stack: Probe) -> bool:
    described = {"Namespace": "Probe", "Dimensions": [["service"]], "Metrics": [{"Name": "Done", "Unit": "Count"}]}
    line = {"_aws": {"Timestamp": 1, "CloudWatchMetrics": [described]}, "service": "probe", "Done": [2.0]}
    stack.invoke("StepFunction", {"says": json.dumps(line)})
    found = stack.clients.other("cloudwatch").list_metrics(Namespace="Probe")["Metrics"]
    return [(each["MetricName"], each["Dimensions"]) for each in found] == [
        ("Done", [{"Name": "service", "Value": "probe"}])
    ]


def an_invocation_by_a_state_machine_is_measured(stack: Probe) -> bool:
    stack.execute({"fail": True})
    stack.invoke("StepFunction", {})
    asked = {
        "Namespace": "AWS/Lambda",
        "Dimensions": [{"Name": "FunctionName", "Value": stack.outputs["StepFunction"]}],
    }
    now = datetime.now(UTC)
    within = {"StartTime": now - timedelta(hours=1), "EndTime": now + timedelta(hours=1), "Period": 7_200}
    cloudwatch = stack.clients.other("cloudwatch")
    found = {
        name: cloudwatch.get_metric_statistics(**asked, **within, MetricName=name, Statistics=["Sum"])["Datapoints"]
        for name in ("Invocations", "Errors")
    }
    return {name: [each["Sum"] for each in points] for name, points in found.items()} == {
        "Invocations": [2.0],
        "Errors": [1.0],
    }


def a_template_may_have_a_saved_query(stack: Probe) -> bool:
    query = {"Type": "AWS::Logs::QueryDefinition", "Properties": {"Name": "one", "QueryString": "fields @message"}}
    stacks = stack.clients.other("cloudformation")
    try:
        stacks.create_stack(StackName="query", TemplateBody=json.dumps({"Resources": {"Query": query}}))
    except ClientError:
        return False
    return eventually(lambda: _completed(stacks, "query")) == "CREATE_COMPLETE"


def the_figures_have_a_page_for_own_callers(stack: Probe) -> bool:
    place = f"{stack.clients.endpoint_url}/console/operator"
    foreign = httpx.get(f"{place}/figures", headers={"host": "evil.example"})
    page, told = httpx.get(place), httpx.get(f"{place}/figures")
    return (
        page.status_code == 200
        and told.status_code == 200
        and told.json()["widgets"] == []
        and foreign.status_code == 403
    )


def invocations_wait_for_workers(stack: Probe) -> bool:
    functions, name, count = stack.clients.other("lambda"), stack.outputs["StepFunction"], 4 * OTHERS
    for number in range(count):
        functions.invoke(FunctionName=name, InvocationType="Event", Payload=json.dumps({"item": number}))
    table = stack.clients.table(stack.outputs["TableName"])
    eventually(lambda: _begun(table) == count or None)  # none is lost
    return len(list(stack.scratch.glob(f"ministack-lambda-{name}-*"))) == OTHERS


def _begun(table: Any) -> int:
    return sum(int(item["seen"]) for item in table.scan()["Items"] if str(item["pk"]).startswith("most-"))


def a_large_object_takes_no_memory(stack: Probe) -> bool:
    before, size = _peak_memory(stack), 64 << 20
    s3, where = stack.clients.other("s3"), {"Bucket": stack.outputs["BucketName"], "Key": "files/large"}
    begun = {**where, "UploadId": s3.create_multipart_upload(**where)["UploadId"]}
    etag = s3.upload_part(**begun, PartNumber=1, Body=bytes(size))["ETag"]
    s3.complete_multipart_upload(**begun, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": etag}]})
    read = sum(len(piece) for piece in s3.get_object(**where)["Body"].iter_chunks(1 << 20))
    return read == size and _peak_memory(stack) < before + size // 4


def _peak_memory(stack: Probe) -> int:
    status = Path(f"/proc/{stack.process.pid}/status").read_text()
    return next(1024 * int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM:"))


def a_web_page_of_another_place_reads_no_secret(stack: Probe) -> bool:
    secrets = stack.clients.other("secretsmanager")
    secrets.create_secret(Name="provider", SecretString="sk-of-the-user")
    scope = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0"
    asked = {"x-amz-target": "secretsmanager.GetSecretValue", "content-type": "text/plain", "authorization": scope}
    pages: list[dict[str, str]] = [
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"sec-fetch-site": "cross-site"},
    ]
    told = [
        httpx.post(stack.clients.endpoint_url, headers={**asked, **page}, content='{"SecretId": "provider"}').text
        for page in pages
    ]
    preflight = httpx.options(stack.clients.endpoint_url, headers={**pages[0], "access-control-request-method": "POST"})
    return "sk-of-the-user" not in "".join(told) and "access-control-allow-origin" not in preflight.headers


def a_schedule_is_told_its_time(stack: Probe) -> bool:
    door = stack.clients.other("lambda").get_function(FunctionName=stack.outputs["DoorFunction"])["Configuration"]
    told = {"detail-type": "Fired", "detail": {"at": "<aws.scheduler.scheduled-time>"}}
    target = {"Arn": door["FunctionArn"], "RoleArn": door["Role"], "Input": json.dumps(told)}
    stack.clients.other("scheduler").create_schedule(
        Name="once", ScheduleExpression="at(2026-01-02T02:00:00)", ScheduleExpressionTimezone="Asia/Tokyo", Target=target,
        FlexibleTimeWindow={"Mode": "OFF"},
    )  # fmt: skip
    table = stack.clients.table(stack.outputs["TableName"])
    with suppress(AssertionError):  # ministack itself looks every ten seconds
        fired = eventually(lambda: table.get_item(Key={"pk": "Fired"}, ConsistentRead=True).get("Item"), seconds=5)
        return bool(json.loads(str(fired["event"]))["detail"]["at"] == "2026-01-01T17:00:00Z")
    return False


OBSERVED: Mapping[str, Callable[[Probe], bool]] = {
    "http_api_body": a_route_of_the_body_answers,
    "max_concurrency_path": each_map_keeps_to_its_concurrency,
    "nested_failure": a_nested_execution_that_failed_is_described,
    "error_class": a_failure_is_caught_by_its_class,
    "object_version": an_uploads_event_names_its_version,
    "version_range": a_range_of_a_version_is_read,
    "layer_sharing": two_workers_share_a_layer,
    "bedrock_events": an_event_of_bedrock_is_taken_and_of_another_service_of_aws_not,
    "options": an_options_reaches_the_function,
    "metric_math_alarm": a_template_may_have_an_alarm_on_metric_math,
    "log_stream": a_stream_bears_the_name_of_its_function,
    "function_metrics": an_invocation_by_a_state_machine_is_measured,
    "embedded_metrics": a_metric_in_the_log_is_measured,
    "query_definition": a_template_may_have_a_saved_query,
    "schedules": a_schedule_is_told_its_time,
    "operators_page": the_figures_have_a_page_for_own_callers,
    "worker_places": invocations_wait_for_workers,
    "encrypted": a_bucket_for_tls_only_can_be_read,
    "api_at_v1": a_route_of_the_body_answers,
    "objects_on_disk": a_large_object_takes_no_memory,
    "own_callers": a_web_page_of_another_place_reads_no_secret,
}
#: Those that count all invocations, all streams, all workers, one event or the engine's memory: each on an engine of its own.
ALONE = {"object_version", "log_stream", "function_metrics", "worker_places", "objects_on_disk"}


@pytest.fixture(scope="module")
def mended(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    with probe(tmp_path_factory.mktemp("mended")) as running:
        yield running


def test_every_mend_is_observed() -> None:
    assert OBSERVED.keys() == MENDS.keys() | WRAPPERS.keys()


@pytest.mark.parametrize("mend", [mend for mend in OBSERVED if mend not in ALONE])
def test_the_mend_works(mend: str, mended: Probe) -> None:
    assert OBSERVED[mend](mended)


@pytest.mark.parametrize("mend", sorted(ALONE))
def test_the_mend_works_on_an_engine_of_its_own(mend: str, tmp_path: Path) -> None:
    with probe(tmp_path) as running:
        assert OBSERVED[mend](running)


@pytest.mark.parametrize("mend", OBSERVED)
def test_the_engine_still_needs_the_mend(mend: str, tmp_path: Path) -> None:
    with probe(tmp_path, mend) as without:
        assert not OBSERVED[mend](without)
