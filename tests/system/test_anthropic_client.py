"""Anthropic's own client, unchanged but for the base URL and the key: create, poll, list, results, cancel, delete, refusals."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import anthropic
import httpx
import pytest
from anthropic.types.messages import MessageBatch

from tests.system.processes import eventually
from tests.system.running_stack import RunningStack

MODEL = "claude-haiku-4-5"
LINES, MANY = 5, 3_000
Requests = list[Any]
ROOT = "/v1/messages/batches"


def params(text: str, **members: Any) -> dict[str, Any]:
    return {"model": MODEL, "max_tokens": 64, "messages": [{"role": "user", "content": text}], **members}


def requests(count: int, **members: Any) -> Requests:
    return [{"custom_id": f"request-{at}", "params": params(f"Say {at}.", **members)} for at in range(count)]


@pytest.fixture(scope="module")
def client(stack: RunningStack) -> Iterator[anthropic.Anthropic]:
    url = stack.doors["base_url"].removesuffix("/v1")
    with anthropic.Anthropic(base_url=url, api_key=stack.doors["api_key"]) as client:
        yield client


def ended(client: anthropic.Anthropic, batch_id: str, seconds: float = 120) -> MessageBatch:
    def last() -> MessageBatch | None:
        now = client.messages.batches.retrieve(batch_id)
        assert sum(now.request_counts.model_dump().values()) in {0, 1, LINES, MANY}
        return now if now.processing_status == "ended" else None

    return eventually(last, seconds)


def test_a_batch_comes_back_in_the_order_of_its_requests(client: anthropic.Anthropic, stack: RunningStack) -> None:
    made = client.messages.batches.create(requests=requests(LINES))
    assert (made.type, made.processing_status, made.results_url) == ("message_batch", "in_progress", None)
    assert made.request_counts.processing == LINES
    done = ended(client, made.id)
    assert done.request_counts.model_dump() == {
        "processing": 0, "succeeded": LINES, "errored": 0, "canceled": 0, "expired": 0,
    }  # fmt: skip
    assert done.ended_at is not None
    assert done.created_at <= done.ended_at < done.expires_at
    results = list(client.messages.batches.results(made.id))
    assert [each.custom_id for each in results] == [f"request-{at}" for at in range(LINES)]
    for at, each in enumerate(results):
        assert each.result.type == "succeeded"
        (block,) = each.result.message.content
        assert block.type == "text"
        assert block.text == f"You asked: Say {at}."
    ours = httpx.get(
        f"{stack.doors['base_url']}/batches/{made.id.removeprefix('msg')}",
        headers={"Authorization": f"Bearer {stack.doors['api_key']}"}, timeout=60,
    ).json()  # fmt: skip
    assert (ours["status"], ours["endpoint"]) == ("completed", "/v1/messages")
    assert ours["usage"]["output_tokens"] == sum(
        each.result.message.usage.output_tokens for each in results if each.result.type == "succeeded"
    )


def test_older_headers_and_the_asynchronous_client_work_as_well(
    client: anthropic.Anthropic, stack: RunningStack
) -> None:
    made = client.messages.batches.create(requests=requests(LINES))
    ended(client, made.id)
    headers = {"x-api-key": stack.doors["api_key"], "anthropic-version": "2023-06-01"}
    answer = httpx.get(f"{client.base_url}{ROOT}/{made.id}/results".replace("//v1", "/v1"), headers=headers, timeout=60)
    assert [json.loads(line)["custom_id"] for line in answer.text.splitlines()] == [
        f"request-{at}" for at in range(LINES)
    ]
    with anthropic.Anthropic(
        base_url=str(client.base_url), auth_token=stack.doors["api_key"], api_key=None
    ) as by_token:
        assert by_token.messages.batches.retrieve(made.id).id == made.id
    assert client.beta.messages.batches.retrieve(made.id).id == made.id


def test_a_job_that_is_larger_than_a_request_comes_by_file_and_its_results_by_a_redirect_without_the_key(
    client: anthropic.Anthropic, stack: RunningStack
) -> None:
    emulator = stack.doors["provider_url"].removesuffix("/v1") + "/_emulator/scenario"
    before = httpx.get(emulator, timeout=60).json()
    httpx.post(emulator, json={**before, "answer_bytes": 3_000}, timeout=60).raise_for_status()
    lines = [
        {
            "custom_id": each["custom_id"],
            "method": "POST",
            "url": "/v1/messages",
            "body": {**each["params"], "max_tokens": 2_000},
        }
        for each in requests(MANY)
    ]
    key = "files/default/larger.jsonl"
    body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    stack.clients.s3.put_object(Bucket=stack.doors["bucket"], Key=key, Body=body)
    uri = f"s3://{stack.doors['bucket']}/{key}"
    made = client.messages.batches.create(requests=[], extra_body={"input_file_id": uri})
    done = ended(client, made.id, 240)
    httpx.post(emulator, json=before, timeout=60).raise_for_status()
    assert done.request_counts.succeeded == MANY
    seen: list[tuple[str, set[str]]] = []

    def note(request: Any) -> None:
        seen.append((request.url.path, {name for name in ("authorization", "x-api-key") if name in request.headers}))

    plain = {"Accept-Encoding": "identity"}  # as gzip these results would fit one answer
    elsewhere = str(client.base_url).replace(
        "127.0.0.1", "localhost"
    )  # than S3, whose address is one of 127.0.0.1 here
    watched = anthropic.DefaultHttpxClient(event_hooks={"request": [note]})
    with client.with_options(base_url=elsewhere, http_client=watched) as noted:
        found = noted.messages.batches.results(made.id, extra_headers=plain)
        assert [each.custom_id for each in found] == [f"request-{at}" for at in range(MANY)]
    assert [keys for path, keys in seen if path.startswith(ROOT)] == [{"authorization"}] * 2
    assert [(path.endswith("messages.jsonl"), keys) for path, keys in seen if not path.startswith(ROOT)] == [
        (True, set())
    ]
    refused = refusal(
        lambda: client.messages.batches.results(
            made.id, extra_headers={**plain, "x-api-key": stack.doors["api_key"], "Authorization": anthropic.Omit()}
        )
    )
    assert "auth_token" in refused["message"]


def test_errored_lines_have_anthropic_s_own_error_and_bad_requests_are_refused_at_once(
    client: anthropic.Anthropic, stack: RunningStack
) -> None:
    emulator = stack.doors["provider_url"].removesuffix("/v1") + "/_emulator/scenario"
    before = httpx.get(emulator, timeout=60).json()
    rule = {"custom_id": "request-2", "do": {"status": 400, "message": "roles must alternate"}}
    httpx.post(emulator, json={**before, "lines": [rule]}, timeout=60).raise_for_status()
    made = client.messages.batches.create(requests=requests(LINES))
    done = ended(client, made.id)
    httpx.post(emulator, json=before, timeout=60).raise_for_status()
    assert (done.request_counts.succeeded, done.request_counts.errored) == (LINES - 1, 1)
    result = list(client.messages.batches.results(made.id))[2].result
    assert result.type == "errored"
    assert (result.error.error.type, result.error.error.message) == ("invalid_request_error", "roles must alternate")
    told = refusal(lambda: client.messages.batches.create(requests=[*requests(1), *requests(1)]))
    assert told["message"].startswith("requests.1.custom_id: ")
    told = refusal(lambda: client.messages.batches.create(requests=requests(1, max_tokens=0)))
    assert told["message"].startswith("requests.0.params.max_tokens: ")


def test_pages_list_each_batch_once_in_both_directions(client: anthropic.Anthropic) -> None:
    made = [client.messages.batches.create(requests=requests(1)).id for _ in range(5)]
    forth = [each.id for each in client.messages.batches.list(limit=2)]
    assert forth[:5] == made[::-1]
    assert len(forth) == len(set(forth))
    back = [each.id for each in client.messages.batches.list(limit=2, before_id=made[0])]
    assert sorted(back) == sorted(made[1:])
    for each in made:
        ended(client, each)


def test_a_batch_is_cancelled_and_then_deleted(client: anthropic.Anthropic) -> None:
    made = client.messages.batches.create(requests=requests(LINES))
    assert client.messages.batches.cancel(made.id).processing_status in {"canceling", "ended"}
    running = client.messages.batches.create(requests=requests(LINES)).id
    early = refusal(lambda: client.messages.batches.delete(running))
    assert (early["kind"], "has not ended" in early["message"]) == ("BadRequestError", True)
    for each in (made.id, running):
        ended(client, each)
    assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
    gone = refusal(lambda: client.messages.batches.retrieve(made.id))
    assert (gone["kind"], gone["status"]) == ("NotFoundError", 404)


def test_a_refusal_is_the_error_that_the_client_has_for_it(client: anthropic.Anthropic) -> None:
    told = refusal(client.with_options(api_key="by_0000_wrong").messages.batches.list)
    assert (told["kind"], told["status"], told["type"]) == ("AuthenticationError", 401, "authentication_error")
    assert told["id"]
    told = refusal(lambda: client.messages.create(**params("x")))
    assert (told["kind"], told["type"]) == ("NotFoundError", "not_found_error")


def refusal(call: Callable[[], object]) -> dict[str, Any]:
    with pytest.raises(anthropic.APIStatusError) as caught:
        call()
    error, body = caught.value, caught.value.body
    assert isinstance(body, dict)
    return {
        "kind": type(error).__name__, "status": error.status_code, "type": body["error"]["type"],
        "message": body["error"]["message"], "id": error.request_id,
    }  # fmt: skip
