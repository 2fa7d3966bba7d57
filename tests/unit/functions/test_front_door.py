"""The front door, whatever comes: keys, tenants, methods and requests that nobody should send."""

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from batchyard import services
from batchyard.adapters.stores.schedule_store import Schedule
from batchyard.api import api_keys, openapi
from batchyard.api.own_routes import router
from batchyard.costs.budget import Budget
from batchyard.domain import multipart_upload, object_keys, stored_file
from batchyard.domain.api_key import ApiKey
from batchyard.domain.batch import InputObject
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.domain.webhook_endpoint import WebhookEndpoint
from batchyard.lines.file_entries import write_entries
from batchyard.message_batches import envelope
from tests.fakes.batches import BATCH_ID, BUCKET, batch
from tests.fakes.nested import DEPTHS, nested
from tests.fakes.services import MemoryServices
from tests.unit.functions.gateway import Answer, call

DOCUMENT: dict[str, Any] = json.loads(openapi.text())
# Those of Anthropic's API, whose refusals look otherwise, are tried in `test_message_batches`.
ROUTES = [
    (method.upper(), path)
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
    if not envelope.is_for(path)
]
OPEN = {(route.method, route.path) for route in router.routes if not route.locked}
LOCKED = [(method, path) for method, path in ROUTES if (method, path) not in OPEN]
NAMED = [(method, path) for method, path in LOCKED if "{" in path]
MEMBERS = {"message", "type", "param", "code"}
SOURCE = InputObject(BUCKET, "inbox/acme/requests.jsonl", "etag", 10, "v1")
BODY = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}
MODEL = "acme-labs/kant-7b"
ENDPOINT_ID, KEY_ID = "we_6f0d8b7c11a54c2e9d1a7d1f8f5ae2c4", "0f9a2c4e6b8d1357"
SCHEDULE_ID = "sched_6f0d8b7c11a54c2e9d1a7d1f8f5ae2c4"
FILE_ID, UPLOAD_ID = "file-3sT9bK2mQxV7cLwZ0rYpHd", "upload_7d1f8f5ae2c44a559a1a2f6f0d8b7c11"


def put_batch(made: MemoryServices) -> None:
    made.batch_store.batches[BATCH_ID] = batch(tenant="acme", input=SOURCE, model=MODEL)
    made.bucket.put(object_keys.result("acme", BATCH_ID, "report.json"), b"{}")


def put_gathered(made: MemoryServices) -> None:
    folder = msgspec.structs.replace(SOURCE, key="gather/acme/f/", files="work/x/plan/files-1.msgpack", file_count=1)
    members: dict[str, Any] = {"status": "completed", "in_progress_at": 1, "completed_at": 2}
    put_batch(made)
    made.batch_store.batches[BATCH_ID] = ended = batch(tenant="acme", input=folder, model=MODEL, **members)
    write_entries(made.bucket, ended, [{"number": 1, "file": "a"}])
    for name in (object_keys.OUTPUT, object_keys.ERRORS):
        made.bucket.put(object_keys.result_of_file("acme", BATCH_ID, "a", name), b"")


def put_file(made: MemoryServices) -> None:
    members: dict[str, Any] = {"bytes": 3, "filename": "in.jsonl", "purpose": "batch", "version_id": "v1"}
    key = object_keys.file("acme", FILE_ID)
    made.bucket.put(key, b"{}\n")
    made.file_store.known[FILE_ID] = stored_file.new(FILE_ID, "acme", made.clock(), None, key=key, **members)


def put_upload(made: MemoryServices) -> None:
    wanted = multipart_upload.Wanted("in.jsonl", "batch", 3, None)
    made.upload_store.known[UPLOAD_ID] = multipart_upload.new(UPLOAD_ID, "acme", made.now(), wanted)


def put_endpoint(made: MemoryServices) -> None:
    made.webhook_store.create(
        WebhookEndpoint(
            endpoint_id=ENDPOINT_ID, tenant="acme", name="ci", url="https://hooks.example.com/", created_at=1, updated_at=1,
            event_types=["batch.completed"],
        )
    )  # fmt: skip


def put_schedule(made: MemoryServices) -> None:
    made.schedule_store.known[SCHEDULE_ID] = Schedule(
        schedule_id=SCHEDULE_ID, tenant="acme", name="nightly", expression="rate(1 day)", timezone="UTC",
        created_at=1, fired_for=1, input_key=SOURCE.key, completion_window="24h", members="{}", digest="d", overlap="skip",
    )  # fmt: skip


def put_key(made: MemoryServices) -> None:
    made.api_key_store.create(ApiKey(key_id=KEY_ID, tenant="acme", created_at=1, salt="salt", hash="hash"))


# What the tenant `acme` owns, by the parameter that names it in a path, and an id that names nothing.
# A route of a new kind of object fails here until such an object is put.
OWNED: dict[str, tuple[str, str, Callable[[MemoryServices], None]]] = {
    "batch_id": (BATCH_ID, f"batch_{'0' * 32}", put_batch),
    "file_id": (FILE_ID, f"file-{'0' * 22}", put_file),
    "key_id": (KEY_ID, "0" * 16, put_key),
    "model": (MODEL, "acme-labs/hume-7b", put_batch),
    "schedule_id": (SCHEDULE_ID, f"sched_{'0' * 32}", put_schedule),
    "upload_id": (UPLOAD_ID, f"upload_{'0' * 32}", put_upload),
    "webhook_endpoint_id": (ENDPOINT_ID, f"we_{'0' * 32}", put_endpoint),
    "number": ("1", "2", put_gathered),  # of a file of the batch
}


@pytest.fixture(scope="module")
def made() -> MemoryServices:
    return MemoryServices()


@pytest.fixture(scope="module")
def acme(made: MemoryServices) -> str:
    return f"Bearer {api_keys.create(made.api_key_store, 'acme', admin=True)}"


@pytest.fixture(scope="module")
def other(made: MemoryServices) -> str:
    return f"Bearer {api_keys.create(made.api_key_store, 'other', admin=True)}"


@pytest.fixture(autouse=True)
def at_hand(made: MemoryServices, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "current", lambda: made)


def sound(answer: Answer) -> dict[str, Any]:
    """Return the error of a refusal in OpenAI's envelope."""
    assert 400 <= answer.status < 500, answer
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    (error,) = answer.json.values()
    assert error.keys() == MEMBERS
    assert error["message"]
    return dict(error)


def filled(path: str, *, known: bool = True) -> str:
    """Put ids into a path: of objects that acme owns, or of none."""
    return re.sub(r"\{(\w+)\}", lambda found: OWNED[found[1]][0] if known else OWNED[found[1]][1], path)


def without_ids(text: str) -> str:
    return re.sub("|".join(each for known, unknown, _ in OWNED.values() for each in (known, unknown)), "", text)


@pytest.mark.parametrize(("method", "path"), [*LOCKED, ("GET", "/"), ("GET", "/v1/nothing"), ("POST", "/health")])
def test_nothing_but_health_answers_without_a_good_key(method: str, path: str, acme: str) -> None:
    assert sound(call(method, path))["code"] is None
    for wrong in (acme[:-1], "Bearer by_0f9a2c4e6b8d1357_wrong", acme.replace("Bearer", "Basic"), f"{acme}, {acme}"):
        answer = call(method, path, authorization=wrong)
        assert (answer.status, sound(answer)["code"]) == (401, "invalid_api_key")
        assert answer.headers["www-authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), NAMED)
def test_what_another_tenant_owns_is_not_there_on_any_route(
    method: str, path: str, made: MemoryServices, acme: str, other: str
) -> None:
    for _, _, put in OWNED.values():
        put(made)
    kept = (
        made.batch_store.batches,
        made.file_store.known,
        made.upload_store.known,
        made.bucket.stored,
        made.webhook_store.known,
        made.schedule_store.known,
    )
    before = [dict(each) for each in kept]
    theirs = call(method, filled(path), "{}", authorization=other, content_type="application/json")
    unknown = call(method, filled(path, known=False), "{}", authorization=other, content_type="application/json")
    assert (theirs.status, sound(theirs)["type"]) == (404, "invalid_request_error")
    assert without_ids(str(sound(theirs))) == without_ids(str(sound(unknown)))
    assert list(kept) == before
    assert made.api_key_store.key(KEY_ID).revoked_at is None
    assert call(method, filled(path), authorization=acme).status != 404


def test_another_tenant_s_objects_are_in_no_list_and_behind_no_cursor(
    made: MemoryServices, acme: str, other: str
) -> None:
    put_batch(made)
    put_file(made)
    put_endpoint(made)
    put_schedule(made)
    for path, known in (
        ("/v1/batches", BATCH_ID), ("/v1/files", FILE_ID), ("/v1/webhook_endpoints", ENDPOINT_ID),
        ("/v1/schedules", SCHEDULE_ID),
    ):  # fmt: skip
        assert known in [each["id"] for each in call("GET", path, authorization=acme).json["data"]]
        assert call("GET", path, authorization=other).json["data"] == []
        assert call("GET", path, query=f"after={known}", authorization=other).status == 404


@pytest.mark.parametrize(("method", "path"), LOCKED)
@pytest.mark.parametrize("wrong", ["PUT", "PATCH", "OPTIONS", "HEAD", "TRACE", "NONSENSE"])
def test_a_method_that_a_path_has_not_is_refused_with_those_it_has(
    method: str, path: str, wrong: str, acme: str
) -> None:
    answer = call(wrong, filled(path), authorization=acme)
    assert (answer.status, sound(answer)["code"]) == (405, "method_not_supported")
    assert method in answer.headers["allow"].split(", ")


HOSTILE = [
    "", "/", "//v1/batches", "/v1/batches/", "/v1/batches//", "/v1/batches/%00", "/v1/batches/\0", "/v1/batches/\ud800",
    "/v1/batches/..", "/v1/batches/../../health", "/health/", "/v1/batches/" + "x" * 9_000, "/v1/batches/�",
    "/v1/batches/batch_\n", f"/v1/batches/{BATCH_ID.upper()}", "/v1/batches/BATCH#1",
    f"/v1/batches/{BATCH_ID}/cancel/", "/v1/batches/ ", "/v1/batches/🚂", "/v1/batches/0𷭣",
    "/v1/batches/" + "9" * 2_049, "/V1/batches", "/v1/files/" + "9" * 2_049, f"/v1/files/file-{'9' * 2_049}/content",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_path_that_is_none_is_not_found(method: str, path: str, acme: str) -> None:
    answer = call(method, path, authorization=acme)
    sound(answer)
    assert answer.status == 404 or method not in answer.headers["allow"]


@pytest.mark.parametrize(
    "header", ["Bearer \ud800", "Bearer by_0f9a2c4e6b8d1357_\ud800", "\0", "Bearer " + "x" * 70_000]
)
def test_a_header_that_is_no_key_opens_nothing(header: str) -> None:
    assert call("GET", "/v1/batches", authorization=header).status == 401


@pytest.mark.parametrize(
    "body",
    [
        None, "", "[]", "null", "1", '"x"', "{", "\ufeff{}", "NaN", b"\xff\xfe", b"\0", "[" * 100_000, '{"a":' * 100_000,
        '{"input_file_id": "\\ud800", "endpoint": "/v1/responses", "completion_window": "24h"}',
        json.dumps({**BODY, "input_file_id": "x", "metadata": {"": "x"}}),
        json.dumps({**BODY, "input_file_id": "x", "metadata": {"a": None}}),
        json.dumps({**BODY, "input_file_id": "x", "metadata": {"a" * 65: "x"}}),
        json.dumps({**BODY, "input_file_id": 7}),
        json.dumps({**BODY, "input_file_id": "x", "output_expires_after": {"anchor": "created_at", "seconds": 1e300}}),
    ],
)  # fmt: skip
def test_a_body_that_makes_no_sense_is_a_400(body: str | bytes | None, acme: str, made: MemoryServices) -> None:
    before = dict(made.batch_store.batches)
    answer = call("POST", "/v1/batches", body, authorization=acme, content_type="application/json")
    assert answer.status == 400
    sound(answer)
    assert made.batch_store.batches == before


@pytest.mark.parametrize("depth", DEPTHS)
def test_a_body_that_nests_too_deeply_is_a_400_that_says_so(depth: int, acme: str, made: MemoryServices) -> None:
    before = dict(made.batch_store.batches)
    body = json.dumps({**BODY, "input_file_id": "file-x", "x": 0}).replace(
        '"x": 0', f'"x":{nested(depth - 1).decode()}'
    )
    answer = call("POST", "/v1/batches", body, authorization=acme, content_type="application/json")
    assert answer.status == (200 if depth <= MOST_LEVELS else 400)
    if depth > MOST_LEVELS:
        message = f"The body could not be read as JSON: it is nested too deeply, more than {MOST_LEVELS} levels."
        assert sound(answer)["message"] == message
        assert made.batch_store.batches == before


def test_members_of_a_body_that_are_unknown_are_let_be(acme: str, made: MemoryServices) -> None:
    made.bucket.put("files/acme/in.jsonl", b"{}\n")
    body = {**BODY, "input_file_id": f"s3://{BUCKET}/files/acme/in.jsonl", "priority": "high", "nested": {"a": [None]}}
    answer = call("POST", "/v1/batches", json.dumps(body), authorization=acme, content_type="application/json")
    assert (answer.status, answer.json["status"]) == (200, "validating")


def test_a_spent_budget_is_a_402_in_openai_s_words(made: MemoryServices, other: str) -> None:
    made.bucket.put("files/other/in.jsonl", b"{}\n")
    made.quota_store.set_budget(Budget(tenant="other", amount=0, changed_at=1))
    body = {**BODY, "input_file_id": f"s3://{BUCKET}/files/other/in.jsonl"}
    answer = call("POST", "/v1/batches", json.dumps(body), authorization=other, content_type="application/json")
    error = sound(answer)
    assert (answer.status, error["type"], error["code"]) == (402, "insufficient_quota", "insufficient_quota")
    shown = call("GET", "/v1/usage", authorization=other).json["budget"]
    assert (shown["budget_usd"], shown["spent_usd"], shown["estimated_usd"]) == (0.0, 0.0, 0.0)
    made.quota_store.remove_budget("other")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ";"]
)
def test_a_body_of_another_content_type_is_a_415(kind: str, acme: str) -> None:
    answer = call("POST", "/v1/batches", "{}", authorization=acme, content_type=kind)
    assert (answer.status, sound(answer)["code"]) == (415, "unsupported_content_type")


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON;charset=UTF-8"]
)
def test_json_by_any_of_its_names_is_read(kind: str, acme: str) -> None:
    assert call("POST", "/v1/batches", "{}", authorization=acme, content_type=kind).status == 400


@pytest.mark.parametrize("limit", ["0", "1", "100", "", "00001", "٣"])
def test_a_limit_from_0_to_100_is_a_page(limit: str, acme: str) -> None:
    answer = call("GET", "/v1/batches", query=f"limit={limit}", authorization=acme)
    assert answer.status == (200 if limit != "٣" else 400)


@pytest.mark.parametrize("body", [None, "", "{}", b"", b"\xff", "no JSON"])
@pytest.mark.parametrize("kind", ["", "application/json", "text/plain", "application/x-www-form-urlencoded"])
def test_a_cancel_needs_no_body_and_reads_none(
    body: str | bytes | None, kind: str, acme: str, made: MemoryServices
) -> None:
    made.batch_store.batches[BATCH_ID] = batch(tenant="acme", input=SOURCE)
    answer = call("POST", f"/v1/batches/{BATCH_ID}/cancel", body, authorization=acme, content_type=kind)
    assert (answer.status, answer.json["status"]) == (200, "cancelling")


def test_an_ended_batch_cannot_be_cancelled_and_a_client_need_not_try_again(acme: str, made: MemoryServices) -> None:
    made.batch_store.batches[BATCH_ID] = batch(tenant="acme", input=SOURCE, status="completed")
    answer = call("POST", f"/v1/batches/{BATCH_ID}/cancel", authorization=acme)
    assert (answer.status, answer.headers["x-should-retry"]) == (409, "false")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD"]),
    tail=st.text(),
    body=st.binary(),
    query=st.text(),
    keyed=st.booleans(),
)
def test_no_request_at_all_is_a_fault_of_ours(
    method: str,
    tail: str,
    body: bytes,
    query: str,
    keyed: bool,
    acme: str,
) -> None:
    headers = {"authorization": acme} if keyed else {"authorization": tail}
    asked = f"limit={query}&after={query}&purpose={query}&order={query}"
    for path in (f"/v1/batches/{tail}", f"/v1/files/{tail}", f"/v1/{tail}", tail, "/v1/batches", "/v1/files"):
        assert call(method, path, body, query=asked, **headers).status < 500


def test_a_key_that_had_its_requests_of_a_minute_is_told_when_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = MemoryServices(max_requests_per_minute=2)
    monkeypatch.setattr(services, "current", lambda: limited)
    key = f"Bearer {api_keys.create(limited.api_key_store, 'acme')}"
    assert [call("GET", "/v1/batches", authorization=key).status for _ in range(3)] == [200, 200, 429]
    refused = call("GET", "/v1/no/such/route", authorization=key)
    assert (refused.status, sound(refused)["type"]) == (429, "rate_limit_error")
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-should-retry"] == "true"
    assert call("GET", "/health").status == 200
    assert call("GET", "/v1/batches", authorization=key[:-1]).status == 401
    limited.now_is += 60
    assert call("GET", "/v1/batches", authorization=key).status == 200


@pytest.mark.parametrize(("setting", "text"), [("accept", '{"jsn": true}'), ("price_list", '{"m": {"outptu": 2}}')])
def test_a_setting_that_cannot_be_read_is_named_to_whoever_can_mend_it(
    setting: str, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack = MemoryServices(**{setting: text})
    monkeypatch.setattr(services, "current", lambda: stack)
    put_file(stack)
    key = f"Bearer {api_keys.create(stack.api_key_store, 'acme')}"
    body = json.dumps({**BODY, "input_file_id": FILE_ID})
    answer = call("POST", "/v1/batches", body, authorization=key, content_type="application/json")
    assert answer.status == 500
    assert "The operator must mend a setting of this service." in answer.json["error"]["message"]
    assert stack.batch_store.batches == {}
