"""Every sample event goes through its door, and is accepted or refused as its name says."""

import base64
import gzip
import importlib
import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batch_client import BadRequestError, CreateOutcomeUnknown, QuotaError
from batchyard import services
from batchyard.adapters.stores.gather_store import FolderFiring
from batchyard.api import openapi
from batchyard.api.api_keys import KeyCache
from batchyard.api.files import MOST_INLINE
from batchyard.domain import multipart_upload, object_keys, outcomes, stored_file, webhook_endpoint
from batchyard.domain.api_key import ApiKey, digest
from batchyard.domain.batch import BatchError, Counts, InputObject
from batchyard.domain.statuses import TRANSITIONS
from batchyard.domain.webhook_endpoint import WebhookEndpoint
from batchyard.gathering.fire import id_of
from batchyard.lines.file_entries import write_entries
from batchyard.lines.runs import RunWriter
from batchyard.lines.shard_lines import Place, ShardLines
from batchyard.planning.summary import Summary, write_summary
from tests.fakes.batches import BATCH_ID, BUCKET, NOW, batch
from tests.fakes.planned import INPUT
from tests.fakes.services import MemoryServices
from tests.unit.strict_models import (
    StrictBatch,
    StrictBatches,
    StrictDeleted,
    StrictEnvelope,
    StrictFile,
    StrictFiles,
    StrictModel,
    StrictModels,
    StrictPart,
    StrictUpload,
)

ROOT = Path(__file__).resolve().parents[3]
KEY = "by_0f9a2c4e6b8d1357_EXAMPLEexampleEXAMPLEexampleEXAMPLEexample"
REVOKED, PLAIN, OF_ANOTHER = "1f9a2c4e6b8d1357", "2f9a2c4e6b8d1357", "3f9a2c4e6b8d1357"
SHARD, UPLOAD, FILE_ID = 2, "inbox/default/requests.jsonl", "file-3sT9bK2mQxV7cLwZ0rYpHd"
ENDPOINT_ID = "we_6f0d8b7c11a54c2e9d1a7d1f8f5ae2c4"
UPLOAD_ID, PART_ID = "upload_7d1f8f5ae2c44a559a1a2f6f0d8b7c11", "part_2c8e1f0a4b6d8c0e2a4c6e808f5ae2c4"
PIECE = b'{"custom_id":"kant-1"}'
Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass
class Context:
    """What Lambda hands to a function beside its event."""

    function_name: str = "door"
    memory_limit_in_mb: int = 1_769
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:door"
    aws_request_id: str = "8f5ae2c4-7d1f-4a55-9a1a-2f6f0d8b7c11"
    tenant_id: str | None = None
    seconds_left: int = 900

    def get_remaining_time_in_millis(self) -> int:
        return self.seconds_left * 1_000


def put_endpoint(made: MemoryServices) -> None:
    """Register the samples' webhook endpoint."""
    endpoint = WebhookEndpoint(
        endpoint_id=ENDPOINT_ID, tenant="default", name="nightly corpus", url="https://hooks.example.com/batchyard",
        event_types=["batch.completed", "batch.failed"], created_at=NOW, updated_at=NOW,
    )  # fmt: skip
    made.webhook_store.create(endpoint)


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch) -> MemoryServices:
    """Hand the doors services of memory in which the samples' batch, shard, upload and key are there."""
    made = MemoryServices()
    made.bucket.put(UPLOAD, INPUT)
    made.batch_store.create_batch(batch(input=made.bucket.head(UPLOAD)[0]))
    key_id, secret, salt = *KEY.split("_")[1:], "salt"
    good = ApiKey(key_id=key_id, tenant="default", created_at=1, salt=salt, hash=digest(salt, secret), admin=True)
    made.api_key_store.create(good)
    made.api_key_store.create(msgspec.structs.replace(good, key_id=PLAIN, admin=False))
    made.api_key_store.create(msgspec.structs.replace(good, key_id=OF_ANOTHER, tenant="acme"))
    made.api_key_store.create(msgspec.structs.replace(good, key_id=REVOKED, revoked_at=1))
    made.bucket.put(object_keys.file("default", FILE_ID), INPUT)
    members: dict[str, Any] = {"bytes": len(INPUT), "filename": "requests.jsonl", "purpose": "batch"}
    key = object_keys.file("default", FILE_ID)
    made.file_store.keep(stored_file.new(FILE_ID, "default", made.clock(), 86_400, key=key, version_id="v1", **members))
    put_upload(made)
    put_endpoint(made)
    monkeypatch.setattr(services, "current", lambda: made)
    return made


def put_upload(made: MemoryServices) -> None:
    """Begin the samples' upload, with one part."""
    wanted = multipart_upload.Wanted("requests.jsonl", "batch", len(PIECE), 86_400)
    made.upload_store.create(multipart_upload.new(UPLOAD_ID, "default", made.now(), wanted))
    made.bucket.put(object_keys.upload_part(UPLOAD_ID, PART_ID), PIECE)
    part = multipart_upload.UploadPart(
        part_id=PART_ID, upload_id=UPLOAD_ID, bytes=len(PIECE), created_at=made.now(), expires_at_ttl=made.now() + 1
    )
    made.upload_store.add_part(part)


OF_ANTHROPIC = "message-batch"


def samples(door: str, *cases: str, of_anthropic: bool = False) -> pytest.MarkDecorator:
    """Parametrize over the door's samples whose case begins so, those of Anthropic's routes apart; never over none."""
    every = sorted((ROOT / "events").glob(f"{door}.*.json"))
    begun = [path for path in every if path.name.split(".")[1].startswith(cases or ("",))]
    found = [path for path in begun if (OF_ANTHROPIC in path.name) == of_anthropic]
    assert found, (door, cases)
    return pytest.mark.parametrize("path", found, ids=lambda path: path.stem)


def accepted(door: str) -> pytest.MarkDecorator:
    found = sorted(path for path in (ROOT / "events").glob(f"{door}.*.json") if ".refused-" not in path.name)
    assert found, door
    return pytest.mark.parametrize("path", found, ids=lambda path: path.stem)


def call(path: Path, seconds_left: int = 900) -> dict[str, Any]:
    """Give a sample to its door; the answer must be plain JSON, as Lambda demands."""
    handler: Handler = importlib.import_module(f"functions.{path.name.split('.')[0]}.handler").handler
    answer = handler(json.loads(path.read_text(encoding="utf-8")), Context(seconds_left=seconds_left))
    whole: dict[str, Any] = json.loads(json.dumps(answer, allow_nan=False))
    return whole


def following(step: str, wait_seconds: int = 0) -> dict[str, Any]:
    """Say what a shard's function answers that saw no progress."""
    return {
        "batch_id": BATCH_ID, "shard": SHARD, "next": step, "wait_seconds": wait_seconds, "seen_age": 0, "seen_finished": 0,
        "turns": 1,
    }  # fmt: skip


def put_shard(made: MemoryServices) -> None:
    """Plan the samples' shard, as the third of its batch."""
    lines = ShardLines(SHARD, "/v1/responses", "m")
    lines.add(Place(0, 1, 0), [f"r{at}" for at in range(3)], [len(line) for line in INPUT.splitlines(keepends=True)])
    made.bucket.put(object_keys.shard_lines(BATCH_ID, SHARD), lines.pack())
    made.batch_store.move_batch(BATCH_ID, "in_progress", made.now())


def submitted(made: MemoryServices) -> None:
    put_shard(made)
    assert call(ROOT / "events/submit.first-attempt.json")["next"] == "poll"


def body(answer: dict[str, Any]) -> dict[str, Any]:
    assert answer["headers"]["x-request-id"] == Context.aws_request_id
    assert answer["headers"]["Content-Type"].startswith("application/json")
    text = base64.b64decode(answer["body"]).decode() if answer["isBase64Encoded"] else answer["body"]
    decoded: dict[str, Any] = json.loads(text)
    return decoded


@samples("api", "create-batch", "list-batches", "retrieve-batch", "cancel-batch", "resume-batch")
def test_a_good_call_is_answered_with_openai_s_objects(at_hand: MemoryServices, path: Path) -> None:
    at_hand.batch_store.move_batch(BATCH_ID, "in_progress", at_hand.now())
    answer = call(path)
    assert answer["statusCode"] == 200
    shown = body(answer)
    assert shown["object"] == ("list" if "list" in path.name else "batch")
    for each in shown["data"] if "list" in path.name else [shown]:
        assert each["status"] in TRANSITIONS


# By the beginning of the case's name; ours alone have no model of OpenAI's.
MODELS: dict[str, type] = {
    "create-batch": StrictBatch, "retrieve-batch": StrictBatch, "cancel-batch": StrictBatch, "resume-batch": StrictBatch,
    "list-batches": StrictBatches, "create-file": StrictFile, "retrieve-file": StrictFile, "presign-file": StrictFile,
    "list-files": StrictFiles, "delete-file": StrictDeleted, "create-upload": StrictUpload, "cancel-upload": StrictUpload,
    "complete-upload": StrictUpload, "add-upload-part": StrictPart, "list-models": StrictModels,
    "retrieve-model": StrictModel, "refused-": StrictEnvelope,
}  # fmt: skip


@samples("api", *MODELS)
@pytest.mark.usefixtures("at_hand")
def test_an_answer_decodes_in_the_strictest_of_generated_clients(path: Path) -> None:
    case = path.name.split(".")[1]
    model = next(model for beginning, model in MODELS.items() if case.startswith(beginning))
    assert isinstance(msgspec.convert(body(call(path)), model, strict=True), model)


@samples("api", "create-batch")
def test_a_created_batch_is_started_under_its_own_id(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    assert at_hand.executions.started == [shown["id"]]
    assert shown["input_file_id"] in {f"s3://{BUCKET}/{UPLOAD}", FILE_ID}
    assert shown["status"] == "validating"


@samples("api", "create-batch-with-idempotency-key")
def test_a_call_repeated_with_its_key_names_the_same_batch(at_hand: MemoryServices, path: Path) -> None:
    assert body(call(path))["id"] == body(call(path))["id"]
    assert len(set(at_hand.executions.started)) == 1


@samples("api", "resume-batch")
def test_a_paused_batch_is_tried_at_once_and_another_is_shown_as_it_is(at_hand: MemoryServices, path: Path) -> None:
    assert body(call(path))["id"] == BATCH_ID
    assert at_hand.advance_function.invoked == []
    put_shard(at_hand)
    at_hand.provider.trouble["create_file"] = [QuotaError("pay first", status=429)]
    assert call(ROOT / "events/submit.first-attempt.json")["next"] == "submit"
    assert "pay first" in body(call(path))["paused"]
    assert at_hand.advance_function.invoked == [{"batch_id": BATCH_ID, "shard": SHARD}]


@samples("api", "resume-lost-create")
def test_a_person_says_what_came_of_a_lost_create(at_hand: MemoryServices, path: Path) -> None:
    put_shard(at_hand)
    at_hand.provider.trouble["create_batch"] = [CreateOutcomeUnknown("lost")]
    at_hand.provider.trouble["find_batch"] = [BadRequestError("no list", status=405)]
    for _ in range(2):
        assert call(ROOT / "events/submit.first-attempt.json")["next"] == "submit"
    assert "cannot tell whether" in body(call(path))["paused"]
    assert at_hand.advance_function.invoked == [{"batch_id": BATCH_ID, "shard": SHARD}]
    said = json.loads(json.loads(path.read_text(encoding="utf-8"))["body"])["provider_batch_id"]
    assert at_hand.batch_store.kept[BATCH_ID, SHARD].attempts[-1].said == (said or "")


@samples("api", "retry-batch")
def test_a_batch_is_retried_once_it_has_ended(at_hand: MemoryServices, path: Path) -> None:
    assert body(call(path))["error"]["message"].startswith("Cannot retry a batch with status")
    for status in ("in_progress", "finalizing", "completed"):
        at_hand.batch_store.move_batch(BATCH_ID, status, at_hand.now(), error_file_id="file-1")
    for name in ("output.jsonl", "errors.jsonl"):
        at_hand.bucket.put(object_keys.result("default", BATCH_ID, name), b"")
    shown = body(call(path))
    assert isinstance(msgspec.convert(shown, StrictBatch, strict=True), StrictBatch)
    assert (shown["retry_of"], at_hand.executions.started) == (BATCH_ID, [shown["id"]])


@samples("api", "retry-batch-with-another-model")
def test_a_retry_may_name_another_model(at_hand: MemoryServices, path: Path) -> None:
    for status in ("in_progress", "finalizing", "completed"):
        at_hand.batch_store.move_batch(BATCH_ID, status, at_hand.now(), error_file_id="file-1")
    for name in ("output.jsonl", "errors.jsonl"):
        at_hand.bucket.put(object_keys.result("default", BATCH_ID, name), b"")
    shown = body(call(path))
    asked = json.loads(json.loads(path.read_text(encoding="utf-8"))["body"])
    assert {name: shown[name] for name in ("retry_of", "retry_lines", "retry_body")} == {
        "retry_of": BATCH_ID, "retry_lines": asked["lines"], "retry_body": asked["body"],
    }  # fmt: skip
    assert at_hand.batch_store.batch(BATCH_ID).retried_by == shown["id"]


@samples("api", "results", "results-from-the-start")
def test_rows_are_read_as_far_as_they_are_complete(at_hand: MemoryServices, path: Path) -> None:
    answer = call(path)
    after = (json.loads(path.read_text(encoding="utf-8")).get("queryStringParameters") or {}).get("after", "0")
    assert (answer["statusCode"], answer["headers"]["Content-Type"]) == (200, "application/jsonl")
    assert (answer["headers"]["batchyard-after"], answer["headers"]["batchyard-complete"]) == (after, "false")
    lines = [outcomes.answer_line(BATCH_ID, at, f"r{at}", BatchError("c", "m")) for at in range(4)]
    summary = Summary(5, 1, None, None, [(0, 4)])
    write_summary(at_hand, BATCH_ID, summary)
    at_hand.batch_store.move_batch(BATCH_ID, "in_progress", at_hand.now(), counts=Counts(5))
    with RunWriter(at_hand.bucket, object_keys.skipped(BATCH_ID, 0, 4)) as run:
        for at, line in enumerate(lines):
            run.write(at, line)
    answer = call(path)
    assert gzip.decompress(base64.b64decode(answer["body"])) == b"".join(lines[int(after) :])
    assert answer["headers"]["Content-Encoding"] == "gzip"
    assert (answer["headers"]["batchyard-after"], answer["headers"]["batchyard-complete"]) == ("4", "false")


@samples("api", "cancel-batch")
def test_a_cancelled_batch_is_cancelling_and_its_provider_batches_are_told(at_hand: MemoryServices, path: Path) -> None:
    assert body(call(path))["status"] == "cancelling"
    assert at_hand.cancel_function.invoked == [{"batch_id": BATCH_ID}]


@samples("api", "create-file")
def test_a_created_file_is_there_byte_by_byte(at_hand: MemoryServices, path: Path) -> None:
    answer = call(path)
    shown = body(answer)
    assert (answer["statusCode"], shown["object"], shown["status"]) == (200, "file", "processed")
    assert "Sapere aude! 📚" in at_hand.bucket.stored[object_keys.file("default", shown["id"])].decode()


@samples("api", "list-files", "retrieve-file")
def test_a_file_is_shown_with_openai_s_members(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    [file] = shown["data"] if "list" in path.name else [shown]
    assert file == stored_file.shape(at_hand.file_store.file(FILE_ID))


@samples("api", "delete-file")
def test_a_deleted_file_is_said_to_be_and_gone(at_hand: MemoryServices, path: Path) -> None:
    assert body(call(path)) == {"id": FILE_ID, "object": "file", "deleted": True}
    assert call(path)["statusCode"] == 404
    assert object_keys.file("default", FILE_ID) not in at_hand.bucket.stored


@samples("api", "download-file")
def test_a_small_file_comes_as_its_bytes(at_hand: MemoryServices, path: Path) -> None:
    answer = call(path)
    assert at_hand.bucket.stored
    assert (answer["headers"]["Content-Type"], answer["isBase64Encoded"]) == ("application/octet-stream", True)
    assert answer["headers"]["x-request-id"] == Context.aws_request_id
    assert base64.b64decode(answer["body"]) == INPUT


@samples("api", "download-file")
def test_a_large_file_is_to_be_fetched_elsewhere(at_hand: MemoryServices, path: Path) -> None:
    large = random.Random(7).randbytes(2 * MOST_INLINE)  # noqa: S311 - bytes that do not pack
    at_hand.file_store.change(FILE_ID, bytes=len(large))
    at_hand.bucket.put(object_keys.file("default", FILE_ID), large)
    answer = call(path)
    assert answer["statusCode"] == 302
    place = answer["headers"]["location"]
    assert place.endswith(FILE_ID)
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Vary"] == "Accept-Encoding"
    assert body(answer)["url"] == place
    assert "curl -L" in body(answer)["error"]["message"]


@samples("api", "download-file")
def test_a_large_file_comes_packed_to_a_client_that_unpacks(at_hand: MemoryServices, path: Path) -> None:
    large = INPUT * (MOST_INLINE // len(INPUT) + 1)
    at_hand.file_store.change(FILE_ID, bytes=len(large))
    at_hand.bucket.put(object_keys.file("default", FILE_ID), large)
    answer = call(path)
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, True)
    headers = answer["headers"]
    assert (headers["Content-Encoding"], headers["Vary"]) == ("gzip", "Accept-Encoding")
    assert headers["Content-Disposition"].startswith('attachment; filename="requests.jsonl"')
    assert gzip.decompress(base64.b64decode(answer["body"])) == large


@samples("api", "create-upload", "complete-upload", "cancel-upload")
def test_an_upload_is_shown_with_openai_s_members(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    status = {"create": "pending", "complete": "completed", "cancel": "cancelled"}[
        path.name.split(".")[1].split("-")[0]
    ]
    assert (shown["object"], shown["status"]) == ("upload", status)
    assert at_hand.upload_store.upload(shown["id"]).bytes == len(PIECE)
    assert (shown["file"] is not None) is (status == "completed")


@samples("api", "complete-upload")
def test_a_completed_upload_is_a_file(at_hand: MemoryServices, path: Path) -> None:
    file = body(call(path))["file"]
    assert at_hand.bucket.stored[object_keys.file("default", file["id"])] == PIECE


@samples("api", "add-upload-part")
def test_a_part_is_kept_until_its_upload_is_completed(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    assert (shown["object"], shown["upload_id"]) == ("upload.part", UPLOAD_ID)
    assert at_hand.bucket.stored[object_keys.upload_part(UPLOAD_ID, shown["id"])] == PIECE + b"\n"


@samples("api", "presign-file")
def test_an_announced_file_comes_with_the_addresses_of_all_its_bytes(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    assert sum(part["bytes"] for part in shown["upload"]["parts"]) == at_hand.file_store.file(shown["id"]).bytes


REFUSALS = {
    "link-file-unknown": (404, None, "id"),
    "list-errors-unknown": (404, None, None),
    "list-lines-bad-from": (400, "invalid_type", "from"),
    "list-lines-unknown": (404, None, None),
    "batch-file-output-unknown": (404, None, None),
    "list-batch-files-bad-after": (400, "invalid_type", "after"),
    "list-shards-bad-after": (400, "invalid_type", "after"),
    "presign-file-parts-too-small": (400, "invalid_value", "part_bytes"),
    "add-upload-part-of-another-name": (400, "missing_required_parameter", "data"),
    "add-upload-part-unknown": (404, None, "id"),
    "cancel-upload-unknown": (404, None, "id"),
    "complete-upload-of-no-part": (400, None, "part_ids"),
    "complete-upload-unknown": (404, None, "id"),
    "complete-upload-wrong-md5": (400, None, "md5"),
    "create-upload-too-large": (400, "integer_above_max_value", "bytes"),
    "create-upload-without-bytes": (400, "missing_required_parameter", "bytes"),
    "presign-file-too-large": (400, "integer_above_max_value", "bytes"),
    "create-file-bad-purpose": (400, "invalid_value", "purpose"),
    "create-file-cut-off": (400, None, None),
    "create-file-expiry-too-short": (400, "integer_below_min_value", "expires_after.seconds"),
    "create-file-first-line-not-json": (400, None, None),
    "create-file-no-form": (415, "invalid_content_type", None),
    "create-file-not-jsonl": (400, None, None),
    "create-file-not-of-lines": (400, None, None),
    "create-file-without-file": (400, "missing_required_parameter", "file"),
    "create-file-without-purpose": (400, "missing_required_parameter", "purpose"),
    "delete-file-unknown": (404, None, "id"),
    "download-file-unknown": (404, None, "id"),
    "list-files-bad-order": (400, "invalid_value", "order"),
    "list-files-limit-too-high": (400, "integer_above_max_value", "limit"),
    "retrieve-file-unknown": (404, None, "id"),
    "cancel-batch-unknown": (404, None, None),
    "resume-batch-misspelled-member": (400, "unknown_parameter", "batch_id"),
    "resume-batch-not-asked": (409, None, None),
    "resume-batch-unknown": (404, None, None),
    "retry-batch-body-not-an-object": (400, "invalid_type", "body"),
    "retry-batch-unknown": (404, None, None),
    "results-bad-after": (400, "invalid_value", "after"),
    "results-unknown": (404, None, None),
    "create-batch-as-plain-text": (415, "unsupported_content_type", None),
    "create-batch-bad-completion-window": (400, "invalid_value", "completion_window"),
    "create-batch-bad-endpoint": (400, "invalid_value", "endpoint"),
    "create-batch-bad-dry-run": (400, "invalid_type", "dry_run"),
    "create-batch-misspelled-option": (400, "unknown_parameter", "dryrun"),
    "create-batch-bad-max-cost": (400, "invalid_value", "max_cost_usd"),
    "create-batch-bad-accept": (400, "unknown_parameter", "accept.finish_reasons"),
    "create-batch-bad-on-invalid": (400, "invalid_value", "on_invalid"),
    "create-batch-metadata-not-text": (400, "invalid_type", "metadata.run"),
    "create-batch-missing-input-file-id": (400, "missing_required_parameter", "input_file_id"),
    "create-batch-no-body": (400, None, None),
    "create-batch-not-json": (400, None, None),
    "create-batch-other-bucket": (400, "invalid_value", "input_file_id"),
    "create-batch-other-tenants-inbox": (400, "invalid_value", "input_file_id"),
    "create-schedule-bad-expression": (400, "invalid_value", "schedule"),
    "create-schedule-bad-timezone": (400, "invalid_value", "timezone"),
    "create-schedule-other-tenants-folder": (400, "invalid_value", "input.prefix"),
    "create-schedule-without-endpoint": (400, "missing_required_parameter", "endpoint"),
    "retrieve-schedule-unknown": (404, None, None),
    "create-webhook-endpoint-plain-http": (400, "invalid_value", "url"),
    "create-webhook-endpoint-private-address": (400, "invalid_value", "url"),
    "create-webhook-endpoint-unknown-event-type": (400, "invalid_value", "event_types"),
    "create-webhook-endpoint-without-name": (400, "missing_required_parameter", "name"),
    "list-webhook-deliveries-unknown": (404, None, None),
    "create-api-key-without-the-right": (403, "admin_key_required", None),
    "create-api-key-name-too-long": (400, "invalid_value", "name"),
    "create-api-key-of-another-tenant": (400, "unknown_parameter", "tenant"),
    "revoke-api-key-itself-untold": (409, "revokes_itself", "itself"),
    "revoke-api-key-itself-not-a-flag": (400, "invalid_type", "itself"),
    "revoke-api-key-of-another-tenant": (404, None, "id"),
    "retrieve-webhook-endpoint-unknown": (404, None, None),
    "rotate-webhook-secret-not-a-flag": (400, "invalid_type", "keep_old_secret_active_for_24_hours"),
    "test-webhook-endpoint-without-event-type": (400, "missing_required_parameter", "event_type"),
    "key-basic": (401, "invalid_api_key", None),
    "key-empty": (401, "invalid_api_key", None),
    "key-malformed": (401, "invalid_api_key", None),
    "key-missing": (401, None, None),
    "key-revoked": (401, "invalid_api_key", None),
    "provider-webhook-too-old": (400, "invalid_webhook_signature", None),
    "list-batches-limit-too-high": (400, "integer_above_max_value", "limit"),
    "method-not-allowed": (405, "method_not_supported", None),
    "report-unknown": (404, None, None),
    "retrieve-batch-unknown": (404, None, None),
    "retrieve-model-unknown": (404, "model_not_found", "model"),
    "unknown-route": (404, None, None),
}


@samples("api", "refused-")
def test_a_refused_call_gets_openai_s_envelope_and_changes_nothing(at_hand: MemoryServices, path: Path) -> None:
    before, files_before = dict(at_hand.batch_store.batches), dict(at_hand.file_store.known)
    endpoints_before = dict(at_hand.webhook_store.known)
    answer = call(path)
    error = body(answer)["error"]
    assert at_hand.file_store.known == files_before
    assert (at_hand.webhook_store.known, at_hand.webhook_sender.posted) == (endpoints_before, [])
    case = path.name.split(".")[1].removeprefix("refused-")
    assert answer["headers"]["openai-version"] == "2020-10-01"
    assert (answer["statusCode"], error["code"], error["param"]) == REFUSALS[case]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert (at_hand.batch_store.batches, at_hand.executions.started, at_hand.cancel_function.invoked) == (
        before,
        [],
        [],
    )


# Of each refused sample of Anthropic's routes: status, type, and how the message begins.
REFUSALS_OF_ANTHROPIC = {
    "create-message-batch-bad-custom-id": (400, "invalid_request_error", "requests.0.custom_id: "),
    "create-message-batch-without-max-tokens": (400, "invalid_request_error", "requests.0.params.max_tokens: "),
    "retrieve-message-batch-unknown": (404, "not_found_error", "There is no message batch "),
}


@samples("api", "refused-", of_anthropic=True)
def test_a_refused_call_of_anthropic_s_gets_its_envelope_and_changes_nothing(
    at_hand: MemoryServices, path: Path
) -> None:
    kept = at_hand.batch_store.batches, at_hand.file_store.known, at_hand.bucket.stored
    before = [dict(each) for each in kept]
    answer = call(path)
    status, kind, begin = REFUSALS_OF_ANTHROPIC[path.name.split(".")[1].removeprefix("refused-")]
    told = body(answer)
    assert (answer["statusCode"], told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["error"]["message"].startswith(begin)
    assert told["request_id"] == answer["headers"]["request-id"] == Context.aws_request_id
    assert list(kept) == before


@samples("api", "create-message-batch", of_anthropic=True)
def test_a_created_message_batch_is_started_with_the_lines_of_its_requests(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    asked = json.loads(json.loads(path.read_text(encoding="utf-8"))["body"])["requests"]
    assert at_hand.executions.started == [shown["batchyard"]["batch_id"]]
    kept = at_hand.bucket.stored[object_keys.file("default", shown["batchyard"]["input_file_id"])]
    lines = [json.loads(line) for line in kept.splitlines()]
    assert [(line["custom_id"], line["body"]) for line in lines] == [
        (each["custom_id"], each["params"]) for each in asked
    ]


@samples("api", "retrieve-batch")
def test_another_tenant_s_batch_is_not_there(at_hand: MemoryServices, path: Path) -> None:
    at_hand.batch_store.batches[BATCH_ID] = msgspec.structs.replace(at_hand.batch_store.batch(BATCH_ID), tenant="acme")
    answer = call(path)
    assert answer["statusCode"] == 404
    assert "acme" not in answer["body"]


@samples("api", "retrieve-batch")
def test_a_fault_of_ours_is_a_500_without_its_details(at_hand: MemoryServices, path: Path) -> None:
    del at_hand.batch_store.batches
    answer = call(path)
    assert answer["statusCode"] == 500
    assert body(answer)["error"]["type"] == "server_error"
    assert "batches" not in body(answer)["error"]["message"]


@samples("api", "list-batch-files", "batch-file")
def test_the_files_of_a_batch_are_those_of_a_gathered_one(at_hand: MemoryServices, path: Path) -> None:
    assert call(path)["statusCode"] == 404
    assert "is of one input" in body(call(path))["error"]["message"]
    folder = InputObject("b", "gather/default/f/", "e", 3, files="work/x/plan/files-1.msgpack", file_count=1)
    made = batch(input=folder, status="completed", in_progress_at=NOW, completed_at=NOW)
    at_hand.batch_store.batches[BATCH_ID] = made
    write_entries(at_hand.bucket, made, [{"number": 1, "file": "a"}])
    for name in ("output", "errors"):
        at_hand.bucket.put(object_keys.result_of_file("default", BATCH_ID, "a", f"{name}.jsonl"), f"{name}\n".encode())
    answer = call(path)
    assert answer["statusCode"] == 200
    if "list" in path.name:
        assert body(answer)["data"] == [{"number": 1, "file": "a"}]
    else:
        name = path.stem.rpartition("-")[2]
        assert base64.b64decode(answer["body"]) == f"{name}\n".encode()
        assert answer["headers"]["Content-Disposition"].startswith(f'attachment; filename="{BATCH_ID}_1_{name}.jsonl"')


@samples("api", "report")
def test_a_report_is_handed_out_inline_or_by_a_link_once_it_is_there(at_hand: MemoryServices, path: Path) -> None:
    assert call(path)["statusCode"] == 404
    assert "no report yet" in body(call(path))["error"]["message"]
    place = object_keys.result("default", BATCH_ID, "report.json")
    at_hand.bucket.put(place, b'{"outcomes_equal_lines": true}')
    answer = call(path)
    assert (answer["statusCode"], body(answer)) == (200, {"outcomes_equal_lines": True})
    named = f'attachment; filename="{BATCH_ID}_report.json"'
    assert answer["headers"]["Content-Disposition"].startswith(named)
    at_hand.bucket.put(place, b"{}" + b" " * 2_000_000)
    answer = call(path)
    assert (answer["statusCode"], answer["headers"]["Content-Encoding"]) == (200, "gzip")
    assert answer["headers"]["Content-Type"] == "application/json"
    assert answer["headers"]["Content-Disposition"].startswith(named)
    assert json.loads(gzip.decompress(base64.b64decode(answer["body"]))) == {}
    at_hand.bucket.put(place, random.Random(7).randbytes(6_000_000))  # noqa: S311 - bytes that do not pack
    answer = call(path)
    assert (answer["statusCode"], answer["headers"]["location"]) == (302, f"https://{BUCKET}.example/{place}")


@samples("api", "create-webhook-endpoint", "rotate-webhook-secret")
def test_a_signing_secret_is_shown_when_it_is_made(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    assert shown["object"] == "webhook_endpoint"
    assert shown["signing_secret"].startswith("whsec_")
    assert at_hand.webhook_store.endpoint("default", shown["id"]).hint in shown["signing_secret"]


@samples("api", "list-webhook-endpoints", "retrieve-webhook-endpoint", "update-webhook-endpoint")
def test_a_webhook_endpoint_is_shown_without_its_secret(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    [endpoint] = shown["data"] if "list" in path.name else [shown]
    assert endpoint == webhook_endpoint.shape(at_hand.webhook_store.endpoint("default", ENDPOINT_ID))
    assert "signing_secret" not in endpoint


@samples("api", "delete-webhook-endpoint")
def test_a_deleted_webhook_endpoint_is_said_to_be_and_gone(at_hand: MemoryServices, path: Path) -> None:
    assert body(call(path)) == {"id": ENDPOINT_ID, "object": "webhook_endpoint.deleted", "deleted": True}
    assert call(path)["statusCode"] == 404
    assert at_hand.webhook_store.endpoints("default") == []


@samples("api", "test-webhook-endpoint")
def test_a_webhook_endpoint_that_is_tried_is_sent_one_event(at_hand: MemoryServices, path: Path) -> None:
    at_hand.webhook_sender.answers = [503]
    shown = body(call(path))
    assert (shown["object"], shown["status_code"], shown["success"]) == ("webhook_endpoint.test", 503, True)
    assert [url for url, _, _ in at_hand.webhook_sender.posted] == ["https://hooks.example.com/batchyard"]


@samples("api", "list-webhook-deliveries")
def test_deliveries_are_listed_as_they_stand(at_hand: MemoryServices, path: Path) -> None:
    assert call(ROOT / "events/notify.batch-completed.json")["deliveries"]
    assert [each["state"] for each in body(call(path))["data"]] == ["pending"]
    assert call(ROOT / "events/deliver.attempt.json") == {"state": "delivered"}
    [shown] = body(call(path))["data"]
    assert (shown["state"], shown["attempts"], shown["last_status_code"]) == ("delivered", 1, 200)
    assert len(at_hand.webhook_sender.posted) == 1


@samples("api", "list-webhook-event-types")
def test_the_types_of_events_are_listed(at_hand: MemoryServices, path: Path) -> None:
    assert at_hand.webhook_store.known
    assert "batch.completed" in body(call(path))["data"]


@samples("api", "list-models", "retrieve-model")
def test_models_are_listed_and_shown(at_hand: MemoryServices, path: Path) -> None:
    assert at_hand.api_key_store.known
    answer = body(call(path))
    found = [each for each in answer.get("data", [answer]) if each["id"] == "gpt-4.1-mini"]
    assert [(each["object"], each["owned_by"]) for each in found] == [("model", "openai")]


@samples("api", "list-api-keys")
def test_a_tenant_sees_its_own_keys_without_their_secrets(at_hand: MemoryServices, path: Path) -> None:  # noqa: ARG001 - the keys are there
    shown = body(call(path))["data"]
    assert {each["id"] for each in shown} == {KEY.split("_")[1], REVOKED, PLAIN}
    assert not [each for each in shown if {"salt", "hash", "key"} & each.keys()]


@samples("api", "create-api-key")
def test_a_new_key_opens_and_is_shown_once(at_hand: MemoryServices, path: Path) -> None:
    made = body(call(path))
    assert KeyCache(at_hand.api_key_store).tenant_of(f"Bearer {made['key']}") == "default"
    assert (made["name"], made["admin"], made["made_by"]) == ("nightly corpus", False, KEY.split("_")[1])


@samples("api", "revoke-api-key")
def test_a_revoked_key_is_shown_as_such(at_hand: MemoryServices, path: Path) -> None:
    shown = body(call(path))
    assert at_hand.api_key_store.key(shown["id"]).revoked_at == shown["revoked_at"] == at_hand.now()


@accepted("notify")
def test_the_end_of_a_batch_is_delivered_once_to_each_endpoint_that_wants_it(
    at_hand: MemoryServices, path: Path
) -> None:
    wanted = not any(unwanted in path.name for unwanted in ("cancelled", "warning"))
    answers = [call(path), call(path)]
    assert answers[0] == answers[1]
    assert len(answers[0]["deliveries"]) == wanted
    assert set(at_hand.webhook_executions.started) == set(answers[0]["deliveries"])
    assert len(at_hand.webhook_store.told) == wanted


@accepted("inform")
def test_people_are_told_once_of_what_they_asked_for(at_hand: MemoryServices, path: Path) -> None:
    answers = [call(path)["notification"] for _ in range(2)]
    asked = "completed" not in path.name  # by itself
    assert (answers[0] == answers[1], answers[0] is not None, len(at_hand.event_bus.mails)) == (True, asked, int(asked))


@accepted("deliver")
def test_an_event_is_delivered_or_given_up(at_hand: MemoryServices, path: Path) -> None:
    call(ROOT / "events/notify.batch-completed.json")
    given_up = "given-up" in path.name
    assert call(path) == {"state": "failed" if given_up else "delivered"}
    assert len(at_hand.webhook_sender.posted) == (not given_up)


@samples("api", "health")
def test_health_is_told_without_a_key(at_hand: MemoryServices, path: Path) -> None:
    at_hand.api_key_store.known.clear()
    assert body(call(path)) == {"status": "ok"}


@samples("api", "describe")
def test_the_description_is_handed_out_as_it_is(at_hand: MemoryServices, path: Path) -> None:
    at_hand.api_key_store.known.clear()  # nor does the document need a key
    assert body(call(path)) == json.loads(openapi.text())


@samples("api", "refused-method-not-allowed")
def test_a_method_that_is_not_allowed_is_told_which_are(at_hand: MemoryServices, path: Path) -> None:
    assert at_hand.api_key_store.known
    assert call(path)["headers"]["Allow"] == "GET"


@samples("intake", "s3-")
def test_an_upload_makes_one_batch_however_often_it_is_told(at_hand: MemoryServices, path: Path) -> None:
    uploaded = json.loads(path.read_text(encoding="utf-8"))["detail"]["object"]
    at_hand.bucket.put(uploaded["key"], INPUT)
    answers = [call(path), call(path)]
    (batch_id,) = answers[0]["batch_ids"]
    assert answers[0] == answers[1]
    made = at_hand.batch_store.batch(batch_id)
    assert (made.tenant, made.input.key) == (object_keys.tenant_of(uploaded["key"]), uploaded["key"])
    assert made.input.version_id == uploaded["version-id"]
    assert set(at_hand.executions.started) == {batch_id}


@samples("intake", "s3-object-created")
def test_an_upload_that_is_gone_makes_nothing(at_hand: MemoryServices, path: Path) -> None:
    at_hand.bucket.stored.clear()
    assert call(path) == {"batch_ids": []}
    assert at_hand.executions.started == []


@samples("intake", "refused-")
def test_what_is_no_input_of_ours_makes_nothing(at_hand: MemoryServices, path: Path) -> None:
    uploaded = json.loads(path.read_text(encoding="utf-8"))["detail"]["object"]
    at_hand.bucket.put(uploaded["key"], INPUT if uploaded["size"] else b"")
    assert call(path) == {"batch_ids": []}
    assert at_hand.executions.started == []


@samples("gather", "s3-run")
def test_a_run_makes_one_batch_of_the_files_of_its_folder_however_often_it_is_told(
    at_hand: MemoryServices, path: Path
) -> None:
    run = json.loads(path.read_text(encoding="utf-8"))["detail"]["object"]
    assert call(path) == {"batch_ids": []}  # the object is gone
    for name in ("RUN", "a.jsonl", "below/b.jsonl", ".hidden", "folder/"):
        at_hand.bucket.put(f"gather/default/tickets/{name}", b"" if name in {"RUN", "folder/"} else INPUT)
    answers = [call(path), call(path)]
    (batch_id,) = answers[0]["batch_ids"]
    assert answers[0] == answers[1]
    made = at_hand.batch_store.batch(batch_id)
    assert batch_id == id_of("default", "tickets", f"RUN {run['version-id']}")
    assert (made.tenant, made.input.key, made.input.file_count) == ("default", "gather/default/tickets/", 2)
    assert set(at_hand.executions.started) == {batch_id}


@samples("gather", "firing-")
def test_a_firing_that_was_left_is_gone_on_with(at_hand: MemoryServices, path: Path) -> None:
    left = json.loads(path.read_text(encoding="utf-8"))["firing"]
    assert call(path) == {"batch_ids": []}  # nothing is known of it
    firing = FolderFiring(key="left", options="{}", created_at=NOW, expires_at_ttl=NOW + 86_400, **left)
    at_hand.gather_store.open(firing)
    at_hand.bucket.put("gather/default/tickets/a.jsonl", INPUT)
    assert call(path, seconds_left=59) == {"batch_ids": []}  # it has no time
    assert call(path) == {"batch_ids": [left["batch_id"]]}
    assert at_hand.executions.started == [left["batch_id"]]


@samples("gather", "refused-")
def test_what_is_no_run_of_a_folder_gathers_nothing(at_hand: MemoryServices, path: Path) -> None:
    at_hand.bucket.put(json.loads(path.read_text(encoding="utf-8"))["detail"]["object"]["key"], b"")
    at_hand.bucket.put("gather/default/tickets/a.jsonl", INPUT)
    assert call(path) == {"batch_ids": []}
    assert at_hand.executions.started == []


@samples("sweep", "schedule")
def test_the_sweep_makes_a_batch_of_each_upload_without_one_and_only_once(at_hand: MemoryServices, path: Path) -> None:
    at_hand.bucket.put("inbox/acme/missed.jsonl", INPUT)
    at_hand.bucket.put("inbox/acme/folder/", b"")
    assert call(path) == {"UploadsStarted": 2, "ExecutionsStarted": 1}  # the batch at hand was never started
    keys = {each.input.key for each in at_hand.batch_store.batches.values()}
    assert keys == {"inbox/acme/missed.jsonl", UPLOAD}
    assert call(path) == {}


@samples("sweep", "execution")
def test_a_batch_whose_execution_died_is_started_again_at_once_and_once(at_hand: MemoryServices, path: Path) -> None:
    at_hand.executions.start(BATCH_ID, {})
    at_hand.executions.statuses[BATCH_ID] = json.loads(path.read_text(encoding="utf-8"))["detail"]["status"]
    answers = [call(path), call(path)]
    if "timed-out" in path.name:
        assert (answers, at_hand.batch_store.batch(BATCH_ID).status) == ([{"BatchesGivenUp": 1}, {}], "failed")
    else:
        assert answers == [{"ExecutionsRestarted": 1}, {}]
        assert at_hand.executions.started == [BATCH_ID, f"{BATCH_ID}-2"]


@samples("sweep", "execution")
def test_the_end_of_an_execution_whose_batch_has_ended_changes_nothing(at_hand: MemoryServices, path: Path) -> None:
    at_hand.batch_store.batches[BATCH_ID] = ended = batch(status="failed", failed_at=NOW)
    assert call(path) == {}
    assert (at_hand.batch_store.batch(BATCH_ID), at_hand.event_bus.announced, at_hand.executions.started) == (
        ended,
        [],
        [],
    )


@accepted("plan")
def test_a_planned_batch_goes_on_to_its_shards(at_hand: MemoryServices, path: Path) -> None:
    if "next-turn" in path.name:
        assert call(ROOT / "events/plan.first-turn.json", seconds_left=0)["batch_id"] == BATCH_ID
    answer = call(path)
    assert (answer["batch_id"], answer["next"], answer["max_concurrency"]) == (BATCH_ID, "run", 20)
    assert answer["shards"]["bucket"] == BUCKET
    assert json.loads(at_hand.bucket.stored[answer["shards"]["key"]]) == [{"shard": 0}]
    assert call(path) == answer


@accepted("submit")
def test_a_submitted_shard_is_polled_next(at_hand: MemoryServices, path: Path) -> None:
    put_shard(at_hand)
    assert call(path) == following("poll", 30)
    assert list(at_hand.provider.files.values()) == [INPUT]


@accepted("poll")
def test_a_running_shard_is_polled_again_and_an_ended_one_collected(at_hand: MemoryServices, path: Path) -> None:
    submitted(at_hand)
    assert call(path) == following("poll", 30)
    at_hand.provider.end("pb-0", "completed")
    assert call(path) == following("collect")


@samples("advance", "ended")
def test_a_shard_that_was_told_of_is_advanced(at_hand: MemoryServices, path: Path) -> None:
    submitted(at_hand)
    assert call(path) == {"batch_id": BATCH_ID, "shard": SHARD, "next": "poll"}


@samples("advance", "results")
def test_a_batch_without_a_shard_that_is_left_is_put_together(at_hand: MemoryServices, path: Path) -> None:
    submitted(at_hand)
    answer = {"batch_id": BATCH_ID, "shard": None, "next": "done"}
    assert call(path) == answer
    assert at_hand.batch_store.batch(BATCH_ID).status == "in_progress"  # its shard is still at the provider
    at_hand.batch_store.batches[BATCH_ID] = ended = batch(status="failed", failed_at=NOW)
    at_hand.batch_store.kept.clear()
    assert call(path) == {**answer, "next": "failed"}
    assert at_hand.batch_store.batch(BATCH_ID) == ended


@samples("advance", "bedrock-job")
def test_the_end_of_a_job_at_bedrock_advances_its_shard_and_of_another_job_nothing(
    at_hand: MemoryServices, path: Path
) -> None:
    submitted(at_hand)
    at_hand.provider.calls.clear()
    assert call(path) == {"next": "nothing"}
    assert at_hand.provider.calls == []
    at_hand.batch_store.link(at_hand.account().name, "abc123def456", at_hand.batch_store.kept[BATCH_ID, SHARD])
    for _ in range(2):
        assert call(path) == {"batch_id": BATCH_ID, "shard": SHARD, "next": "poll"}
    assert at_hand.provider.calls == ["retrieve_batch"] * 2, "what became of it is read from the service"


def test_a_job_that_two_providers_have_advances_the_shard_of_each(at_hand: MemoryServices) -> None:
    submitted(at_hand)
    at_hand.accounts["another"] = at_hand.account()
    shard = at_hand.batch_store.kept[BATCH_ID, SHARD]
    at_hand.batch_store.link("another", "abc123def456", msgspec.structs.replace(shard, shard=SHARD + 1))
    at_hand.batch_store.link(at_hand.account().name, "abc123def456", shard)
    at_hand.batch_store.kept[BATCH_ID, SHARD + 1] = msgspec.structs.replace(shard, shard=SHARD + 1)
    at_hand.provider.calls.clear()
    assert call(ROOT / "events/advance.bedrock-job-completed.json")["next"] == "poll"
    assert at_hand.provider.calls == ["retrieve_batch"] * 2


ODD_DETAILS: list[Any] = [
    None,
    {},
    [],
    {"batchJobArn": None},
    {"batchJobArn": "x/"},
    {"batchJobArn": "a/" + "é" * 2_000},
]


@pytest.mark.parametrize("detail", ODD_DETAILS)
def test_an_event_of_bedrock_that_names_no_job_does_nothing(at_hand: MemoryServices, detail: object) -> None:
    event = {"detail-type": "Batch Inference Job State Change", "detail": detail}
    handler: Handler = importlib.import_module("functions.advance.handler").handler
    assert handler(event, Context()) == {"next": "nothing"}
    assert at_hand.provider.calls == []


@accepted("collect")
def test_a_collected_shard_is_done(at_hand: MemoryServices, path: Path) -> None:
    submitted(at_hand)
    answers = [{"custom_id": f"r{at}", "response": {"status_code": 200, "body": {}}} for at in range(3)]
    at_hand.provider.files["out"] = b"\n".join(json.dumps(each).encode() for each in answers)
    at_hand.provider.end("pb-0", "completed", output_file_id="out", error_file_id=None)
    assert call(path) == following("done")


@accepted("assemble")
def test_an_assembled_batch_is_done(at_hand: MemoryServices, path: Path) -> None:
    at_hand.batch_store.move_batch(BATCH_ID, "in_progress", at_hand.now())
    at_hand.batch_store.move_batch(BATCH_ID, "finalizing", at_hand.now())
    at_hand.batch_store.move_batch(BATCH_ID, "completed", at_hand.now())
    assert call(path) == {"batch_id": BATCH_ID, "next": "done"}


@accepted("cancel")
def test_what_the_provider_runs_of_a_cancelled_batch_is_cancelled(at_hand: MemoryServices, path: Path) -> None:
    submitted(at_hand)
    assert call(path) == {"batch_id": BATCH_ID, "cancelled": 0}
    at_hand.batch_store.move_batch(BATCH_ID, "cancelling", at_hand.now())
    assert call(path) == {"batch_id": BATCH_ID, "cancelled": 1}
    assert [each.status for each in at_hand.provider.batches.values()] == ["cancelling"]


@samples("fail", "batch")
def test_a_failure_is_recorded_once_and_told_each_time(at_hand: MemoryServices, path: Path) -> None:
    assert call(path) == {"batch_id": BATCH_ID}
    failed = at_hand.batch_store.batch(BATCH_ID)
    at_hand.now_is += 60
    assert call(path) == {"batch_id": BATCH_ID}
    assert at_hand.batch_store.batch(BATCH_ID) == failed
    assert failed.status == "failed"
    assert failed.errors[0].code == "server_error"
    assert len(failed.errors[0].message) < 700
    assert at_hand.event_bus.announced == ["failed", "failed"]  # the first run may have ended before it could tell
    assert at_hand.cancel_function.invoked == [{"batch_id": BATCH_ID}] * 2


@samples("fail", "shard")
def test_a_failed_shard_is_given_up_with_a_reason_and_its_batch_goes_on(at_hand: MemoryServices, path: Path) -> None:
    submitted(at_hand)
    assert call(path) == {"batch_id": BATCH_ID, "next": "continue"}
    shard = at_hand.batch_store.kept[BATCH_ID, SHARD]
    assert shard.draining  # another execution brings in what the provider has of it
    assert shard.reason is not None
    assert at_hand.batch_store.batch(BATCH_ID).status == "in_progress"
    assert at_hand.cancel_function.invoked == [{"batch_id": BATCH_ID}]  # so that its provider batch does not run on


@samples("fail", "shard")
def test_a_shard_that_failed_before_it_was_recorded_has_a_record_with_the_reason(
    at_hand: MemoryServices, path: Path
) -> None:
    put_shard(at_hand)
    assert call(path) == {"batch_id": BATCH_ID, "next": "done"}
    shard = at_hand.batch_store.kept[BATCH_ID, SHARD]
    assert (shard.done, shard.lines, shard.unfinished) == (True, 3, 3)
    assert shard.reason is not None
    assert shard.reason.code == "server_error"
    assert at_hand.batch_store.batch(BATCH_ID).status == "in_progress"


@samples("fail", "batch")
def test_a_failure_told_after_the_end_changes_nothing(at_hand: MemoryServices, path: Path) -> None:
    at_hand.batch_store.batches[BATCH_ID] = ended = batch(status="completed")
    call(path)
    assert at_hand.batch_store.batch(BATCH_ID) == ended
    assert at_hand.event_bus.announced == []
