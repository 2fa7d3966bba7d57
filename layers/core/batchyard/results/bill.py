"""What a batch cost, as its report and the API show it."""

from collections import Counter
from typing import Any, Final

import msgspec

from batchyard.costs.bill import SHOWN_NAME, Bill, Share, bill_day
from batchyard.costs.cost import EXACT_DIGITS, Cost, Price
from batchyard.costs.price_list import price_list
from batchyard.costs.prices import BATCH, FLEX, FULL, Prices
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch
from batchyard.domain.numbers import DAY
from batchyard.domain.shard import Shard
from batchyard.services import Services

MOST_MODELS: Final = 25  # are shown; the sums are of all. A record holds 400 KB
KEPT: Final = 400 * DAY  # a bill is known for more than a year
SEVERAL: Final = "several: see by_model"


def shape(services: Services, batch: Batch, shards: list[Shard]) -> dict[str, Any]:
    """Shape the `cost` of a batch: US dollars by list prices, from the tokens that the provider reported.

    It is no invoice. What was sent again, lost, cancelled or expired counts as far as the provider reported its tokens.
    """
    of_model = _by_model(shards)
    shown = sorted(of_model, key=lambda model: (-of_model[model][1].amount, model))[:MOST_MODELS]
    basis = {model: _basis(services, shards, model) for model in shown}
    estimate = msgspec.json.decode(batch.preflight)["estimated_usd"] if batch.preflight else None
    return {
        **sum((cost for _, cost in of_model.values()), Cost()).shape(),
        # Exact, because the client divides it by the tokens.
        "by_model": {
            model[:SHOWN_NAME]: {
                **of_model[model][1].shape(EXACT_DIGITS),
                **_tokens(of_model[model][0]),
                "basis": basis[model],
            }
            for model in shown
        },
        "by_provider": {
            name: {**each.cost.shape(), **_tokens(each.usage)} for name, each in _by_provider(shards).items()
        },
        "basis": _one(list(basis.values())),
        "priced_at": price_list().at,
        "estimate_usd": estimate,
    }


def keep(services: Services, batch: Batch, shards: list[Shard], lines: int) -> None:
    """Record the bill of a batch that is about to end, for the sums of its tenant; once more changes nothing.

    Its day is that on which the batch began to end, which does not move: so a batch has one bill, whoever keeps it.
    """
    now, of_model = services.now(), _by_model(shards)
    day = bill_day(min(filter(None, (batch.finalizing_at, batch.cancelling_at, batch.draining_since)), default=now))
    used, paid = dict[str, Usage](), dict[str, Cost]()
    for model, (usage, cost) in of_model.items():
        name = model[:SHOWN_NAME]
        used[name], paid[name] = used.get(name, Usage()) + usage, paid.get(name, Cost()) + cost
    done = Counter[str]()
    for shard in shards:
        done[shard.model[:SHOWN_NAME]] += shard.completed + shard.failed
    bill = Bill(
        day=day, batch_id=batch.batch_id, lines=lines, usage=used, cost=paid, model_lines=dict(done),
        providers=_by_provider(shards), assumed=sum(each.assumed for shard in shards for each in shard.attempts),
    )  # fmt: skip
    services.quota_store.keep_bill(batch.tenant, bill, now + KEPT)


def _by_provider(shards: list[Shard]) -> dict[str, Share]:
    sums: dict[str, Share] = {}
    for shard in sorted(shards, key=lambda each: each.provider):
        known = sums.get(shard.provider, Share())
        lines = known.lines + shard.completed + shard.failed
        sums[shard.provider] = Share(lines, known.usage + shard.usage, known.cost + shard.cost)
    return sums


def _by_model(shards: list[Shard]) -> dict[str, tuple[Usage, Cost]]:
    sums: dict[str, tuple[Usage, Cost]] = {}
    for shard in shards:
        usage, cost = sums.get(shard.model, (Usage(), Cost()))
        sums[shard.model] = usage + shard.usage, cost + shard.cost
    return sums


def _basis(services: Services, shards: list[Shard], model: str) -> str | None:
    """Name where the prices of a model come from."""
    own = [shard for shard in shards if shard.model == model]
    ways = {(each.provider, each.endpoint, way) for each in own for attempt in each.attempts for way in _ways(attempt)}
    found = [_price(services.account(provider).prices, model, *way) for provider, *way in sorted(ways)]
    return _one([price.basis if price else None for price in found])


def _ways(attempt: Attempt) -> set[str]:
    """Say how the tokens of an attempt are priced: requests outside of a batch cost the full price, or that of flex."""
    if not attempt.cost:
        return set()
    if not attempt.direct:
        return {BATCH}
    return ({FLEX} if attempt.by_flex else set()) | ({FULL} if attempt.usage != attempt.flex_usage else set())


def _price(prices: Prices, model: str, endpoint: str, way: str) -> Price | None:
    by_flex = prices.by_flex(model, endpoint) if way == FLEX else None
    return by_flex or prices.of(model, endpoint, batch=way == BATCH)


def _one(values: list[str | None]) -> str | None:
    """Return what all values are."""
    different = set(values)
    return different.pop() if len(different) == 1 else SEVERAL if different else None


def _tokens(usage: Usage) -> dict[str, int]:
    shown = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    return {name: getattr(usage, name) for name in shown}
