"""The keys of a tenant on the real table, by what the front door may do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchyard.api import own_keys
from batchyard.api.api_keys import KeyCache, create

if TYPE_CHECKING:
    from batchyard.domain.api_key import ApiKey
    from batchyard.services import Services
    from tests.fakes.world import World


def of_operator(services: Services, tenant: str, *, admin: bool = False) -> ApiKey:
    return services.api_key_store.key(create(services.api_key_store, tenant, admin=admin).split("_")[1])


def test_a_key_is_made_listed_and_revoked_in_the_table(world: World) -> None:
    services = world.services
    admin, stranger = (of_operator(services, tenant, admin=True) for tenant in ("acme", "other"))
    made = own_keys.create_api_key(services, admin, {"name": "nightly"})
    seen = own_keys.list_api_keys(services, admin, None, None)["data"]
    assert {each["id"] for each in seen} == {admin.key_id, made["id"]}
    assert [each["id"] for each in own_keys.list_api_keys(services, stranger, None, None)["data"]] == [stranger.key_id]
    assert KeyCache(services.api_key_store).tenant_of(f"Bearer {made['key']}") == "acme"
    revoked = own_keys.revoke_api_key(services, admin, made["id"], {})
    assert revoked["revoked_at"] == services.now()
    assert KeyCache(services.api_key_store).tenant_of(f"Bearer {made['key']}") is None
    assert services.api_key_store.key(made["id"]).expires_at_ttl
    assert {each.key_id for each in services.api_key_store.all()} == {admin.key_id, stranger.key_id, made["id"]}
