"""What a batch would cost and how it would run: an estimate that is made before anything is sent."""

from decimal import Decimal
from typing import Final

import msgspec

from batchyard.costs import price_list as listing
from batchyard.costs.bill import SHOWN_NAME
from batchyard.costs.cost import PER_DOLLAR
from batchyard.costs.usage import Usage
from batchyard.domain.batch import SKIP, Batch, BatchError
from batchyard.domain.numbers import amount
from batchyard.domain.step import TimeBudget
from batchyard.domain.token_limits import estimated
from batchyard.lines.line import DUPLICATE
from batchyard.lines.shard_lines import ShardLines
from batchyard.lines.unfinished import Unfinished
from batchyard.planning.output_limits import ASSUMED_OUTPUT, OutputLimits
from batchyard.planning.progress import PlanProgress, TargetSize
from batchyard.planning.whole_input import EMPTY
from batchyard.providers.account import Account
from batchyard.providers.limits import is_too_few
from batchyard.services import Services

# The sums are of all models, but only so many are shown, with so many characters of their names. A record holds 400 KB and an
# event 256 KB, in which a character takes up to 12 bytes.
MOST_MODELS: Final = 25
NOTE: Final = (
    "An estimate, not a bill: one token for four bytes of a request, and for each answer all the tokens its request allows, "
    f"or {ASSUMED_OUTPUT:,} where it sets no limit. Prices in US dollars."
)


class ModelEstimate(msgspec.Struct, frozen=True, kw_only=True):
    """The estimate for one target."""

    #: The first characters of its name.
    model: str
    endpoint: str
    #: The name of the provider that its lines go to.
    provider: str
    lines: int
    shards: int
    #: Lines that go one by one, at the full price, as the provider takes no batch of so few.
    lines_one_by_one: int
    bytes: int
    estimated_input_tokens: int
    estimated_output_tokens: int
    lines_without_output_limit: int
    #: None without a price.
    estimated_usd: float | None
    #: Where the price comes from: `listed batch price`, `listed full price` or `your price list`; None without a price.
    price_basis: str | None
    #: How often the token limit of the model would be filled; None without a limit.
    waves: int | None


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """The whole estimate, as the batch and its report show it."""

    #: Requests of the input, good and bad.
    lines: int
    bad_lines: int
    bad_lines_by_code: dict[str, int]
    #: Whether the batch would run as it is.
    would_run: bool
    #: Of those that would be sent, by the name of the provider.
    lines_by_provider: dict[str, int]
    shards: int
    #: Lines that go one by one, at the full price, as their provider takes no batch of so few.
    lines_one_by_one: int
    bytes: int
    estimated_input_tokens: int
    estimated_output_tokens: int
    #: None when a model has no price.
    estimated_usd: float | None
    models_total: int
    #: The first ones: those without a price, then those with the most input.
    models: list[ModelEstimate]
    #: How the estimate is made.
    note: str
    #: Where the prices come from, and of which day they are.
    prices: str


def sum_up_targets(services: Services, batch: Batch, progress: PlanProgress, budget: TimeBudget) -> None:
    """Sum up the lines of the shards by target, without skipped lines; raises OutOfTime between two shards."""
    sizes = {(each.endpoint, each.model, each.provider): each for each in progress.target_sizes}
    for number in range(progress.sized_shards, progress.shards):
        budget.check()
        shard = ShardLines.read(services.bucket, batch.batch_id, number)
        ordinals = Unfinished.read(services.bucket, shard.left_key(batch.batch_id), len(shard)).ordinals
        target = shard.endpoint, shard.model, shard.provider
        size = sizes.setdefault(target, TargetSize(*target))
        size.lines += len(ordinals)
        size.shards += bool(ordinals)
        few = is_too_few(services.account(shard.provider).facts, shard.endpoint, len(ordinals))
        size.one_by_one += len(ordinals) if few else 0
        size.bytes += sum(shard.sizes[ordinal] for ordinal in ordinals)
        progress.target_sizes, progress.sized_shards = list(sizes.values()), number + 1


def preflight(services: Services, progress: PlanProgress) -> Preflight:
    """Estimate a batch whose lines are all read and whose shards are summed up."""
    limits = {(each.endpoint, each.model): each for each in progress.output_limits}
    models = [
        _estimate(services, size, limits[size.endpoint, size.model]) for size in progress.target_sizes if size.lines
    ]
    # Models without a price come first: they make the sum unknown, and not all models may be shown.
    models.sort(key=lambda each: (each.estimated_usd is not None, -each.estimated_input_tokens, each.model))
    known = [each.estimated_usd for each in models if each.estimated_usd is not None]
    return Preflight(
        lines=all_lines(progress),
        bad_lines=sum(_bad_lines(progress).values()),
        bad_lines_by_code=_bad_lines(progress),
        would_run=not progress.errors_total,
        lines_by_provider=_by_provider(models),
        shards=sum(each.shards for each in models),
        lines_one_by_one=sum(each.lines_one_by_one for each in models),
        bytes=sum(each.bytes for each in models),
        estimated_input_tokens=sum(each.estimated_input_tokens for each in models),
        estimated_output_tokens=sum(each.estimated_output_tokens for each in models),
        estimated_usd=round(sum(known), 6) if len(known) == len(models) else None,
        models_total=len(models),
        models=[_with_waves(services, model) for model in models[:MOST_MODELS]],
        note=NOTE,
        prices=f"{listing.price_list().source}, {listing.price_list().at}",
    )


def _by_provider(models: list[ModelEstimate]) -> dict[str, int]:
    names = sorted({each.provider for each in models})
    return {name: sum(each.lines for each in models if each.provider == name) for name in names}


def all_lines(progress: PlanProgress) -> int:
    """Count the requests of an input, good and bad; where bad lines are refused, `lines` has no other than duplicates."""
    if progress.on_invalid == SKIP or progress.retry.output is not None:
        return progress.lines
    return progress.lines + sum(count for code, count in _bad_lines(progress).items() if code != DUPLICATE)


def _bad_lines(progress: PlanProgress) -> dict[str, int]:
    return {code: count for code, count in sorted(progress.codes.items()) if code != EMPTY}


def unpriced(found: Preflight, limit: str, param: str | None = None) -> BatchError | None:
    """Say that a model has no price, so that a `limit` cannot be kept; None if all models have one."""
    if found.estimated_usd is not None:
        return None
    model = next((each.model for each in found.models if each.estimated_usd is None), None)
    message = f"There is no price for the model {model!r}, so {limit} cannot be kept. Leave one of them out."
    return BatchError("unknown_price", message, param)


def too_dear(found: Preflight, most: str) -> BatchError | None:
    """Say why an estimate is refused: no price, or more than `most` US dollars; None if it is not."""
    if found.estimated_usd is None:
        return unpriced(found, "max_cost_usd", "max_cost_usd")
    asked = amount(most)
    if asked is not None and Decimal(str(found.estimated_usd)) <= asked:
        return None
    message = (
        f"The batch is estimated at ${found.estimated_usd:,.6f}, above max_cost_usd of ${most}. Raise it, or send less."
    )
    return BatchError("max_cost_exceeded", message, "max_cost_usd")


def _with_waves(services: Services, model: ModelEstimate) -> ModelEstimate:
    """Add how often the token limit of the model would be filled, if the limit is set or was learned."""
    account = services.account(model.provider)
    of_model = account.facts.room == "tokens" and not account.facts.shares_room
    limit = account.token_ledgers.limit(model.model) if of_model else None
    waves = -(-model.estimated_input_tokens // limit) if limit else None
    return msgspec.structs.replace(model, waves=waves)


def _estimate(services: Services, size: TargetSize, limits: OutputLimits) -> ModelEstimate:
    allowed = limits.tokens + limits.unlimited * ASSUMED_OUTPUT
    inputs = estimated(size.bytes)
    answers = allowed * size.lines // limits.lines  # the limits are those of skipped duplicates, too
    account = services.account(size.provider)
    price, used = account.prices.of(size.model, size.endpoint), Usage(inputs, 0, answers)
    usd = _share(account, size, used, size.lines - size.one_by_one) if price else None
    if usd is not None and size.one_by_one:
        single = _share(account, size, used, size.one_by_one, batch=False)
        usd = None if single is None else usd + single
    return ModelEstimate(
        model=size.model[:SHOWN_NAME],
        endpoint=size.endpoint,
        provider=account.name,
        lines=size.lines,
        shards=size.shards,
        lines_one_by_one=size.one_by_one,
        bytes=size.bytes,
        estimated_input_tokens=inputs,
        estimated_output_tokens=answers,
        lines_without_output_limit=min(limits.unlimited, size.lines),
        estimated_usd=None if usd is None else round(float(usd), 6),
        price_basis=price.basis if price else None,
        waves=None,
    )


def _share(account: Account, size: TargetSize, used: Usage, lines: int, *, batch: bool = True) -> Decimal | None:
    """Return the dollars of some lines of a target that uses so many tokens; None without a price."""
    cost = account.prices.cost(used, size.model, size.endpoint, batch=batch)
    return None if cost.unpriced else Decimal(cost.amount) * lines / size.lines / PER_DOLLAR
