"""Keys of the front door: only a hash is kept, and only the right header opens."""

import ast
import inspect
import re

import pytest

from batchyard import api_keys
from batchyard.api_keys import tenant_of
from tests.unit.batchyard.memory import MemoryRecords


@pytest.fixture
def door() -> tuple[MemoryRecords, str]:
    """Records with one key, and the key."""
    records = MemoryRecords()
    return records, api_keys.create(records, "acme")


def test_a_key_opens_for_its_tenant(door: tuple[MemoryRecords, str]) -> None:
    records, key = door
    assert re.fullmatch(r"by_[0-9a-f]{16}_[0-9a-f]{48}", key)
    assert tenant_of(records, f"Bearer {key}") == "acme"
    assert tenant_of(records, f"bearer  {key} ") == "acme"


def test_only_a_salted_hash_is_stored(door: tuple[MemoryRecords, str]) -> None:
    records, key = door
    (item,) = records.others.values()
    assert set(item) == {"pk", "sk", "tenant", "salt", "hash"}
    assert key.split("_")[2] not in str(item)
    assert re.fullmatch(r"[0-9a-f]{64}", item["hash"])


def test_two_keys_share_nothing(door: tuple[MemoryRecords, str]) -> None:
    records, first = door
    second = api_keys.create(records, "acme")
    assert not set(first.split("_")[1:]) & set(second.split("_")[1:])
    ours, others = records.others.values()
    assert ours["salt"] != others["salt"]


def test_every_part_of_a_key_must_be_right(door: tuple[MemoryRecords, str]) -> None:
    records, key = door
    other = api_keys.create(records, "other")
    prefix, key_id, secret = key.split("_")
    wrong = [
        f"{prefix}_{key_id}_{other.split('_')[2]}", f"{prefix}_{'0' * 16}_{secret}", f"sk_{key_id}_{secret}",
        key[:-1], key + "0",
        f"{prefix}_{key_id}_{secret.upper()}X", f"{prefix}_{key_id}_", f"{prefix}_{key_id}", f"{prefix}__{secret}",
    ]  # fmt: skip
    assert [tenant_of(records, f"Bearer {each}") for each in wrong] == [None] * len(wrong)


@pytest.mark.parametrize(
    "scheme", ["", "Basic ", "Bearer", "Token ", "Bearer Bearer ", "bear er ", "Bearer by_", "\tBearer "]
)
def test_only_bearer_is_a_scheme(door: tuple[MemoryRecords, str], scheme: str) -> None:
    records, key = door
    assert tenant_of(records, scheme + key) is None


@pytest.mark.parametrize(
    "header", ["", " ", "Bearer ", "Bearer _", "Bearer __", "Bearer by__", "Bearer by_a_b", "Bearer é_é"]
)
def test_what_is_no_key_of_ours_opens_nothing(header: str) -> None:
    assert tenant_of(MemoryRecords(), header) is None


class Untouched(MemoryRecords):
    def item(self, pk: str, sk: str) -> dict[str, object]:
        raise AssertionError(f"looked up {pk} {sk}")


@pytest.mark.parametrize(
    "key_id", ["", "x" * 3_000, "0f9a2c4e6b8d135", "0F9A2C4E6B8D1357", "0f9a2c4e6b8d135٣", "../../../../.."]
)
def test_a_key_id_that_cannot_be_ours_costs_no_look_at_the_table(key_id: str) -> None:
    assert tenant_of(Untouched(), f"Bearer by_{key_id}_secret") is None


def test_hashes_are_compared_in_constant_time() -> None:
    tree = ast.parse(inspect.getsource(api_keys.tenant_of))
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and "hash" in ast.dump(node)]
    assert not compared
    assert "hmac.compare_digest" in inspect.getsource(api_keys.tenant_of)
