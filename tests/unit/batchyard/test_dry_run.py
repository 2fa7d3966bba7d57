"""A dry run tells what a batch would cost and sends nothing; max-cost-usd refuses what would cost more."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from batchyard.api.batches import create_batch, retrieve_batch
from batchyard.costs.prices import BATCH
from batchyard.domain.batch import shape
from batchyard.domain.step import TIME_TO_END
from batchyard.planning.plan import plan
from tests.fakes.batches import BUCKET
from tests.fakes.bucket import MemoryBucket
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world

MINI = "gpt-4.1-mini"  # in a batch, 0.2 and 0.8 dollars per million tokens
LINES = [request(f"r{at}", model=MINI, max_tokens=100) for at in range(10)]


@pytest.fixture
def world() -> World:
    return memory_world()


def shown(world: World, batch_id: str) -> dict[str, Any]:
    return shape(world.services.batch_store.batch(batch_id))


def wanted(world: World, lines: list[dict[str, Any]], **members: object) -> dict[str, Any]:
    world.services.bucket.put("files/default/in.jsonl", jsonl(lines))
    uri = f"s3://{BUCKET}/files/default/in.jsonl"
    return {"input_file_id": uri, "endpoint": "/v1/chat/completions", "completion_window": "24h", **members}


def test_a_dry_run_ends_with_an_estimate_and_sends_nothing(world: World) -> None:
    data = jsonl(LINES)
    batch_id = world.drop(data, **{"dry-run": "true"})
    assert world.run(batch_id) == "done"
    made = shown(world, batch_id)
    assert (made["status"], made["dry_run"], made["output_file_id"], made["error_file_id"]) == (
        "completed", True, None, None,
    )  # fmt: skip
    assert made["request_counts"] == {"total": 10, "completed": 0, "failed": 0}
    found = made["preflight"]
    tokens = -(-len(data) // 4)
    assert (found["lines"], found["bad_lines"], found["would_run"], found["shards"]) == (10, 0, True, 1)
    assert (found["bytes"], found["estimated_input_tokens"], found["estimated_output_tokens"]) == (
        len(data), tokens, 1_000,
    )  # fmt: skip
    assert found["estimated_usd"] == pytest.approx((0.2 * tokens + 0.8 * 1_000) / 1e6, abs=1e-6)
    (model,) = found["models"]
    assert (model["model"], model["lines"], model["price_basis"], model["waves"]) == (MINI, 10, BATCH, None)
    assert json.loads(world.result(batch_id, "report.json"))["preflight"] == found
    assert world.provider.calls == []


def test_waves_are_told_where_the_provider_s_room_is_known(world: World) -> None:
    world.services.settings = replace(world.services.settings, max_enqueued_tokens=f"{MINI}=100,1000000")
    batch_id = world.drop(jsonl([*LINES, request("own", model="our-own")]), **{"dry-run": "true"})
    world.run(batch_id)
    found = {each["model"]: each for each in shown(world, batch_id)["preflight"]["models"]}
    assert found[MINI]["waves"] == -(-found[MINI]["estimated_input_tokens"] // 100) > 1
    assert found["our-own"]["waves"] == 1


def test_lines_without_a_limit_are_taken_for_a_thousand_tokens_each_and_said_to_be(world: World) -> None:
    batch_id = world.drop(jsonl([*LINES[:2], request("free", model=MINI)]), **{"dry-run": "true"})
    world.run(batch_id)
    found = shown(world, batch_id)["preflight"]
    assert (found["estimated_output_tokens"], found["models"][0]["lines_without_output_limit"]) == (1_200, 1)
    assert "1,000" in found["note"]


def test_a_model_without_a_price_makes_the_sum_unknown_never_zero(world: World) -> None:
    batch_id = world.drop(jsonl([*LINES, request("own", model="our-own")]), **{"dry-run": "true"})
    world.run(batch_id)
    found = shown(world, batch_id)["preflight"]
    prices = {each["model"]: each["estimated_usd"] for each in found["models"]}
    assert (found["estimated_usd"], prices["our-own"], found["models_total"]) == (None, None, 2)
    assert prices[MINI] > 0


def test_a_model_without_a_price_is_named_however_many_there_are(world: World) -> None:
    priced = [request(f"r{at}", model=f"gpt-5-nano-{at}") for at in range(50)]
    batch_id = world.drop(jsonl([*priced, request("own", model="our-own")]), **{"max-cost-usd": "100"})
    assert world.run(batch_id) == "refused"
    (error,) = shown(world, batch_id)["errors"]["data"]
    assert error["code"] == "unknown_price"
    assert "'our-own'" in error["message"]


def test_the_estimate_of_many_models_with_long_names_fits_an_event(world: World) -> None:
    lines = [request(f"r{at}", model="\N{GRINNING FACE}" * 300 + str(at)) for at in range(150)]
    batch_id = world.drop(jsonl(lines), **{"dry-run": "true"})
    assert world.run(batch_id) == "done"
    found = shown(world, batch_id)["preflight"]
    assert (found["models_total"], found["lines"]) == (150, 150)
    assert len(json.dumps(found)) < 64_000


@pytest.mark.parametrize(("policy", "runs"), [("refuse", False), ("skip", True)])
def test_bad_lines_are_told_by_code_and_the_first_with_their_numbers(world: World, policy: str, *, runs: bool) -> None:
    data = b"?\n" + jsonl([*LINES, LINES[0]]) + b'{"custom_id":"bare"}\n??\n'
    batch_id = world.drop(data, **{"dry-run": "true", "on-invalid": policy})
    assert world.run(batch_id) == "done"
    made = shown(world, batch_id)
    found = made["preflight"]
    codes = {"duplicate_custom_id": 1, "invalid_json_line": 2, "missing_required_parameter": 1}
    assert (found["lines"], found["bad_lines"], found["bad_lines_by_code"]) == (14, 4, codes)
    assert (found["would_run"], made["request_counts"]["total"]) == (runs, 14)
    assert [error["line"] for error in made["errors"]["data"]] == [1, 12, 13, 14]
    assert made["errors_total"] == 4


def test_skipped_lines_are_not_priced(world: World) -> None:
    data = jsonl([LINES[0]] * 4)
    batch_id = world.drop(data, **{"dry-run": "true", "on-invalid": "skip"})
    world.run(batch_id)
    found = shown(world, batch_id)["preflight"]
    assert (found["bytes"], found["estimated_output_tokens"], found["models"][0]["lines"]) == (len(data) // 4, 100, 1)


def test_a_dry_run_of_nothing_says_so(world: World) -> None:
    batch_id = world.drop(b"\n", **{"dry-run": "true"})
    assert world.run(batch_id) == "done"
    made = shown(world, batch_id)
    assert (made["preflight"]["lines"], made["preflight"]["would_run"]) == (0, False)
    assert [error["code"] for error in made["errors"]["data"]] == ["empty_file"]


def test_a_dry_run_of_what_cannot_be_read_fails(world: World) -> None:
    assert world.run(world.drop(b"\x1f\x8b damaged", **{"dry-run": "true"})) == "refused"


def test_a_dry_run_is_left_and_gone_on_with_like_any_plan(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, parts = (world.drop(jsonl(LINES), f"inbox/default/{at}.jsonl", **{"dry-run": "true"}) for at in "ab")
    world.run(whole)
    monkeypatch.setattr(MemoryBucket.chunks, "__defaults__", (0, None, 300))
    assert plan(world.services, parts, seconds_left=lambda: TIME_TO_END - 1).next == "plan"
    assert plan(world.services, parts, resume=True).next == "assemble"
    world.run(parts)
    assert shown(world, parts)["preflight"] == shown(world, whole)["preflight"]


def test_a_batch_that_would_cost_more_is_refused_before_anything_is_sent(world: World) -> None:
    batch_id = create_batch(world.services, "default", wanted(world, LINES, max_cost_usd=0.0001))["id"]
    assert world.run(batch_id) == "refused"
    made = retrieve_batch(world.services, "default", batch_id)
    (error,) = made["errors"]["data"]
    assert (made["status"], error["code"], error["param"]) == ("failed", "max_cost_exceeded", "max_cost_usd")
    assert made["preflight"]["estimated_usd"] > 0.0001
    assert world.provider.calls == []


def test_a_batch_within_its_cost_runs_and_shows_its_estimate(world: World) -> None:
    batch_id = world.drop(jsonl(LINES), **{"max-cost-usd": "0.01"})
    assert world.run(batch_id) == "done"
    made = shown(world, batch_id)
    assert (made["status"], made["max_cost_usd"], made["request_counts"]["completed"]) == ("completed", 0.01, 10)
    assert 0 < made["preflight"]["estimated_usd"] < 0.01


def test_a_cost_that_cannot_be_known_is_refused_and_names_the_model(world: World) -> None:
    batch_id = world.drop(jsonl([*LINES, request("own", model="our-own")]), **{"max-cost-usd": "100"})
    assert world.run(batch_id) == "refused"
    (error,) = world.services.batch_store.batch(batch_id).errors
    assert (error.code, "our-own" in error.message) == ("unknown_price", True)


def test_a_dry_run_with_a_cost_tells_that_it_would_be_refused(world: World) -> None:
    batch_id = world.drop(jsonl(LINES), **{"max-cost-usd": "0.0001", "dry-run": "true"})
    assert world.run(batch_id) == "done"
    made = shown(world, batch_id)
    assert (made["status"], made["preflight"]["would_run"]) == ("completed", False)
    assert made["errors"]["data"][0]["code"] == "max_cost_exceeded"


def test_a_cost_named_by_the_call_that_takes_an_upload_over_is_kept(world: World) -> None:
    batch_id = world.drop(jsonl(LINES))
    uri = world.services.batch_store.batch(batch_id).input.uri
    call = {**wanted(world, LINES, max_cost_usd=0.0001), "input_file_id": uri}
    assert create_batch(world.services, "default", call)["id"] == batch_id
    assert world.run(batch_id) == "refused"
