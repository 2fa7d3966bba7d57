"""Anthropic's official SDK against the emulator: message batches, and messages answered at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest
import requests

from tests.integration.local.emulator.messages import ended, sdk, wanted
from tests.integration.local.emulator.running import Emulator, started

FULL = ("2", "10")
LISTED = {"named": {"starts_with": "claude-listed"}, "input": "2", "output": "10", "cached": "0.5",
          "batch_input": "0.8", "batch_output": "4", "batch_cached": "0.2"}  # fmt: skip
PLAIN = {"named": {"starts_with": "claude-"}, "input": FULL[0], "output": FULL[1]}
LOW_CREDIT = "Your credit balance is too low to access the Anthropic API."


def order(emulator: Emulator, operation: str, **fault: object) -> None:
    emulator.play(calls=[{"operation": operation, "nth": 1, "do": fault}])


def test_a_batch_runs_and_each_request_has_one_result_in_another_order(emulator: Emulator) -> None:
    with sdk(emulator) as client:
        made = client.messages.batches.create(requests=wanted(30))
        assert (made.processing_status, made.results_url) == ("in_progress", None)
        assert made.request_counts.processing == 30
        batch = ended(client, made.id)
        assert (batch.request_counts.succeeded, batch.request_counts.processing) == (30, 0)
        assert batch.results_url == f"{emulator.url}/messages/batches/{made.id}/results"
        results = list(client.messages.batches.results(made.id))
    ids = [each.custom_id for each in results]
    assert sorted(ids) == sorted(f"r-{number}" for number in range(1, 31))
    assert ids != sorted(ids, key=lambda name: int(name[2:]))
    for each in results:
        assert each.result.type == "succeeded"
        (block,) = each.result.message.content
        assert block.type == "text"
        assert block.text == f"You asked: Say {each.custom_id[2:]}"
        assert each.result.message.usage.service_tier == "batch"


def test_counts_stand_still_until_the_whole_batch_has_ended(emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=0.5)
    with sdk(emulator) as client:
        made = client.messages.batches.create(requests=wanted(10))
        while (seen := client.messages.batches.retrieve(made.id)).processing_status != "ended":
            assert seen.request_counts.to_dict() == {
                "processing": 10, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0
            }  # fmt: skip
        assert sum(seen.request_counts.to_dict().values()) == 10  # type: ignore[arg-type]  # all are numbers


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
@pytest.mark.parametrize("key", [{"x-api-key": "sk-ant"}, {"Authorization": "Bearer sk-ant"}])
def test_both_ways_to_send_a_key_are_taken(emulator: Emulator, key: dict[str, str], version: str) -> None:
    answer = requests.get(f"{emulator.url}/messages/batches", headers={**key, "anthropic-version": version}, timeout=5)
    assert (answer.status_code, answer.headers["request-id"][:4]) == (200, "req_")


@pytest.mark.parametrize(
    ("headers", "status", "kind"),
    [
        ({"anthropic-version": "2023-06-01"}, 401, "authentication_error"),
        ({"anthropic-version": "2023-06-01", "x-api-key": "wrong"}, 401, "authentication_error"),
        ({"x-api-key": "right"}, 400, "invalid_request_error"),
    ],
)
def test_a_request_without_key_or_version_is_refused(
    emulator: Emulator, headers: dict[str, str], status: int, kind: str
) -> None:
    emulator.play(api_key="right")
    answer = requests.get(f"{emulator.url}/messages/batches", headers=headers, timeout=5)
    emulator.play(api_key=emulator.api_key)
    told = answer.json()
    assert (answer.status_code, told["type"], told["error"]["type"]) == (status, "error", kind)
    assert told["request_id"] == answer.headers["request-id"]


def test_lists_are_paged_both_ways(fresh: Emulator) -> None:
    with sdk(fresh) as client:
        made = [client.messages.batches.create(requests=wanted(1)).id for _ in range(5)]
        newest = made[::-1]
        assert [batch.id for batch in client.messages.batches.list(limit=2)] == newest
        page = client.messages.batches.list(limit=2, after_id=newest[1])
        assert ([batch.id for batch in page.data], page.has_more) == (newest[2:4], True)
        assert (page.first_id, page.last_id) == (newest[2], newest[3])
        back = client.messages.batches.list(limit=2, before_id=newest[4])
        assert ([batch.id for batch in back.data], back.has_more) == (newest[2:4], True)
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.list(after_id="msgbatch_none")
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.list(limit=1001)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ([{"custom_id": "a b", "params": {}}], "custom_id"),
        ([{"custom_id": "x" * 65, "params": {}}], "custom_id"),
        ([{"custom_id": "a", "params": {}}] * 2, "unique"),
        ([], "at least 1"),
        ([{"custom_id": "a"}], "not valid"),
        (wanted(11), "at most 10"),
    ],
)
def test_requests_with_wrong_ids_make_no_batch(emulator: Emulator, change: Any, message: str) -> None:
    emulator.play(messages={"most_requests": 10})
    with sdk(emulator) as client, pytest.raises(anthropic.BadRequestError, match=message):
        client.messages.batches.create(requests=change)


def test_wrong_params_are_errored_lines_of_a_batch_that_ends(emulator: Emulator) -> None:
    wrong: list[Any] = [
        {"custom_id": "stream", "params": {**wanted(1)[0]["params"], "stream": True}},
        {"custom_id": "none", "params": {**wanted(1)[0]["params"], "max_tokens": 0}},
        {"custom_id": "model", "params": {"max_tokens": 1, "messages": []}},
        *wanted(1),
    ]
    with sdk(emulator) as client:
        batch = ended(client, client.messages.batches.create(requests=wrong).id)
        assert (batch.request_counts.errored, batch.request_counts.succeeded) == (3, 1)
        results = {each.custom_id: each.result for each in client.messages.batches.results(batch.id)}
    for name in ("stream", "none", "model"):
        result = results[name]
        assert result.type == "errored"
        assert result.error.error.type == "invalid_request_error"
    assert emulator.ledger(batch.id)["billed"] == ["r-1"]


def test_lines_end_as_ordered(emulator: Emulator) -> None:
    emulator.play(
        lines=[
            {"custom_id": "r-1", "do": {"status": 529}},
            {"custom_id": "r-2", "do": {"status": 400, "message": LOW_CREDIT}},
            {"custom_id": "r-3", "do": {"error": "expired"}},
            {"custom_id": "r-4", "do": {"error": "canceled"}},
            {"custom_id": "r-5", "do": {"missing": True}},
            {"custom_id": "r-6", "do": {"says": "cut_off"}},
        ]
    )
    with sdk(emulator) as client:
        batch = ended(client, client.messages.batches.create(requests=wanted(7)).id)
        results = {each.custom_id: each.result for each in client.messages.batches.results(batch.id)}
    counts = batch.request_counts
    assert (counts.succeeded, counts.errored, counts.expired, counts.canceled) == (3, 2, 1, 1)
    assert {name: result.type for name, result in results.items()} == {
        "r-1": "errored", "r-2": "errored", "r-3": "expired", "r-4": "canceled", "r-6": "succeeded", "r-7": "succeeded"
    }  # fmt: skip
    assert results["r-1"].type == results["r-2"].type == "errored"
    assert results["r-1"].error.error.type == "overloaded_error"
    assert results["r-2"].error.error.message == LOW_CREDIT
    assert results["r-6"].type == "succeeded"
    assert results["r-6"].message.stop_reason == "max_tokens"


def test_a_cancel_ends_with_what_has_run(emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=5)
    with sdk(emulator) as client:
        made = client.messages.batches.create(requests=wanted(50))
        assert client.messages.batches.cancel(made.id).processing_status == "canceling"
        assert client.messages.batches.cancel(made.id).processing_status == "canceling", "twice is harmless"
        batch = ended(client, made.id)
        assert batch.request_counts.canceled > 0
        assert batch.request_counts.canceled + batch.request_counts.succeeded == 50
        assert batch.cancel_initiated_at
        with pytest.raises(anthropic.BadRequestError, match="already ended"):
            client.messages.batches.cancel(made.id)


def test_a_batch_expires_with_what_has_run(emulator: Emulator) -> None:
    emulator.play(batches=[{"do": {"expire_after": 0.4}}])
    with sdk(emulator) as client:
        batch = ended(client, client.messages.batches.create(requests=wanted(10)).id)
    assert (batch.request_counts.succeeded, batch.request_counts.expired) == (4, 6)


def test_only_a_batch_that_has_ended_is_deleted_and_its_bill_stays(emulator: Emulator) -> None:
    emulator.play(seconds_per_batch=0.3)
    with sdk(emulator) as client:
        made = client.messages.batches.create(requests=wanted(3))
        with pytest.raises(anthropic.BadRequestError):
            client.messages.batches.delete(made.id)
        ended(client, made.id)
        assert client.messages.batches.delete(made.id).type == "message_batch_deleted"
        with pytest.raises(anthropic.NotFoundError):
            client.messages.batches.retrieve(made.id)
    assert emulator.ledger(made.id)["billed_requests"] == 3


def test_results_are_gone_after_29_days(fresh: Emulator) -> None:
    with sdk(fresh) as client:
        batch = ended(client, client.messages.batches.create(requests=wanted(2)).id)
        fresh.admin("/clock", {"seconds": 29 * 86_400})
        later = client.messages.batches.retrieve(batch.id)
        assert (later.processing_status, later.results_url) == ("ended", None)
        assert later.archived_at
        answer = requests.get(
            f"{fresh.url}/messages/batches/{batch.id}/results",
            headers={"x-api-key": fresh.api_key, "anthropic-version": "2023-06-01"},
            timeout=5,
        )
    assert (answer.status_code, answer.json()["error"]["type"]) == (404, "not_found_error")


def test_all_running_batches_share_one_queue_of_requests(fresh: Emulator) -> None:
    fresh.play(messages={"queued_requests": 100}, seconds_per_batch=30)
    with sdk(fresh) as client:
        first = client.messages.batches.create(requests=wanted(60))
        with pytest.raises(anthropic.RateLimitError):
            client.messages.batches.create(requests=wanted(41, model="claude-opus-4-5"))
        client.messages.batches.create(requests=wanted(40))
        fresh.admin("/clock", {"seconds": 31})
        ended(client, first.id)
        client.messages.batches.create(requests=wanted(60))


@pytest.mark.parametrize("by_gateway", [True, False])
def test_a_body_that_is_too_large_is_refused_in_json_or_by_a_gateway(emulator: Emulator, by_gateway: bool) -> None:
    emulator.play(messages={"most_bytes": 1000}, too_large_by_gateway=by_gateway)
    with sdk(emulator) as client, pytest.raises(anthropic.APIStatusError) as refused:
        client.messages.batches.create(requests=wanted(20))
    assert refused.value.response.status_code == 413
    assert (refused.value.response.headers["content-type"] == "text/html") is by_gateway


@pytest.mark.parametrize("status", [429, 529, 500])
def test_calls_fail_as_ordered_without_a_word_of_when_to_come_again(emulator: Emulator, status: int) -> None:
    order(emulator, "createMessageBatch", status=status)
    with sdk(emulator) as client:
        with pytest.raises(anthropic.APIStatusError) as refused:
            client.messages.batches.create(requests=wanted(1))
        assert "retry-after" not in refused.value.response.headers
        assert refused.value.body["type"] == "error"  # type: ignore[index]  # it is one of Anthropic's
        client.messages.batches.create(requests=wanted(1))


def test_a_lost_answer_leaves_a_batch_behind(emulator: Emulator) -> None:
    order(emulator, "createMessageBatch", connection="reset", after_effect=True)
    with sdk(emulator) as client:
        before = len(list(client.messages.batches.list(limit=1000)))
        with pytest.raises(anthropic.APIConnectionError):
            client.messages.batches.create(requests=wanted(1))
        assert len(list(client.messages.batches.list(limit=1000))) == before + 1
    assert emulator.calls("createMessageBatch")[-1]["batch_id"].startswith("msgbatch_")


def test_results_come_in_another_order_each_time_if_ordered(emulator: Emulator) -> None:
    emulator.play(messages={"reshuffled": True})
    with sdk(emulator) as client:
        batch = ended(client, client.messages.batches.create(requests=wanted(30)).id)
        read = [[each.custom_id for each in client.messages.batches.results(batch.id)] for _ in range(2)]
    assert read[0] != read[1]
    assert sorted(read[0]) == sorted(read[1])


def test_a_message_is_answered_at_once(emulator: Emulator) -> None:
    with sdk(emulator) as client:
        told = client.messages.create(**wanted(1)[0]["params"])
        assert (told.stop_reason, told.usage.service_tier) == ("end_turn", "standard")
        with pytest.raises(anthropic.BadRequestError):
            client.messages.create(max_tokens=0, model="m", messages=[{"role": "user", "content": "x"}])
    assert emulator.admin("/ledger")["direct"][-1]["endpoint"] == "/v1/messages"


@pytest.fixture(scope="module")
def billing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    prices = tmp_path_factory.mktemp("prices") / "prices.json"
    prices.write_text(json.dumps({"source": "test", "at": "2026-11-30", "sellers": {"anthropic": [LISTED, PLAIN]}}))
    with started("--prices", str(prices), "--sellers", "anthropic", "--seconds-per-batch", "0.05") as emulator:
        yield emulator


@pytest.mark.parametrize(
    ("model", "each"),
    [("claude-listed", (0.8, 1.0, 0.2, 4.0)), ("claude-plain", (1.0, 1.25, 0.1, 5.0))],
    ids=["a batch price of its own", "half of the full price"],
)
def test_a_batch_costs_half_and_the_cache_has_its_own_prices(
    billing: Emulator, model: str, each: tuple[float, ...]
) -> None:
    kept = {"type": "text", "text": "A long text " * 40, "cache_control": {"type": "ephemeral"}}
    with sdk(billing) as client:
        batch = ended(client, client.messages.batches.create(requests=wanted(20, model, system=[kept])).id)
        found = [each.result for each in client.messages.batches.results(batch.id)]
    used = [result.message.usage for result in found if result.type == "succeeded"]
    names = ("input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens", "output_tokens")
    sums = [sum(getattr(usage, name) for usage in used) for name in names]
    assert all(sums)
    entry = billing.ledger(batch.id)
    assert entry["usage"] == dict(zip(names, sums, strict=True))
    assert entry["usd"] == pytest.approx(sum(a * b for a, b in zip(sums, each, strict=True)) / 1_000_000)


def test_a_message_at_once_costs_the_full_price(billing: Emulator) -> None:
    before = billing.admin("/ledger")["usd"]
    with sdk(billing) as client:
        usage = client.messages.create(**wanted(1)[0]["params"]).usage
    cost = (usage.input_tokens * float(FULL[0]) + usage.output_tokens * float(FULL[1])) / 1_000_000
    assert billing.admin("/ledger")["usd"] - before == pytest.approx(cost)


def test_a_body_of_many_megabytes_is_not_held_in_memory(tmp_path: Path) -> None:
    text, count = "x" * 100_000, 1_200
    line = json.dumps({**wanted(1)[0]["params"], "messages": [{"role": "user", "content": text}]})

    def body() -> Iterator[bytes]:
        for number in range(count):
            start = '{"requests":[' if not number else ","
            yield f'{start}{{"custom_id":"r-{number}","params":{line}}}'.encode()
        yield b"]}"

    with started("--seconds-per-batch", "0.05", "--data", str(tmp_path)) as emulator:
        before = anonymous(emulator)
        answer = requests.post(
            f"{emulator.url}/messages/batches",
            data=body(),
            headers={"x-api-key": "any", "anthropic-version": "2023-06-01"},
            timeout=60,
        )
        assert answer.json()["request_counts"]["processing"] == count
        with sdk(emulator) as client:
            ended(client, answer.json()["id"])
        assert anonymous(emulator) - before < 40_000_000, "of 120 MB"


def anonymous(emulator: Emulator) -> int:
    """Return the memory of an emulator that is no file's, in bytes."""
    text = Path(f"/proc/{emulator.process.pid}/status").read_text(encoding="ascii")
    return int(text.partition("RssAnon:")[2].split()[0]) * 1024
