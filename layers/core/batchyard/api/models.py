"""OpenAI's operations on models: those of the price list, and those of the tenant's batches."""

from collections.abc import Iterator
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final

from batchyard.costs import price_list as listing
from batchyard.domain.errors import ApiError
from batchyard.gateway.paging import LIMITS
from batchyard.providers.account import Account
from batchyard.providers.routing import takes_model
from batchyard.services import Services

SHOWN: Final = 200  # characters of a name


def list_models(services: Services, tenant: str) -> dict[str, Any]:
    """List the models of the tenant's newest batches, then those that the price list or the settings name for the providers."""
    known = dict(_used(services, tenant))
    listed = {
        name: _listed(name, seller)
        for account in services.accounts.values()
        for name, seller in _named(account)
        if name not in known
    }
    return {"object": "list", "data": [*known.values(), *listed.values()]}


def retrieve_model(services: Services, tenant: str, model: str) -> dict[str, Any]:
    """Show a model; raises ApiError 404 if neither the tenant's newest batches nor the price list know the model."""
    for account in services.accounts.values():
        if takes_model(account.entry, model) and (seller := listing.seller_of(account.sellers, model)):
            return _listed(model, seller)
    used = dict(_used(services, tenant))
    if model not in used:
        message = f"The model '{model[:SHOWN]}' does not exist or you do not have access to it."
        raise ApiError(HTTPStatus.NOT_FOUND, message, code="model_not_found", param="model")
    return used[model]


def _named(account: Account) -> Iterator[tuple[str, str]]:
    """Yield the models that a provider gets and that its price list or its entry spells out, and who sells each."""
    yield from ((name, seller) for name, seller in listing.names(account.sellers) if takes_model(account.entry, name))
    for name in account.entry.models:
        if "*" not in name and "?" not in name:
            yield name, listing.seller_of(account.sellers, name) or account.name


def _used(services: Services, tenant: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the models of the tenant's newest batches; the oldest of these batches says since when a model is known."""
    newest, _ = services.batch_store.list_batches(tenant, None, LIMITS[1])
    for batch in newest:
        if batch.model:
            yield batch.model, _shape(batch.model, batch.created_at, tenant)


def _listed(name: str, seller: str) -> dict[str, Any]:
    day = datetime.fromisoformat(listing.price_list().at).replace(tzinfo=UTC)
    return _shape(name, int(day.timestamp()), seller)


def _shape(name: str, created: int, owner: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": created, "owned_by": owner}
