"""The HTTP API through the gateway of a deployed stack, by plain HTTP."""

import http.client
import json
import subprocess
import sys
from typing import Any

import httpx
import openai
import pytest

from local.engine import client_environment
from local.stack.api_key import make_api_key
from tests.system.processes import ROOT, environment, eventually
from tests.system.running_stack import TENANT, RunningStack, jsonl, request


@pytest.fixture(scope="module")
def client(stack: RunningStack) -> openai.OpenAI:
    """A user's own client, pointed here."""
    return openai.OpenAI(base_url=stack.doors["base_url"], api_key=stack.doors["api_key"], max_retries=0, timeout=30)


def uploaded(stack: RunningStack, name: str, lines: int = 3) -> str:
    stack.drop(name, jsonl(request(number) for number in range(lines)))
    return f"s3://{stack.doors['bucket']}/inbox/{TENANT}/{name}"


def test_a_batch_made_through_the_api_is_done_and_shown(stack: RunningStack, client: openai.OpenAI) -> None:
    source = uploaded(stack, "by api ü+%.jsonl")
    made = client.batches.create(
        input_file_id=source, endpoint="/v1/chat/completions", completion_window="24h", metadata={"who": "me"}
    )
    assert made.metadata == {"who": "me"}
    stack.ended(made.id)
    shown = client.batches.retrieve(made.id)
    assert shown.status == "completed"
    assert shown.request_counts is not None
    assert (shown.request_counts.total, shown.request_counts.completed) == (3, 3)
    assert shown.output_file_id is not None
    assert len(stack.results(made.id).output) == 3


def test_rows_can_be_taken_a_few_at_a_time_until_there_are_no_more(stack: RunningStack) -> None:
    rows = [request(number, **({"temperature": 99} if number == 2 else {})) for number in range(5)]
    batch_id = stack.batch_of("rows.jsonl", stack.drop("rows.jsonl", jsonl(rows)))
    url, key = (
        f"{stack.doors['base_url']}/batches/{batch_id}/results",
        {"Authorization": f"Bearer {stack.doors['api_key']}"},
    )
    lines, complete = list[bytes](), "false"

    def take() -> bool:
        nonlocal complete
        answer = httpx.get(url, params={"after": len(lines), "limit": 2}, headers=key, timeout=30).raise_for_status()
        lines.extend(answer.content.splitlines())
        assert answer.headers["batchyard-after"] == str(len(lines))
        complete = answer.headers["batchyard-complete"]
        return complete == "true"

    eventually(take, 120)
    assert [json.loads(line)["custom_id"] for line in lines] == [f"request-{number}" for number in range(5)]
    results = stack.results(batch_id)
    assert [json.loads(line) for line in lines] == [*results.output[:2], *results.errors, *results.output[2:]]


def test_batches_are_listed_newest_first_page_by_page(stack: RunningStack, client: openai.OpenAI) -> None:
    made = [stack.run(f"listed-{number}.jsonl", jsonl([request(number)])).batch_id for number in range(3)]
    page = client.batches.list(limit=2)
    assert page.has_more
    listed = [batch.id for batch in client.batches.list(limit=2)]
    assert len(listed) == len(set(listed))
    assert set(made) <= set(listed)
    created = [batch.created_at for batch in client.batches.list(limit=2)]
    assert created == sorted(created, reverse=True)


def test_a_batch_can_be_cancelled_and_keeps_what_was_finished(stack: RunningStack, client: openai.OpenAI) -> None:
    batch_id = stack.batch_of("cancelled.jsonl", stack.drop("cancelled.jsonl", jsonl(request(n) for n in range(50))))
    eventually(lambda: stack.provider_batches(batch_id))
    assert client.batches.cancel(batch_id).status == "cancelling"
    ended = stack.ended(batch_id)
    results = stack.results(batch_id)
    assert ended.status == "cancelled"
    assert len(results.output) + len(results.errors) == 50


def test_an_unknown_batch_is_not_found_in_openais_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.batches.retrieve("batch_unknown")
    assert isinstance(caught.value.body, dict)
    assert {"message", "type", "param", "code"} <= caught.value.body.keys()


def test_a_request_that_makes_no_sense_is_refused_in_openais_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.batches.create(input_file_id="s3://other/x", endpoint="/v1/chat/completions", completion_window="24h")
    assert caught.value.param == "input_file_id"


def test_a_wrong_key_is_turned_away(stack: RunningStack) -> None:
    stranger = openai.OpenAI(base_url=stack.doors["base_url"], api_key="by_0000_wrong", max_retries=0)
    with pytest.raises(openai.AuthenticationError) as caught:
        stranger.batches.list()
    assert caught.value.code == "invalid_api_key"
    assert caught.value.request_id


def test_a_request_without_a_key_is_turned_away(stack: RunningStack) -> None:
    answer = httpx.get(f"{stack.doors['base_url']}/batches")
    assert answer.status_code == 401
    assert answer.json()["error"].keys() == {"message", "type", "param", "code"}


def test_whether_the_door_is_open_is_told_to_anyone(stack: RunningStack) -> None:
    assert httpx.get(f"{stack.doors['endpoint_url']}/health").json() == {"status": "ok"}
    assert httpx.get(f"{stack.doors['base_url']}/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("PUT", "/batches", 405), ("OPTIONS", "/batches", 405), ("GET", "/assistants", 404), ("GET", "/batches/", 404)],
)
def test_what_there_is_not_is_refused_in_openais_words(
    stack: RunningStack, method: str, path: str, status: int
) -> None:
    key = {"Authorization": f"Bearer {stack.doors['api_key']}"}
    answer = httpx.request(method, stack.doors["base_url"] + path, headers=key)
    assert answer.status_code == status
    assert answer.json()["error"]["type"] == "invalid_request_error"
    assert answer.headers["x-request-id"]


def test_another_tenants_batch_is_not_found(stack: RunningStack) -> None:
    batch = stack.run("mine.jsonl", jsonl([request(1)]))
    other = make_api_key(stack.doors["endpoint_url"], stack.doors["table"], "other")
    theirs = openai.OpenAI(base_url=stack.doors["base_url"], api_key=other, max_retries=0)
    with pytest.raises(openai.NotFoundError):
        theirs.batches.retrieve(batch.batch_id)
    assert list(theirs.batches.list()) == []


def test_a_key_is_listed_and_opens_nothing_once_it_is_revoked(stack: RunningStack) -> None:
    made = make_api_key(stack.doors["endpoint_url"], stack.doors["table"], "leaver")
    key_id = made.split("_")[1]
    assert f"{key_id}  made " in keys(stack, "--list")
    assert made.split("_")[2] not in keys(stack, "--list")
    assert keys(stack, "--revoke", key_id) == f"{key_id} is revoked; no call is answered with it a minute from now.\n"
    assert [line for line in keys(stack, "--list").splitlines() if key_id in line and "  revoked " in line]
    answer = httpx.get(f"{stack.doors['base_url']}/batches", headers={"Authorization": f"Bearer {made}"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "invalid_api_key")


def test_a_tenant_spends_no_more_than_its_budget(stack: RunningStack) -> None:
    """Only here do the roles of all functions meet the records of budgets."""
    key = keys(stack, "frugal", "--budget", "1000").strip()
    theirs = openai.OpenAI(base_url=stack.doors["base_url"], api_key=key, max_retries=0, timeout=30)
    file = theirs.files.create(file=("in.jsonl", jsonl(request(n) for n in range(3))), purpose="batch")
    wanted: Any = {"input_file_id": file.id, "endpoint": "/v1/chat/completions", "completion_window": "24h"}
    made = theirs.batches.create(**wanted)
    eventually(lambda: theirs.batches.retrieve(made.id).status == "completed", seconds=120)
    budget = httpx.get(f"{stack.doors['base_url']}/usage", headers={"Authorization": f"Bearer {key}"}).json()["budget"]
    assert (budget["budget_usd"], budget["estimated_usd"]) == (1000.0, 0.0)
    assert budget["spent_usd"] > 0
    assert "frugal may spend $0.00 a month" in keys(stack, "--budget", "frugal", "0")
    with pytest.raises(openai.APIStatusError) as refused:
        theirs.batches.create(**wanted)
    assert (refused.value.status_code, refused.value.code) == (402, "insufficient_quota")


def keys(stack: RunningStack, *arguments: str) -> str:
    command = [sys.executable, "-m", "batchyard.api.api_keys", stack.doors["table"], *arguments]
    given = environment(**client_environment(stack.doors["endpoint_url"]))
    return subprocess.run(command, cwd=ROOT, env=given, capture_output=True, text=True, check=True).stdout  # noqa: S603 - our own


ODD = [
    "/v1/batches/%00", "/v1/batches/%ff%fe", "/v1/batches/%zz", "/v1/batches/%", "/v1/batches/%2e%2e%2fhealth",
    "/v1/batches/" + "a" * 6_000, "/v1/batches?limit=%ff", "/v1/batches?limit=1&limit=2", "/v1/batches?after=%00",
    "/v1//batches", "/v1/batches/a%2Fb", "/v1/batches?%zz=%", "/v1/files/%ED%A0%80", "/v1/batches/%F0%9F%9A%82",
]  # fmt: skip


@pytest.mark.parametrize("target", ODD)
def test_an_odd_target_is_refused_in_openais_words(stack: RunningStack, target: str) -> None:
    host, _, port = stack.doors["endpoint_url"].removeprefix("http://").partition(":")
    wire = http.client.HTTPConnection(host, int(port), timeout=30)  # sends what it is given, as it is
    wire.request("GET", target, headers={"Authorization": f"Bearer {stack.doors['api_key']}"})
    answer = wire.getresponse()
    body = json.loads(answer.read())
    wire.close()
    assert answer.status < 500
    assert answer.status == 200 or body["error"]["message"]


def test_many_headers_and_a_long_one_are_no_fault_of_ours(stack: RunningStack) -> None:
    many = {f"x-{number}": "y" * 100 for number in range(60)}
    for headers in (many, {"x-long": "y" * 7_000}, {"Authorization": "Bearer " + "y" * 7_000}):
        answer = httpx.get(f"{stack.doors['base_url']}/batches", headers=headers)
        assert answer.status_code == 401
