"""What a batch cost stands in its record and its report, and is summed up for its tenant."""

import json
from typing import Any

import msgspec
import pytest

from batchyard.api.usage import usage
from batchyard.costs.cost import Cost, cost_of, dollars
from batchyard.costs.prices import BATCH, FLEX, FULL, OWN, Prices
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import shape
from batchyard.domain.errors import ApiError
from batchyard.domain.shard import Shard
from batchyard.results.assemble import assemble
from batchyard.results.bill import SEVERAL
from batchyard.results.bill import shape as bill
from tests.fakes.batches import batch
from tests.fakes.lines import jsonl, request
from tests.fakes.sellers import sellers_of
from tests.fakes.world import World, memory_world

MINI, NANO, EMBEDDING = "gpt-4.1-mini", "gpt-4.1-nano", "text-embedding-3-small"
CHAT = "/v1/chat/completions"
EACH = Usage(3, 0, 2, 0, 5)  # what the provider of the tests reports for a line
DAY = "2026-09-21"  # of the clock of the tests


def lines(count: int, model: str) -> list[dict[str, Any]]:
    return [request(f"{model}-{at}", model=model) for at in range(count)]


def ran(world: World, *models: tuple[str, int]) -> str:
    data = jsonl([line for model, count in models for line in lines(count, model)])
    batch_id = world.drop(data, f"inbox/default/{len(data)}.jsonl")
    assert world.run(batch_id) == "done"
    return batch_id


def paid(count: int, model: str) -> float:
    used = Usage(*(count * member for member in msgspec.structs.astuple(EACH)))
    return dollars(cost_of(used, Prices(sellers_of("openai")).of(model, CHAT)).amount)


@pytest.fixture
def world() -> World:
    return memory_world(provider_base_url="https://api.openai.com/v1")


def test_a_batch_says_what_it_cost_in_its_record_and_its_report(world: World) -> None:
    batch_id = ran(world, (MINI, 1_000), (NANO, 500))
    cost = shape(world.services.batch_store.batch(batch_id))["cost"]
    assert cost["usd"] == pytest.approx(paid(1_000, MINI) + paid(500, NANO))
    assert cost["usd"] == pytest.approx(cost["input_usd"] + cost["cached_usd"] + cost["output_usd"])
    assert {model: each["usd"] for model, each in cost["by_model"].items()} == {
        MINI: paid(1_000, MINI), NANO: paid(500, NANO),
    }  # fmt: skip
    assert (cost["by_model"][MINI]["input_tokens"], cost["by_model"][MINI]["output_tokens"]) == (3_000, 2_000)
    assert cost["basis"] == BATCH
    report = json.loads(world.result(batch_id, "report.json"))
    assert report["cost"] == cost
    assert sum(shard["attempts"][0]["cost"]["usd"] for shard in report["shards"]) == pytest.approx(cost["usd"])


@pytest.mark.parametrize(
    ("tiers", "basis"),
    [((), BATCH), (("flex",), SEVERAL), (("default",), SEVERAL), (("flex", "default"), SEVERAL)], ids=str,
)  # fmt: skip
def test_the_basis_says_by_which_prices_the_last_lines_were_paid(tiers: tuple[str, ...], basis: str) -> None:
    assert basis_of([Attempt(number=1, started_at=0, lines=1, usage=EACH, cost=Cost(1)), *map(direct, tiers)]) == basis


@pytest.mark.parametrize(("tier", "basis"), [("flex", FLEX), ("default", FULL)])
def test_a_batch_whose_only_answers_came_by_one_tier_is_paid_by_its_price(tier: str, basis: str) -> None:
    assert basis_of([Attempt(number=1, started_at=0, lines=1), direct(tier)]) == basis


def direct(tier: str) -> Attempt:
    """Make an attempt that sent one line on its own, which was answered by this tier."""
    made = Attempt(number=2, started_at=0, lines=1, direct=True, tier="flex", usage=EACH, cost=Cost(1))
    return msgspec.structs.replace(made, by_flex=1, flex_usage=EACH) if tier == "flex" else made


def published(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines() if "CloudWatchMetrics" in line]


def basis_of(attempts: list[Attempt]) -> str:
    world = memory_world(provider_profile="openai")
    made = Shard(
        batch_id="batch_1", shard=0, expires_at_ttl=0, endpoint=CHAT, model="o4-mini", lines=1, first=0, last=0, unfinished=0,
        attempts=attempts,
    )  # fmt: skip
    told: str = bill(world.services, batch(), [made])["basis"]
    return told


def test_what_a_batch_cost_is_a_metric_by_model_once_though_its_last_step_is_repeated(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "stack-1")
    batch_id = ran(world, (MINI, 1_000), (NANO, 500))
    assert assemble(world.services, batch_id) == "done"
    told = published(capsys.readouterr().out)
    assert sum(each[0] for line in told if (each := line.get("InputTokens"))) == 4_500
    assert sum(each[0] for line in told if (each := line.get("OutputTokens"))) == 3_000
    spent = {line["model"]: line["DollarsSpent"] for line in told if "DollarsSpent" in line}
    assert spent == {MINI: [pytest.approx(paid(1_000, MINI))], NANO: [pytest.approx(paid(500, NANO))]}
    assert {line["service"] for line in told} == {"stack-1"}


def test_names_of_models_that_no_list_has_are_one_name_in_metrics() -> None:
    prices = memory_world(price_list='{"my-own": {"input": 1}}', provider_profile="openai").services.account().prices
    assert prices.listed_name("gpt-4.1-mini-2025-04-14") == prices.listed_name("gpt-4.1-mini") == MINI
    assert prices.listed_name("my-own") == "my-own"
    assert prices.listed_name("ft:nobody-knows-me") == prices.listed_name("") == "other"


def test_a_model_without_a_price_makes_the_sum_unknown_and_is_counted(world: World) -> None:
    cost = shape(world.services.batch_store.batch(ran(world, (MINI, 3), ("my-own", 2))))["cost"]
    assert (cost["usd"], cost["unpriced_tokens"], cost["basis"]) == (None, 2 * (3 + 2), SEVERAL)


def test_the_user_s_own_prices_hold_in_the_estimate_and_in_the_bill() -> None:
    own = '{"my-own": {"input": 1000, "output": 10000}}'
    world = memory_world(price_list=own)
    batch_id = world.drop(jsonl(lines(2, "my-own")), **{"max-cost-usd": "100"})
    world.run(batch_id)
    made = shape(world.services.batch_store.batch(batch_id))
    assert (made["cost"]["usd"], made["cost"]["basis"]) == (2 * (0.003 + 0.02), OWN)
    assert made["cost"]["estimate_usd"] == made["preflight"]["estimated_usd"] > 0
    assert made["preflight"]["models"][0]["price_basis"] == OWN


def test_where_no_batch_price_is_listed_the_full_price_is_the_estimate(world: World) -> None:
    batch_id = world.drop(jsonl(lines(2, "gpt-4-turbo")), **{"dry-run": "true"})
    world.run(batch_id)
    assert shape(world.services.batch_store.batch(batch_id))["preflight"]["models"][0]["price_basis"] in {BATCH, FULL}


def test_a_refused_batch_cost_nothing(world: World) -> None:
    batch_id = world.drop(b"no json\n")
    world.run(batch_id)
    assert json.loads(world.result(batch_id, "report.json"))["cost"]["usd"] == 0.0


def test_a_tenant_s_batches_are_summed_up(world: World) -> None:
    one, other = ran(world, (MINI, 10), (NANO, 4)), ran(world, (MINI, 6))
    whole = usage(world.services, "default", None, None, None)
    assert (whole["object"], whole["group_by"], whole["to"]) == ("usage", "day", DAY)
    assert whole["from"] == f"{DAY[:8]}01"
    (day,) = whole["data"]
    assert (day["day"], day["batches"], day["lines"]) == (DAY, 2, 20)
    assert day["usage"]["input_tokens"] == 60
    assert whole["total"] == {name: member for name, member in day.items() if name != "day"}
    by_model = {each["model"]: each for each in usage(world.services, "default", DAY, DAY, "model")["data"]}
    assert (by_model[MINI]["cost"]["usd"], by_model[NANO]["cost"]["usd"]) == (paid(16, MINI), paid(4, NANO))
    assert {model: (each["batches"], each["lines"]) for model, each in by_model.items()} == {
        MINI: (2, 16),
        NANO: (1, 4),
    }
    by_batch = {each["batch"]: each["lines"] for each in usage(world.services, "default", DAY, DAY, "batch")["data"]}
    assert by_batch == {one: 14, other: 6}
    assert usage(world.services, "somebody", DAY, DAY, "day")["data"] == []
    assert usage(world.services, "default", "2026-01-01", "2026-01-31", "day")["data"] == []


def test_a_batch_that_runs_counts_today_and_once(world: World) -> None:
    batch_id = ran(world, (MINI, 10))
    ended = world.services.batch_store.batch(batch_id)
    runs = msgspec.structs.replace(ended, batch_id="batch_" + "0" * 32, status="in_progress", priced=None)
    assert world.services.batch_store.create_batch(runs)
    assert usage(world.services, "default", DAY, DAY, "batch")["total"]["batches"] == 2
    assert usage(world.services, "default", "2026-01-01", "2026-01-31", "batch")["total"]["batches"] == 0


@pytest.mark.parametrize(
    ("first", "last", "by", "param"),
    [
        ("yesterday", None, None, "from"), (None, "2026-13-01", None, "to"), ("2026-02-02", "2026-02-01", None, "from"),
        ("2020-01-01", "2026-01-01", None, "from"), (None, None, "tenant", "group_by"), ("20260101", None, None, "from"),
    ],
)  # fmt: skip
def test_a_question_that_makes_no_sense_is_refused(
    world: World, first: str | None, last: str | None, by: str | None, param: str
) -> None:
    with pytest.raises(ApiError) as refused:
        usage(world.services, "default", first, last, by)
    assert refused.value.param == param
