"""Several providers: what a plan makes of them, and what is told of each."""

import json
from typing import Any

import pytest

from batchyard.api.batches import batch_shards, create_batch, retry_batch
from batchyard.api.models import list_models, retrieve_model
from batchyard.api.usage import usage
from batchyard.costs.cost import Cost
from batchyard.domain.attempt import Attempt
from batchyard.domain.errors import ApiError, SettingsError
from batchyard.domain.shard import Shard, with_members
from batchyard.planning.plan import plan
from batchyard.shards.turn import publish_growth
from tests.fakes.batches import BUCKET
from tests.fakes.lines import jsonl, request
from tests.fakes.world import World, memory_world

PROVIDERS: dict[str, dict[str, Any]] = {
    "openai": {"base_url": "https://api.openai.com/v1", "models": ["gpt-*"], "max_requests_per_shard": 3},
    "groq": {"base_url": "https://api.groq.com/openai/v1", "models": ["llama-*"], "completion_window": "7d"},
    "chat": {"base_url": "http://127.0.0.1:9/v1", "urls": ["/v1/chat/*"], "models": ["any-*", "mine"]},
}
MINI, LLAMA = "gpt-4.1-mini", "llama-3.3-70b-versatile"


def world_of(providers: dict[str, Any] | None = None, **settings: Any) -> World:
    return memory_world(providers=json.dumps(providers or PROVIDERS), **settings)


def mixed(*models: str, count: int = 12) -> bytes:
    return jsonl([request(f"r{at}", model=models[at % len(models)]) for at in range(count)])


def shards(world: World, batch_id: str) -> list[tuple[str, str, int]]:
    return [(shard.provider, shard.model, shard.lines) for shard in world.services.batch_store.shards(batch_id)]


def test_each_line_goes_to_the_provider_of_its_model_with_the_limits_of_that_one() -> None:
    world = world_of()
    batch_id = world.drop(mixed(MINI, LLAMA))
    assert world.run(batch_id) == "done"
    assert sorted(shards(world, batch_id)) == [("groq", LLAMA, 6), ("openai", MINI, 3), ("openai", MINI, 3)]
    assert [each["custom_id"] for each in world.answered(batch_id, "output.jsonl")] == [f"r{at}" for at in range(12)]
    batch = world.services.batch_store.batch(batch_id)
    assert batch.providers == ["groq", "openai"]
    told = {shard["model"]: shard["provider"] for shard in json.loads(world.result(batch_id, "report.json"))["shards"]}
    assert told == {MINI: "openai", LLAMA: "groq"}


def test_the_shards_of_a_provider_can_be_looked_at_alone_with_sums_for_each() -> None:
    world = world_of()
    batch_id = world.drop(mixed(MINI, LLAMA))
    world.run(batch_id)
    found = batch_shards(world.services, "default", batch_id, None, None, "openai")
    assert [row["provider"] for row in found["data"]] == ["openai"] * 2
    assert (found["shards"], found["begun"]) == (3, 3)  # of the batch
    assert [(each["provider"], each["lines"], each["completed"]) for each in found["providers"]] == [
        ("groq", 6, 6), ("openai", 6, 6),
    ]  # fmt: skip


def test_the_window_of_a_provider_goes_before_that_of_the_batch() -> None:
    world = world_of()
    world.run(world.drop(mixed(MINI, LLAMA)))
    windows = {batch.completion_window for batch in world.provider.batches.values()}
    assert windows == {"24h", "7d"}


def test_a_line_that_no_provider_takes_is_a_bad_line_that_says_what_there_is() -> None:
    world = world_of()
    batch_id = world.drop(mixed(MINI, "claude-haiku"))
    world.run(batch_id)
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.status, batch.errors[0].code, batch.errors[0].line) == ("failed", "no_provider", 2)
    assert (
        "the model 'claude-haiku' at /v1/chat/completions: openai takes gpt-*; groq takes llama-*"
        in batch.errors[0].message
    )
    short = "No provider takes the model 'claude-haiku' at /v1/chat/completions."
    assert {each.message for each in batch.errors[1:]} == {short}, "what there is, and the remedy, are said once"
    skipping = world.drop(mixed(MINI, "claude-haiku"), "inbox/default/b.jsonl", **{"on-invalid": "skip"})
    assert world.run(skipping) == "done"
    assert len(world.answered(skipping, "output.jsonl")) == len(world.answered(skipping, "errors.jsonl")) == 6


def test_a_provider_gets_no_line_of_a_url_that_is_not_its_own() -> None:
    world = world_of()
    elsewhere = jsonl([request(f"r{at}", model="any-7", url="/v1/responses") for at in range(3)])
    assert world.run(world.drop(elsewhere, "inbox/default/a.jsonl")) == "refused"
    batch_id = world.drop(mixed("any-7", count=3), "inbox/default/b.jsonl")
    assert world.run(batch_id) == "done"
    assert shards(world, batch_id) == [("chat", "any-7", 3)]


def test_a_line_whose_provider_lacks_the_window_of_the_batch_is_a_bad_line_that_says_which_there_are() -> None:
    groq = {"base_url": PROVIDERS["groq"]["base_url"], "models": ["llama-*"]}
    world = world_of({"openai": PROVIDERS["openai"], "groq": groq})
    given = {"completion-window": "48h", "on-invalid": "skip"}
    batch_id = world.drop(mixed(LLAMA, MINI), **given)
    assert world.run(batch_id) == "done"
    assert shards(world, batch_id) == [("groq", LLAMA, 6)]
    (told,) = {each["error"]["message"] for each in world.answered(batch_id, "errors.jsonl")}
    assert told == (
        "The provider 'openai', which takes this line, has the window '24h', and not '48h'. Upload a batch for such a "
        "window, or have the operator give the provider a completion_window in Providers."
    )
    assert {batch.completion_window for batch in world.provider.batches.values()} == {"48h"}


def test_a_batch_for_one_provider_must_have_a_window_of_that_one() -> None:
    world = world_of({"openai": PROVIDERS["openai"], "groq": {"base_url": PROVIDERS["groq"]["base_url"]}})
    batch = world.services.batch_store.batch(world.drop(mixed(MINI), provider="openai", **{"completion-window": "7d"}))
    assert (batch.status, batch.errors[0].message) == ("failed", "Invalid value: completion_window must be '24h'.")
    asked = {"input_file_id": f"s3://{BUCKET}/inbox/default/x.jsonl", "endpoint": "/v1/responses"}
    with pytest.raises(ApiError, match=r"completion_window must be '24h'\."):
        create_batch(world.services, "default", {**asked, "completion_window": "7d", "provider": "openai"})
    assert create_batch(world.services, "default", {**asked, "completion_window": "7d", "provider": "groq"})


def test_a_dry_run_tells_how_many_lines_each_provider_would_get() -> None:
    world = world_of()
    batch_id = world.drop(mixed(MINI, LLAMA, MINI, "claude-haiku"), **{"dry-run": "true", "on-invalid": "skip"})
    world.run(batch_id)
    found = json.loads(world.services.batch_store.batch(batch_id).preflight or "")
    assert found["lines_by_provider"] == {"openai": 6, "groq": 3}
    assert found["bad_lines_by_code"] == {"no_provider": 3}
    assert {each["model"]: each["provider"] for each in found["models"]} == {MINI: "openai", LLAMA: "groq"}
    assert world.provider.batches == {}


def test_a_batch_may_name_its_provider_and_a_retry_another() -> None:
    both = {name: {**PROVIDERS[name], "models": ["*"]} for name in ("openai", "groq")}
    world = world_of(both)
    batch_id = world.drop(mixed(MINI, LLAMA), provider="groq")
    assert world.run(batch_id) == "done"
    assert {provider for provider, _, _ in shards(world, batch_id)} == {"groq"}
    asked = {"lines": "all", "provider": "openai"}
    again = retry_batch(world.services, "default", batch_id, asked, None)
    assert again["provider"] == "openai"
    assert world.run(again["id"]) == "done"
    assert {provider for provider, _, _ in shards(world, again["id"])} == {"openai"}
    free = retry_batch(world.services, "default", again["id"], {"lines": "all", "provider": None}, None)
    assert "provider" not in free
    with pytest.raises(ApiError, match=r"There is no provider 'grok'. There are: openai, groq"):
        retry_batch(world.services, "default", batch_id, {"lines": "all", "provider": "grok"}, None)


def test_an_upload_for_a_provider_that_there_is_not_fails_at_once() -> None:
    world = world_of()
    batch_id = world.drop(mixed(MINI), provider="grok")
    batch = world.services.batch_store.batch(batch_id)
    assert (batch.status, batch.errors[0].param) == ("failed", "provider")


@pytest.mark.parametrize("models", [(MINI,), (MINI, LLAMA)], ids=["one", "two"])
def test_of_several_providers_all_shards_run_at_once(models: tuple[str, ...]) -> None:
    world = world_of(
        {name: {**each, "max_requests_per_shard": 1} for name, each in PROVIDERS.items()}, max_concurrent_shards=2
    )
    planned = plan(world.services, world.drop(mixed(*models, count=50)))
    several = len(models) > 1
    assert planned.max_concurrency == (50 if several else 2)
    assert planned.next == ("run_distributed" if several else "run")  # an inline Map runs forty at once


def test_settings_that_cannot_be_followed_keep_a_batch_from_being_made() -> None:
    world = memory_world(providers='{"a": {"base_url": "nowhere"}}')
    with pytest.raises(SettingsError, match="base_url must begin with"):
        world.drop(mixed(MINI))


def test_what_each_provider_was_paid_is_told_by_its_name() -> None:
    prices = {"gpt-4.1-mini": {"input": 1, "output": 1}}
    world = world_of({**PROVIDERS, "groq": {**PROVIDERS["groq"], "price_list": {LLAMA: {"input": 100, "output": 100}}}},
                     price_list=json.dumps(prices))  # fmt: skip
    batch_id = world.drop(mixed(MINI, LLAMA))
    world.run(batch_id)
    cost = json.loads(world.result(batch_id, "report.json"))["cost"]
    assert set(cost["by_provider"]) == {"openai", "groq"}
    assert cost["by_provider"]["groq"]["usd"] == pytest.approx(100 * cost["by_provider"]["openai"]["usd"], rel=1e-6)
    found = usage(world.services, "default", None, None, "provider")
    assert [(each["provider"], each["batches"]) for each in found["data"]] == [("groq", 1), ("openai", 1)]
    assert sum(each["cost"]["usd"] for each in found["data"]) == pytest.approx(cost["usd"], abs=2e-6)


def test_what_is_spent_is_published_by_the_names_of_the_providers_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    world = world_of()
    world.run(world.drop(mixed(MINI, LLAMA)))
    shard = Shard(batch_id="b", shard=0, endpoint="/v1/responses", model=MINI, lines=1, first=0, last=0, unfinished=1,
                  expires_at_ttl=9, provider="taken-out")  # fmt: skip
    paid = Attempt(number=1, started_at=1, lines=1, cost=Cost(input=7))
    publish_growth(world.services, shard, with_members(shard, attempts=[paid]))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"DollarsSpent":' in line]
    assert {each["provider"] for each in told} == {"openai", "groq", "other"}


def test_models_are_those_that_some_provider_gets() -> None:
    services = world_of().services
    listed = {each["id"]: each["owned_by"] for each in list_models(services, "default")["data"]}
    assert listed[MINI] == "openai"
    assert listed["mine"] == "chat"
    assert not any(name.startswith(("o3", "text-embedding")) for name in listed)
    assert retrieve_model(services, "default", MINI)["owned_by"] == "openai"
    with pytest.raises(ApiError):
        retrieve_model(services, "default", "o3")
