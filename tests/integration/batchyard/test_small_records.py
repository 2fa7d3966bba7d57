"""API keys, Idempotency-Keys, webhooks that were taken and links of provider batches, as the table holds them."""

from typing import Any

import boto3

from batchyard.adapters.stores.idempotency_store import FirstUse
from batchyard.api import api_keys
from batchyard.api.api_keys import KeyCache
from tests.fakes.lines import jsonl, request
from tests.fakes.moto import TABLE
from tests.fakes.world import World


def record(pk: str, sk: str) -> dict[str, Any]:
    """Read what the table holds beside the key of a record."""
    item = boto3.resource("dynamodb").Table(TABLE).get_item(Key={"pk": pk, "sk": sk})["Item"]
    return {name: value for name, value in item.items() if name not in {"pk", "sk"}}


def test_a_key_is_recorded_found_listed_and_revoked(world: World) -> None:
    store = world.services.api_key_store
    keys = [api_keys.create(store, tenant) for tenant in ("other", "acme")]
    key_id, secret = keys[0].split("_")[1:]
    kept = record(f"KEY#{key_id}", "KEY")
    assert set(kept) == {"key_id", "tenant", "created_at", "salt", "hash", "name", "admin"}
    place = f"other#{kept['created_at']:010}#{key_id}"
    assert record("KEYS", place) == {"key_id": key_id}  # the list tells nothing of a secret
    assert record("KEYSOF#other", f"{kept['created_at']:010}#{key_id}") == {"key_id": key_id}
    assert secret not in str(kept)
    assert [KeyCache(store).tenant_of(f"Bearer {key}") for key in keys] == ["other", "acme"]
    api_keys.revoke(store, key_id)
    assert KeyCache(store).tenant_of(f"Bearer {keys[0]}") is None
    assert [line.split("  ")[2:][:1] for line in api_keys.listed(store)] == [["acme"], ["other"]]
    assert ["revoked" in line for line in api_keys.listed(store)] == [False, True]


def test_the_first_use_of_an_idempotency_key_stays_until_it_expires(world: World) -> None:
    first, other = FirstUse("batch_1", "digest"), FirstUse("batch_2", "another")
    assert world.services.idempotency_store.remember("token", first, 7) == first
    assert world.services.idempotency_store.remember("token", other, 8) == first
    assert record("IDEMPOTENCY#token", "KEY")["expires_at_ttl"] == 7


def test_a_webhook_that_was_taken_is_known_until_it_expires(world: World) -> None:
    receipts = world.services.webhook_receipts
    assert not receipts.has("wh_1")
    receipts.record("wh_1", 7)
    assert (receipts.has("wh_1"), receipts.has("wh_2")) == (True, False)
    assert record("WEBHOOK#wh_1", "WEBHOOK") == {"expires_at_ttl": 7}


def test_a_provider_batch_is_linked_with_its_shard_as_long_as_the_shard_is_kept(world: World) -> None:
    batch_id = world.drop(jsonl([request("a")]))
    world.run_until_submitted(batch_id)
    (provider_batch_id,), name = world.provider.batches, world.services.account().name
    assert world.services.batch_store.linked(name, provider_batch_id) == (batch_id, 0)
    assert world.services.batch_store.linked(name, "pb-of-others") is None
    assert world.services.batch_store.linked("another", provider_batch_id) is None
    kept = world.services.batch_store.batch(batch_id).expires_at_ttl
    assert record(f"PROVIDER#{provider_batch_id}", f"LINK#{name}")["expires_at_ttl"] == kept
