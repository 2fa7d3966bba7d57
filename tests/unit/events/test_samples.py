"""Every file in events/ is named after a door, and looks as AWS sends it to that door."""

import base64
import ipaddress
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2, S3EventBridgeNotificationEvent

from tests.unit.template.documents import resources

ROOT = Path(__file__).resolve().parents[3]
SAMPLES = sorted((ROOT / "events").iterdir())
NAME = re.compile(r"(?P<door>[a-z]+)\.(?P<case>[a-z0-9]+(-[a-z0-9]+)*)\.json")
ACCOUNT = "123456789012"  # the one AWS's own examples use
ENVELOPE = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail"}
NEXT_STEPS = {"submit", "poll", "collect", "done"}
BATCH_ID = re.compile(r"batch_[0-9a-f]{32}")


def of(*prefixes: str) -> pytest.MarkDecorator:
    """Parametrize over the samples whose names begin so; never over none."""
    chosen = [path for path in SAMPLES if path.name.startswith(prefixes)]
    assert chosen, prefixes
    return pytest.mark.parametrize("path", chosen, ids=lambda path: path.stem)


def read(path: Path) -> dict[str, Any]:
    document = json.loads(path.read_text(encoding="utf-8"))
    assert isinstance(document, dict)
    return document


def test_every_function_has_a_sample_and_every_sample_a_function() -> None:
    functions = {path.parent.name for path in ROOT.glob("functions/*/handler.py")}
    assert {path.name.split(".")[0] for path in SAMPLES} - {"bus"} == functions  # what we put on the bus: test_bus.py


def test_every_sample_is_named_after_its_door_and_case() -> None:
    assert [path.name for path in SAMPLES if not NAME.fullmatch(path.name)] == []


def test_every_sample_is_readable_text() -> None:
    wanted = {path.name: json.dumps(read(path), ensure_ascii=False, indent=2) + "\n" for path in SAMPLES}
    assert {path.name: path.read_text(encoding="utf-8") for path in SAMPLES} == wanted


def test_no_sample_names_anybody_real() -> None:
    example = ipaddress.ip_network("203.0.113.0/24")  # RFC 5737: for documentation
    for path in SAMPLES:
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r"(?<![\w.-])\d{12}(?![\w.-])", text)) <= {ACCOUNT}, path.name
        addresses = re.findall(r"\b\d{1,3}(?:\.\d{1,3}){3}\b", text)
        assert all(ipaddress.ip_address(each) in example for each in addresses), path.name


@of(
    "intake.",
    "gather.s3-",
    "gather.refused-",
    "sweep.schedule",
    "sweep.execution-",
    "bus.",
    "notify.",
    "advance.bedrock-",
)
def test_an_eventbridge_sample_has_the_whole_envelope(path: Path) -> None:
    event = read(path)
    assert set(event) == ENVELOPE
    assert event["account"] == ACCOUNT
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["time"])


@of("intake.", "gather.s3-", "gather.refused-")
def test_an_upload_pins_the_version_of_its_object(path: Path) -> None:
    event = S3EventBridgeNotificationEvent(read(path))
    assert event.detail_type == "Object Created"
    assert event.resources == [f"arn:aws:s3:::{event.detail.bucket.name}"]
    assert event.detail.object.version_id
    assert re.fullmatch(r"[0-9A-F]{18}", event.detail.object.sequencer)
    assert event.detail.reason in {"PutObject", "CopyObject", "CompleteMultipartUpload"}


@of("gather.firing-")
def test_a_firing_that_was_left_is_named_by_its_folder_and_batch(path: Path) -> None:
    firing = read(path)["firing"]
    assert set(firing) == {"tenant", "name", "batch_id"}
    assert BATCH_ID.fullmatch(firing["batch_id"])


@of("intake.s3-object-created-multipart")
def test_a_multipart_upload_says_so_in_reason_and_etag(path: Path) -> None:
    event = S3EventBridgeNotificationEvent(read(path))
    assert event.detail.reason == "CompleteMultipartUpload"
    assert re.fullmatch(r"[0-9a-f]{32}-\d+", event.detail.object.etag)


@of("intake.s3-object-created-key-")
def test_eventbridge_hands_a_key_over_as_it_is(path: Path) -> None:
    key = read(path)["detail"]["object"]["key"]
    assert all(character in key for character in (" ", "+", "%", "ä", "問", "🚂"))


@of("sweep.schedule")
def test_a_schedule_names_what_fired_it(path: Path) -> None:
    event = read(path)
    assert event["detail-type"] == "Scheduled Event"
    assert event["source"] in {"aws.scheduler", "aws.events"}
    assert event["resources"][0].startswith(f"arn:aws:{event['source'].removeprefix('aws.')}:")


@of("advance.bedrock-")
def test_the_end_of_a_job_fits_the_rule_that_asks_for_it(path: Path) -> None:
    event, rule = read(path), resources("AWS::Events::Rule")["BedrockJobEnded"]
    wanted = rule["EventPattern"]
    assert (event["source"], event["detail-type"]) in set(zip(wanted["source"], wanted["detail-type"], strict=True))
    assert event["detail"]["status"] in wanted["detail"]["status"]
    (named,) = wanted["detail"]["batchJobName"]
    assert event["detail"]["batchJobName"].startswith(named["prefix"])
    assert event["resources"] == [event["detail"]["batchJobArn"]]


@of("api.")
def test_a_call_comes_as_payload_2_0(path: Path) -> None:
    event = APIGatewayProxyEventV2(read(path))
    assert event.version == "2.0"
    assert event.raw_path == event.request_context.http.path
    assert event["routeKey"] == event.request_context.route_key == "$default"  # the only one, so no path has parameters
    assert event.path_parameters == {}
    assert all(name == name.lower() for name in event.headers)


@of("api.create-batch")
def test_an_accepted_creation_names_an_object_of_its_own_tenant(path: Path) -> None:
    body = APIGatewayProxyEventV2(read(path)).json_body
    assert {"input_file_id", "endpoint", "completion_window"} <= body.keys()
    assert body["input_file_id"].startswith(("s3://batchyard-data-example/inbox/default/", "file-"))


@of("api.create-file")
def test_a_form_comes_in_base64_with_its_boundary(path: Path) -> None:
    event = APIGatewayProxyEventV2(read(path))
    assert event.is_base64_encoded
    assert event.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert int(event.headers["content-length"]) == len(base64.b64decode(event.body or ""))


@of("plan.", "assemble.", "cancel.", "fail.batch")
def test_a_step_of_a_batch_names_it(path: Path) -> None:
    assert BATCH_ID.fullmatch(read(path)["batch_id"])


@of("submit.", "poll.", "collect.")
def test_a_step_of_a_shard_names_batch_shard_and_step(path: Path) -> None:
    event = read(path)
    assert BATCH_ID.fullmatch(event["batch_id"])
    assert (type(event["shard"]), type(event["wait_seconds"])) == (int, int)
    assert event["next"] in NEXT_STEPS


@of("fail.shard")
def test_a_failure_of_a_shard_names_batch_shard_and_what_makes_the_name_of_its_execution(path: Path) -> None:
    event = read(path)
    assert BATCH_ID.fullmatch(event["batch_id"])
    assert event.keys() == {"batch_id", "shard", "execution", "run", "error"}
    told = f"{event['execution']}-shard-{event['shard']}-run-{event['run']}"
    error = event["error"]
    assert error["Error"].startswith("StepFunctions.") or json.loads(error["Cause"])["Name"] == told


@of("fail.batch", "fail.shard")
def test_a_caught_error_comes_with_step_functions_two_members(path: Path) -> None:
    error = read(path)["error"]
    assert set(error) == {"Error", "Cause"}
    assert all(isinstance(text, str) and text for text in error.values())


@of("fail.batch.", "fail.shard.")
def test_a_function_s_own_error_comes_as_text_of_lambda_s_document(path: Path) -> None:
    told = json.loads(read(path)["error"]["Cause"])
    while "Cause" in told:  # of an execution of a shard: in the whole error, in the description of the execution
        told = json.loads(told["Cause"])
    assert "errorMessage" in told


@of("notify.")
def test_what_webhooks_are_made_of_is_what_the_bus_tells(path: Path) -> None:
    assert read(path) == read(path.with_name(path.name.replace("notify.", "bus.")))


@of("deliver.")
def test_a_delivery_names_an_endpoint_and_an_event_of_a_batch(path: Path) -> None:
    event = read(path)
    assert re.fullmatch(r"we_[0-9a-f]{32}", event["endpoint_id"])
    assert re.fullmatch(r"evt_[0-9a-f]{32}", event["event"]["event_id"])
    assert BATCH_ID.fullmatch(event["event"]["batch_id"])


@of("sweep.execution-")
def test_an_execution_that_ended_badly_is_named_after_its_batch(path: Path) -> None:
    detail = read(path)["detail"]
    assert detail["status"] in {"FAILED", "TIMED_OUT", "ABORTED"}
    assert detail["executionArn"].endswith(f":{detail['name']}")
    assert json.loads(detail["input"]) == {"batch_id": detail["name"]}
