"""Anthropic's routes at the front door: keys, tenants, refusals in Anthropic's envelope, and what becomes of a request."""

import json
import re
from typing import Any

import pytest

from batchyard import services
from batchyard.api import api_keys, openapi
from batchyard.api.message_batches import INPUT_LIFE
from batchyard.costs.budget import Budget
from batchyard.domain import object_keys, statuses, stored_file
from batchyard.domain.batch import Counts
from batchyard.message_batches import envelope
from tests.fakes.services import MemoryServices
from tests.unit.functions.gateway import Answer, call

ROOT = "/v1/messages/batches"
ROUTES = [
    (method.upper(), path)
    for path, operations in json.loads(openapi.text())["paths"].items()
    for method in operations
    if envelope.is_for(path)
]
PARAMS: dict[str, Any] = {"model": "claude", "max_tokens": 16, "messages": [{"role": "user", "content": "hi"}]}
UNKNOWN = f"msgbatch_{'0' * 32}"


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MemoryServices:
    stack = MemoryServices()
    monkeypatch.setattr(services, "current", lambda: stack)
    return stack


@pytest.fixture
def key(made: MemoryServices) -> str:
    return api_keys.create(made.api_key_store, "acme")


def asked(*custom_ids: str, **members: Any) -> str:
    return json.dumps({"requests": [{"custom_id": each, "params": PARAMS} for each in custom_ids], **members})


def ask(method: str, path: str, key: str, body: str | None = None, query: str = "", **headers: str) -> Answer:
    given = {
        "x_api_key": key,
        "host": "api.example.com",
        "x_forwarded_proto": "https",
        "anthropic_version": "2023-06-01",
        **headers,
    }
    return call(method, path, body, query, content_type="application/json", **given)


def create(key: str, body: str = "", **headers: str) -> dict[str, Any]:
    answer = ask("POST", ROOT, key, body or asked("a", "b"), **headers)
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.json
    return found


def sound(answer: Answer, status: int, kind: str) -> str:
    """Return the message of a refusal, which must be in Anthropic's envelope."""
    assert (answer.status, answer.json["type"], answer.json["error"]["type"]) == (status, "error", kind), answer
    assert answer.json.keys() == {"type", "error", "request_id"}
    assert answer.json["error"].keys() == {"type", "message"}
    assert answer.json["request_id"] == answer.headers["request-id"] == answer.headers["x-request-id"]
    message: str = answer.json["error"]["message"]
    assert message
    return message


def end(made: MemoryServices, shown: dict[str, Any], results: bytes = b"{}\n") -> None:
    """End a batch with results, as Assemble does."""
    batch_id = shown["batchyard"]["batch_id"]
    known = made.batch_store.batches[batch_id]
    files = {}
    for member, name in (("messages_file_id", "messages.jsonl"), ("output_file_id", "output.jsonl")):
        file_id, where = stored_file.file_id(batch_id, name), object_keys.result("acme", batch_id, name)
        made.bucket.put(where, results)
        made.file_store.known[file_id] = stored_file.new(
            file_id, "acme", made.clock(), None, key=where, bytes=len(results), filename=name, purpose="batch_output"
        )
        files[member] = file_id
    made.batch_store.move_batch(batch_id, statuses.IN_PROGRESS, made.now())
    made.batch_store.move_batch(batch_id, statuses.FINALIZING, made.now())
    made.batch_store.move_batch(batch_id, statuses.COMPLETED, made.now(), counts=Counts(2, 2, 0), **files)
    assert known.messages_input


def paths(shown: str) -> list[tuple[str, str]]:
    return [(method, path.replace("{message_batch_id}", shown)) for method, path in ROUTES if "{" in path]


@pytest.mark.parametrize(("method", "path"), [*ROUTES, ("POST", "/v1/messages"), ("GET", "/v1/messages/nothing")])
def test_without_a_good_key_nothing_answers(method: str, path: str, key: str) -> None:
    assert "No API key" in sound(call(method, path), 401, "authentication_error")
    for headers in ({"x_api_key": key[:-1]}, {"authorization": f"Bearer {key}x"}, {"authorization": key}):
        assert "Incorrect API key" in sound(call(method, path, **headers), 401, "authentication_error")


def test_the_key_comes_in_either_header_and_only_here_in_x_api_key(key: str) -> None:
    assert call("GET", ROOT, x_api_key=key).status == 200
    assert call("GET", ROOT, authorization=f"Bearer {key}").status == 200
    assert call("GET", "/v1/batches", x_api_key=key).status == 401
    assert "openai-version" not in call("GET", ROOT, x_api_key=key).headers


def test_what_another_tenant_made_is_not_there(made: MemoryServices, key: str) -> None:
    shown = create(key)
    other = api_keys.create(made.api_key_store, "other")
    for (method, path), (_, unknown) in zip(paths(shown["id"]), paths(UNKNOWN), strict=True):
        told = sound(ask(method, path, other), 404, "not_found_error")
        assert told.replace(shown["id"], "") == sound(ask(method, unknown, other), 404, "not_found_error").replace(
            UNKNOWN, ""
        )
    assert ask("GET", ROOT, other).json == {"data": [], "has_more": False, "first_id": None, "last_id": None}
    for cursor in ("after_id", "before_id"):
        sound(ask("GET", ROOT, other, query=f"{cursor}={shown['id']}"), 404, "not_found_error")


def test_a_path_or_method_that_is_none_is_refused_in_the_same_envelope(key: str) -> None:
    assert "Unknown request URL" in sound(ask("POST", "/v1/messages", key, "{}"), 404, "not_found_error")
    assert "Allowed: GET, POST" in sound(ask("PUT", ROOT, key), 405, "invalid_request_error")
    assert call("GET", "/v1/messagesx", authorization=f"Bearer {key}").json["error"]["param"] is None


def test_requests_become_a_batch_of_ours_with_their_lines_in_a_file(made: MemoryServices, key: str) -> None:
    shown = create(key)
    assert re.fullmatch(r"msgbatch_[0-9a-f]{32}", shown["id"])
    assert (shown["type"], shown["processing_status"], shown["results_url"]) == ("message_batch", "in_progress", None)
    assert shown["request_counts"] == {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}
    ours = call("GET", f"/v1/batches/{shown['batchyard']['batch_id']}", authorization=f"Bearer {key}").json
    assert ours["endpoint"] == "/v1/messages"
    file = made.file_store.known[ours["input_file_id"]]
    assert (file.purpose, file.tenant, file.expires_at) == ("batch", "acme", made.now() + INPUT_LIFE)
    lines = [json.loads(line) for line in made.bucket.get(file.key).splitlines()]
    assert [(line["custom_id"], line["url"], line["body"]) for line in lines] == [
        ("a", "/v1/messages", PARAMS), ("b", "/v1/messages", PARAMS),
    ]  # fmt: skip
    assert ask("GET", f"{ROOT}/{shown['id']}", key).json == shown
    assert made.quota_store.read("acme").bytes == file.bytes


def test_our_options_and_a_file_may_stand_beside_the_requests(made: MemoryServices, key: str) -> None:
    with_options = create(key, asked("a", max_cost_usd=2.5, metadata={"project": "corpus"}, accept={"json": True}))
    kept = made.batch_store.batches[with_options["batchyard"]["batch_id"]]
    assert (kept.max_cost_usd, kept.metadata, kept.accept) == ("2.5", {"project": "corpus"}, {"json": True})
    made.bucket.put("files/acme/mine.jsonl", b"{}\n")
    uri = f"s3://{made.settings.bucket}/files/acme/mine.jsonl"
    for body in ({"requests": [], "input_file_id": uri}, {"input_file_id": uri}):
        by_file = create(key, json.dumps(body))
        assert by_file["batchyard"]["input_file_id"] == uri


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("[]", "The body must be a JSON object"), ("{}", "requests: Give a list"), (asked(), "requests: Give a list"),
        (asked("a", "a"), "requests.1.custom_id: "), (asked("a b"), "requests.0.custom_id: "),
        ("{", "could not be read as JSON"),
        (asked("a", input_file_id="file-1"), "requests: Give an empty list beside `input_file_id`"),
        (asked(input_file_id=7), "'input_file_id' must be a string"),
        (asked(input_file_id=f"file-{'0' * 22}"), "input_file_id: "),
        (asked(input_file_id="s3://elsewhere/files/acme/x"), "The input file must be below"),
        (asked(input_file_id="s3://{bucket}/inbox/acme/x"), "input_file_id: an upload to inbox/ makes a batch by itself."),
        (asked("a", max_cost_usd=-1), "max_cost_usd must be an amount"),
        (asked("a", max_cost=1), "Did you mean 'max_cost_usd'?"),
    ],
)  # fmt: skip
def test_a_body_that_cannot_be_followed_is_refused_and_leaves_nothing(
    body: str, told: str, made: MemoryServices, key: str
) -> None:
    answer = ask("POST", ROOT, key, body.replace("{bucket}", made.settings.bucket))
    assert told in sound(answer, 400, "invalid_request_error")
    assert made.batch_store.batches == {}
    assert made.file_store.known == {}


@pytest.mark.parametrize(
    "header", [{"anthropic_beta": "output-300k-2026-03-24"}, {"anthropic_user_profile_id": "user_1"}]
)
def test_a_header_that_changes_what_requests_mean_is_refused(header: dict[str, str], key: str) -> None:
    assert "is not passed on" in sound(ask("POST", ROOT, key, asked("a"), **header), 400, "invalid_request_error")
    create(key, anthropic_beta="message-batches-2024-09-24")


def test_a_request_that_is_repeated_with_its_key_is_one_batch_and_one_file(made: MemoryServices, key: str) -> None:
    first, again = (create(key, idempotency_key="corpus-7") for _ in range(2))
    assert first["id"] == again["id"]
    assert len(made.file_store.known) == len(made.batch_store.batches) == 1
    told = sound(ask("POST", ROOT, key, asked("c"), idempotency_key="corpus-7"), 409, "conflict_error")
    assert "used with another body" in told
    assert create(key)["id"] != create(key)["id"]


def test_a_refused_batch_leaves_no_file(made: MemoryServices, key: str) -> None:
    made.quota_store.set_budget(Budget(tenant="acme", amount=0, changed_at=1))
    assert "budget" in sound(ask("POST", ROOT, key, asked("a")), 402, "billing_error")
    assert [file.deleted_at for file in made.file_store.known.values()] == [made.now()]
    assert made.batch_store.batches == {}


def test_lists_go_both_ways_and_show_what_was_made_here_alone(made: MemoryServices, key: str) -> None:
    ids = [create(key)["id"] for _ in range(5)][::-1]
    made.bucket.put("files/acme/in.jsonl", b"{}\n")
    uri = f"s3://{made.settings.bucket}/files/acme/in.jsonl"
    other = json.dumps({"input_file_id": uri, "endpoint": "/v1/messages", "completion_window": "24h"})
    assert call("POST", "/v1/batches", other, authorization=f"Bearer {key}").status == 200

    def page(query: str) -> tuple[list[str], bool]:
        found = ask("GET", ROOT, key, query=query).json
        seen = [each["id"] for each in found["data"]]
        assert (found["first_id"], found["last_id"]) == ((seen[0], seen[-1]) if seen else (None, None))
        return seen, found["has_more"]

    assert page("") == (ids, False)
    assert page("limit=2") == (ids[:2], True)
    assert page(f"limit=2&after_id={ids[1]}") == (ids[2:4], True)
    assert page(f"limit=2&after_id={ids[3]}") == (ids[4:], False)
    assert page(f"limit=2&before_id={ids[4]}") == (ids[2:4], True)
    assert page(f"limit=2&before_id={ids[1]}") == (ids[:1], False)
    assert page(f"before_id={ids[0]}") == ([], False)
    for query in ("limit=0", "limit=1001", "limit=x", f"before_id={ids[0]}&after_id={ids[1]}"):
        sound(ask("GET", ROOT, key, query=query), 400, "invalid_request_error")


def test_a_batch_is_cancelled_once_and_an_ended_one_is_not(made: MemoryServices, key: str) -> None:
    shown = create(key)
    assert ask("POST", f"{ROOT}/{shown['id']}/cancel", key).json["processing_status"] == "canceling"
    other = create(key)
    end(made, other)
    answer = ask("POST", f"{ROOT}/{other['id']}/cancel", key)
    sound(answer, 409, "conflict_error")
    assert answer.headers["x-should-retry"] == "false"


def test_results_are_there_once_the_batch_has_ended_and_gone_when_it_is_deleted(made: MemoryServices, key: str) -> None:
    shown = create(key)
    where = f"{ROOT}/{shown['id']}"
    assert "has not ended yet" in sound(ask("GET", f"{where}/results", key), 404, "not_found_error")
    assert "has not ended" in sound(ask("DELETE", where, key), 400, "invalid_request_error")
    end(made, shown, b'{"custom_id":"a"}\n')
    ended = ask("GET", where, key).json
    assert (ended["processing_status"], ended["results_url"]) == ("ended", f"https://api.example.com{where}/results")
    assert call("GET", where, x_api_key=key).json["results_url"] == f"{where}/results"
    answer = ask("GET", f"{where}/results", key)
    assert (answer.status, answer.body, answer.headers["content-type"]) == (
        200,
        b'{"custom_id":"a"}\n',
        "application/x-jsonl",
    )
    assert ask("DELETE", where, key).json == {"id": shown["id"], "type": "message_batch_deleted"}
    for method, path in paths(shown["id"]):
        sound(ask(method, path, key), 404, "not_found_error")
    assert ask("GET", ROOT, key).json["data"] == []
    assert [file for file in made.file_store.known.values() if file.deleted_at is None] == []
    kept = call("GET", f"/v1/batches/{shown['batchyard']['batch_id']}", authorization=f"Bearer {key}")
    assert kept.json["status"] == "completed"


def test_a_file_of_the_users_own_outlives_its_batch(made: MemoryServices, key: str) -> None:
    made.bucket.put("files/acme/mine.jsonl", b"{}\n")
    shown = create(key, json.dumps({"input_file_id": f"s3://{made.settings.bucket}/files/acme/mine.jsonl"}))
    end(made, shown)
    assert ask("DELETE", f"{ROOT}/{shown['id']}", key).status == 200
    assert made.bucket.get("files/acme/mine.jsonl") == b"{}\n"


def test_large_results_are_a_redirect_that_no_key_goes_along_with(made: MemoryServices, key: str) -> None:
    shown = create(key)
    end(made, shown, b"x" * 4_000_001)
    where = f"{ROOT}/{shown['id']}/results"
    redirect = call("GET", where, authorization=f"Bearer {key}", host="api.example.com")
    assert redirect.status == 302
    assert redirect.headers["location"]
    told = sound(ask("GET", where, key), 400, "invalid_request_error")
    assert "auth_token" in told
    both = call("GET", where, authorization=f"Bearer {key}", x_api_key="anything")
    sound(both, 400, "invalid_request_error")
    packed = ask("GET", where, key, accept_encoding="gzip")
    assert (packed.status, packed.headers["content-encoding"]) == (200, "gzip")


def test_a_fault_of_ours_is_told_in_the_same_envelope(
    made: MemoryServices, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(made.batch_store, "list_batches", broken)
    assert "secret" not in sound(ask("GET", ROOT, key), 500, "api_error")


@pytest.mark.parametrize("named", [{}, {"provider": "claude"}])
def test_a_batch_has_a_window_that_a_provider_of_messages_has(
    named: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    groq, claude = {"base_url": "https://api.groq.com/openai/v1"}, {"base_url": "https://api.anthropic.com"}
    stack = MemoryServices(providers=json.dumps({"groq": groq, "claude": claude}), completion_window="7d")
    monkeypatch.setattr(services, "current", lambda: stack)
    shown = create(api_keys.create(stack.api_key_store, "acme"), asked("a", **named))
    assert stack.batch_store.batch(shown["batchyard"]["batch_id"]).completion_window == "24h"
