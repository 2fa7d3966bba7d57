"""Who in the price list asks the prices of a service that is known by its name."""

from batch_client import PROFILES
from batchyard.costs.price_list import Sellers


def sellers_of(profile: str) -> Sellers:
    facts = PROFILES[profile].facts
    return Sellers(facts.sellers, facts.sellers_alike, facts.flex_sellers, str(facts.price))
