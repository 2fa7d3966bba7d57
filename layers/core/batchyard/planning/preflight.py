"""What a batch would cost and how it would run, found out before anything is sent."""

from decimal import Decimal
from typing import Final

import msgspec

from batch_client.profiles import choose_profile
from batchyard.domain.batch import SKIP, Batch, BatchError
from batchyard.domain.time_budget import InTime
from batchyard.domain.token_limits import estimated
from batchyard.lines.line import DUPLICATE
from batchyard.lines.unfinished import Unfinished
from batchyard.planning import prices
from batchyard.planning.output_limits import ASSUMED_OUTPUT, Load, Outputs
from batchyard.planning.progress import PlanProgress
from batchyard.planning.whole_input import EMPTY, read_lines
from batchyard.services import Services

# Shown, while all are in the sums: the record of the batch holds 400 KB and an event 256 KB, in which a character has up to 12.
MOST_MODELS, SHOWN_NAME = 25, 100
MILLION: Final = 1_000_000
PRICED: Final = frozenset({"/v1/responses", "/v1/chat/completions", "/v1/completions", "/v1/embeddings"})
NOTE: Final = (
    "An estimate, not a bill: one token for four bytes of a request, and for each answer all the tokens its request allows, "
    f"or {ASSUMED_OUTPUT:,} where it sets no limit. Prices in US dollars, with the batch discount."
)


class ModelEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate for one endpoint and model. What is not known is null: dollars without a price, waves without a limit.

    `batch_price` is `listed`, or `assumed` where half the usual price is taken; `waves` is how often the provider's limit
    of enqueued tokens would have to be filled.
    """

    model: str
    endpoint: str
    lines: int
    shards: int
    bytes: int
    estimated_input_tokens: int
    estimated_output_tokens: int
    lines_without_output_limit: int
    estimated_usd: float | None
    batch_price: str | None
    waves: int | None


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """The whole estimate, as the batch and its report show it."""

    lines: int
    bad_lines: int
    bad_lines_by_code: dict[str, int]
    would_run: bool
    shards: int
    bytes: int
    estimated_input_tokens: int
    estimated_output_tokens: int
    estimated_usd: float | None
    models_total: int
    models: list[ModelEstimate]
    note: str
    prices: str


def weigh(services: Services, batch: Batch, progress: PlanProgress, in_time: InTime) -> None:
    """Sum up the lists of the shards, without the lines that were set aside; `in_time` may raise between any two."""
    loads = {(each.endpoint, each.model): each for each in progress.loads}
    for number in range(progress.weighed, progress.shards):
        in_time()
        shard = read_lines(services, batch.batch_id, number)
        ordinals = Unfinished.read(services.bucket, shard.left_key(batch.batch_id), len(shard)).ordinals
        load = loads.setdefault((shard.endpoint, shard.model), Load(shard.endpoint, shard.model))
        load.lines += len(ordinals)
        load.shards += bool(ordinals)
        load.bytes += sum(shard.sizes[ordinal] for ordinal in ordinals)
        progress.loads, progress.weighed = list(loads.values()), number + 1


def preflight(services: Services, progress: PlanProgress) -> Preflight:
    """Estimate a batch whose lines are all read and whose shards are weighed."""
    profile = choose_profile(services.settings.provider_profile or None, services.settings.provider_base_url).name
    outputs = {(each.endpoint, each.model): each for each in progress.outputs}
    models = [_estimate(profile, load, outputs[load.endpoint, load.model]) for load in progress.loads if load.lines]
    # those without a price first: they make the sum unknown, and not all may be shown
    models.sort(key=lambda each: (each.estimated_usd is not None, -each.estimated_input_tokens, each.model))
    known = [each.estimated_usd for each in models if each.estimated_usd is not None]
    return Preflight(
        lines=all_lines(progress),
        bad_lines=sum(_bad_lines(progress).values()),
        bad_lines_by_code=_bad_lines(progress),
        would_run=not progress.errors_total,
        shards=sum(each.shards for each in models),
        bytes=sum(each.bytes for each in models),
        estimated_input_tokens=sum(each.estimated_input_tokens for each in models),
        estimated_output_tokens=sum(each.estimated_output_tokens for each in models),
        estimated_usd=round(sum(known), 6) if len(known) == len(models) else None,
        models_total=len(models),
        models=[_in_waves(services, model) for model in models[:MOST_MODELS]],
        note=NOTE,
        prices=f"{prices.price_list().source}, {prices.price_list().at}",
    )


def all_lines(progress: PlanProgress) -> int:
    """Count the lines of an input, good or bad; where bad ones are not set aside, only duplicates are counted already."""
    if progress.on_invalid == SKIP:
        return progress.lines
    return progress.lines + sum(count for code, count in _bad_lines(progress).items() if code != DUPLICATE)


def _bad_lines(progress: PlanProgress) -> dict[str, int]:
    return {code: count for code, count in sorted(progress.codes.items()) if code != EMPTY}


def too_dear(found: Preflight, most: str) -> BatchError | None:
    """Say why an estimate does not keep within `most` US dollars, if it does not."""
    unknown = next((each.model for each in found.models if each.estimated_usd is None), None)
    if found.estimated_usd is None:
        message = f"There is no price for the model {unknown!r}, so max_cost_usd cannot be kept. Leave one of them out."
        return BatchError("unknown_price", message, "max_cost_usd")
    if Decimal(str(found.estimated_usd)) <= Decimal(most):
        return None
    message = (
        f"The batch is estimated at ${found.estimated_usd:,.6f}, above max_cost_usd of ${most}. Raise it, or send less."
    )
    return BatchError("max_cost_exceeded", message, "max_cost_usd")


def _in_waves(services: Services, model: ModelEstimate) -> ModelEstimate:
    """Tell how often the provider's room for a model would have to be filled, if its limit is set or was learned."""
    room = services.token_ledger_store.limit(model.model)
    waves = -(-model.estimated_input_tokens // room) if room else None
    return msgspec.structs.replace(model, waves=waves)


def _estimate(profile: str, load: Load, outputs: Outputs) -> ModelEstimate:
    allowed = outputs.tokens + outputs.unlimited * ASSUMED_OUTPUT
    inputs, answers = estimated(load.bytes), allowed * load.lines // outputs.lines  # duplicates were metered, too
    price = prices.batch_price(profile, load.model) if load.endpoint in PRICED else None
    usd = (price.input * inputs + price.output * answers) / MILLION if price else None
    return ModelEstimate(
        model=load.model[:SHOWN_NAME],
        endpoint=load.endpoint,
        lines=load.lines,
        shards=load.shards,
        bytes=load.bytes,
        estimated_input_tokens=inputs,
        estimated_output_tokens=answers,
        lines_without_output_limit=min(outputs.unlimited, load.lines),
        estimated_usd=None if usd is None else round(float(usd), 6),
        batch_price=None if price is None else "listed" if price.listed else "assumed",
        waves=None,
    )
