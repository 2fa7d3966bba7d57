"""The tail of a shard asks for flex processing where that costs no more than a batch, and goes without where it gets none."""

import json
from typing import Any

import msgspec
import pytest

from batch_client import (
    PATIENCE,
    BadRequestError,
    BatchClientError,
    PermissionDeniedError,
    QuotaError,
    RateLimitError,
    RequestOutcomeUnknown,
)
from batchyard.costs.cost import Cost, cost_of
from batchyard.costs.prices import flex_price, full_price
from batchyard.costs.usage import Usage
from batchyard.domain.policy import OUTCOME_UNKNOWN
from batchyard.domain.step import Next
from batchyard.shards.direct import (
    AT_ONCE,
    FLEX_LONGEST_SEND,
    FLEX_PATIENCE,
    FLEX_TURN,
    LONGEST_SEND,
)
from batchyard.shards.submit import submit
from tests.fakes.sellers import sellers_of
from tests.fakes.services import MemoryServices
from tests.unit.batchyard.shards.test_direct import STEP, at_the_deadline, died_while_sending, shard_of, written

FULL_ROOM = RateLimitError("Resource unavailable", status=429, code="resource_unavailable")
USED = Usage(5, 0, 2, 0, 7)


def answered(body: bytes) -> bytes:
    """Answer as OpenAI does: the tier that was used is told."""
    used = {"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}
    return json.dumps({"usage": used, "service_tier": json.loads(body).get("service_tier", "default")}).encode()


def about_to_send(
    lines: int = 3, url: str = "/v1/responses", model: str = "o4-mini", extra: dict[str, Any] | None = None,
    **settings: str | int,
) -> MemoryServices:  # fmt: skip
    services = at_the_deadline(lines, url, model, extra, **{"provider_profile": "openai", **settings})
    services.provider.says = answered
    return services


def tiers(services: MemoryServices) -> list[str | None]:
    return [json.loads(body).get("service_tier") for _, body in services.provider.sent]


def test_the_tail_goes_by_flex_and_costs_as_much_as_a_batch() -> None:
    services = about_to_send()
    assert submit(services, STEP).next == "done"
    assert tiers(services) == ["flex"] * 3
    assert services.provider.patiences == [FLEX_PATIENCE] * 3
    attempt, price = shard_of(services).attempts[-1], flex_price(sellers_of("openai"), "o4-mini")
    assert (attempt.direct, attempt.tier, attempt.by_flex, attempt.flex_usage) == (
        True,
        "flex",
        3,
        Usage(15, 0, 6, 0, 21),
    )
    assert attempt.cost == cost_of(Usage(15, 0, 6, 0, 21), price)
    assert price is not None
    assert written(services, "output")[0]["response"]["body"]["service_tier"] == "flex"


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("o4-mini", {"deadline_service_tier": "standard"}),
        ("o4-mini", {"provider_profile": "azure"}),
        ("o4-mini", {"provider_profile": "compatible"}),
        ("llama-3.3-70b-versatile", {"provider_profile": "groq"}),
        ("gpt-4.1-mini", {}),
        ("text-embedding-3-small", {}),
    ],
    ids=str,
)
def test_flex_is_asked_for_only_where_it_is_sold_at_the_price_of_a_batch(model: str, settings: dict[str, Any]) -> None:
    services = about_to_send(model=model, **settings)
    assert submit(services, STEP).next == "done"
    assert tiers(services) == [None] * 3
    assert services.provider.patiences == [PATIENCE] * 3
    assert shard_of(services).attempts[-1].tier is None


def test_embeddings_are_not_asked_for_by_flex() -> None:
    services = about_to_send(url="/v1/embeddings")
    assert submit(services, STEP).next == "done"
    assert tiers(services) == [None] * 3


def test_a_request_that_names_its_own_tier_keeps_it_and_is_billed_by_what_its_answer_says() -> None:
    services = about_to_send(extra={"service_tier": "priority"})
    assert submit(services, STEP).next == "done"
    assert tiers(services) == ["priority"] * 3
    assert services.provider.patiences == [PATIENCE] * 3
    attempt = shard_of(services).attempts[-1]
    assert (attempt.by_flex, attempt.flex_usage) == (0, None)
    assert attempt.cost == cost_of(Usage(15, 0, 6, 0, 21), full_price(sellers_of("openai"), "o4-mini"))


@pytest.mark.parametrize(
    "refusal",
    [
        FULL_ROOM,
        BadRequestError("Unsupported service_tier: flex", status=400),
        BadRequestError("no capacity", status=498, code="capacity_exceeded"),
        PermissionDeniedError("This project has no flex processing", status=403),
    ],
    ids=lambda error: str(error.status),
)
def test_a_request_that_gets_no_flex_processing_goes_without_and_costs_the_full_price(
    refusal: BatchClientError,
) -> None:
    services = about_to_send()
    services.provider.trouble["send"] = [refusal]
    assert submit(services, STEP).next == "done"
    assert sorted(map(str, tiers(services))) == ["None", "flex", "flex", "flex"]
    attempt = shard_of(services).attempts[-1]
    assert (attempt.succeeded, attempt.by_flex, attempt.flex_usage) == (3, 2, Usage(10, 0, 4, 0, 14))
    assert attempt.cost == cost_of(USED, full_price(sellers_of("openai"), "o4-mini")) + cost_of(
        Usage(10, 0, 4, 0, 14), flex_price(sellers_of("openai"), "o4-mini")
    )
    assert attempt.cost != Cost()


def test_a_request_that_is_refused_without_flex_too_has_that_refusal_as_its_answer() -> None:
    services = about_to_send(1)
    services.provider.trouble["send"] = [
        BadRequestError("too long", status=400, body=b'{"error": {"code": "flex"}}'),
        BadRequestError("too long", status=400, body=b'{"error": {"code": "too_long"}}'),
    ]
    assert submit(services, STEP).next == "done"
    assert shard_of(services).codes == {"too_long": 1}


def test_where_there_is_no_room_at_all_the_lines_go_by_batch() -> None:
    services = about_to_send(1)
    services.provider.trouble["send"] = [FULL_ROOM, RateLimitError("slow down", status=429)]
    assert submit(services, STEP).next == "submit"
    assert (shard_of(services).unfinished, shard_of(services).failed) == (1, 0)
    assert submit(services, STEP).next == "poll"


@pytest.mark.parametrize(
    ("error", "unknown"),
    [(RequestOutcomeUnknown("the answer was lost"), True), (QuotaError("pay", status=429), False)],
    ids=["lost", "no money"],
)
def test_a_request_that_may_have_run_or_finds_no_money_is_not_sent_without_flex(
    error: BatchClientError, unknown: bool
) -> None:
    services = about_to_send(1)
    services.provider.trouble["send"] = [error]
    assert submit(services, STEP).next == ("done" if unknown else "submit")
    assert tiers(services) == ["flex"]
    assert shard_of(services).codes == ({OUTCOME_UNKNOWN: 1} if unknown else {})


def test_an_answer_that_came_by_another_tier_costs_the_full_price() -> None:
    services = about_to_send()
    services.provider.says = lambda _: answered(b'{"service_tier": "default"}')
    assert submit(services, STEP).next == "done"
    attempt = shard_of(services).attempts[-1]
    assert (attempt.tier, attempt.by_flex) == ("flex", 0)
    assert attempt.cost == cost_of(Usage(15, 0, 6, 0, 21), full_price(sellers_of("openai"), "o4-mini"))


def test_after_a_long_wait_for_flex_no_line_goes_without_as_its_time_is_over() -> None:
    services = about_to_send(1)

    def slow() -> None:
        services.now_is += FLEX_LONGEST_SEND - LONGEST_SEND + 1

    services.provider.meanwhile["send"] = slow
    services.provider.trouble["send"] = [FULL_ROOM]
    assert submit(services, STEP).next == "submit"
    assert tiers(services) == ["flex"]
    assert submit(services, STEP).next == "poll"


def test_an_invocation_is_long_enough_for_the_longest_wait() -> None:
    invocation, client = 900, 30 + 5 + 30  # retries begin within 30 s, a connection takes 5 s, and the body 30 s
    assert invocation > FLEX_TURN + FLEX_LONGEST_SEND
    assert FLEX_PATIENCE + client < FLEX_LONGEST_SEND
    assert FLEX_LONGEST_SEND - LONGEST_SEND + PATIENCE + client < FLEX_LONGEST_SEND


def test_a_slow_handful_ends_the_invocation() -> None:
    services = about_to_send(AT_ONCE * 2)

    def slow() -> None:
        services.now_is += FLEX_TURN

    services.provider.meanwhile["send"] = slow
    assert submit(services, STEP) == STEP.then(Next.SUBMIT, 1)
    assert len(services.provider.sent) == AT_ONCE
    assert submit(services, STEP).next == "done"
    assert len(services.provider.sent) == AT_ONCE * 2


def test_lines_of_a_worker_that_died_are_waited_for_as_long_as_flex_takes() -> None:
    services = about_to_send(1)
    died_while_sending(services)
    services.settings = about_to_send(1, deadline_service_tier="standard").settings  # the record says how it was sent
    assert submit(services, STEP) == STEP.then(Next.SUBMIT, FLEX_LONGEST_SEND)
    services.wait(FLEX_LONGEST_SEND)
    assert submit(services, STEP).next == "done"
    assert tiers(services) == ["flex"]
    assert shard_of(services).codes == {OUTCOME_UNKNOWN: 1}


def test_answers_that_are_not_accepted_are_billed_by_flex_and_sent_again_by_batch() -> None:
    services = about_to_send(2)
    kept = services.batch_store.batches
    kept[STEP.batch_id] = msgspec.structs.replace(kept[STEP.batch_id], accept={"not_empty": True})
    assert submit(services, STEP).next == "submit"
    attempt = shard_of(services).attempts[-1]
    assert (attempt.succeeded, attempt.transient, attempt.by_flex) == (0, 2, 2)
    assert attempt.cost == cost_of(Usage(10, 0, 4, 0, 14), flex_price(sellers_of("openai"), "o4-mini"))
    assert submit(services, STEP).next == "poll"
