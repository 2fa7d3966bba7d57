"""Keys of the front door: only a hash is kept, and only the right header opens."""

import ast
import inspect
import re

import pytest

from batchyard.api import api_keys
from batchyard.api.api_keys import FRESH, Keyring
from batchyard.domain import api_key
from batchyard.domain.errors import ApiError
from tests.fakes.api_stores import MemoryApiKeyStore


def tenant_of(store: MemoryApiKeyStore, authorization: str) -> str | None:
    return Keyring(store).tenant_of(authorization)


@pytest.fixture
def door() -> tuple[MemoryApiKeyStore, str]:
    """Records with one key, and the key."""
    store = MemoryApiKeyStore()
    return store, api_keys.create(store, "acme")


def test_a_key_opens_for_its_tenant(door: tuple[MemoryApiKeyStore, str]) -> None:
    store, key = door
    assert re.fullmatch(r"by_[0-9a-f]{16}_[0-9a-f]{48}", key)
    assert tenant_of(store, f"Bearer {key}") == "acme"
    assert tenant_of(store, f"bearer  {key} ") == "acme"


def test_only_a_salted_hash_is_stored(door: tuple[MemoryApiKeyStore, str]) -> None:
    store, key = door
    (record,) = store.known.values()
    assert record.revoked_at is None
    assert key.split("_")[2] not in str(record)
    assert re.fullmatch(r"[0-9a-f]{64}", record.hash)


def test_two_keys_share_nothing(door: tuple[MemoryApiKeyStore, str]) -> None:
    store, first = door
    second = api_keys.create(store, "acme")
    assert not set(first.split("_")[1:]) & set(second.split("_")[1:])
    ours, others = store.known.values()
    assert ours.salt != others.salt


def test_every_part_of_a_key_must_be_right(door: tuple[MemoryApiKeyStore, str]) -> None:
    store, key = door
    other = api_keys.create(store, "other")
    prefix, key_id, secret = key.split("_")
    wrong = [
        f"{prefix}_{key_id}_{other.split('_')[2]}", f"{prefix}_{'0' * 16}_{secret}", f"sk_{key_id}_{secret}",
        key[:-1], key + "0",
        f"{prefix}_{key_id}_{secret.upper()}X", f"{prefix}_{key_id}_", f"{prefix}_{key_id}", f"{prefix}__{secret}",
    ]  # fmt: skip
    assert [tenant_of(store, f"Bearer {each}") for each in wrong] == [None] * len(wrong)


@pytest.mark.parametrize(
    "scheme", ["", "Basic ", "Bearer", "Token ", "Bearer Bearer ", "bear er ", "Bearer by_", "\tBearer "]
)
def test_only_bearer_is_a_scheme(door: tuple[MemoryApiKeyStore, str], scheme: str) -> None:
    store, key = door
    assert tenant_of(store, scheme + key) is None


@pytest.mark.parametrize(
    "header", ["", " ", "Bearer ", "Bearer _", "Bearer __", "Bearer by__", "Bearer by_a_b", "Bearer é_é"]
)
def test_what_is_no_key_of_ours_opens_nothing(header: str) -> None:
    assert tenant_of(MemoryApiKeyStore(), header) is None


@pytest.mark.parametrize(
    "key_id", ["", "x" * 3_000, "0f9a2c4e6b8d135", "0F9A2C4E6B8D1357", "0f9a2c4e6b8d135٣", "../../../../.."]
)
def test_a_key_id_that_cannot_be_ours_costs_no_look_at_the_table(key_id: str) -> None:
    store = MemoryApiKeyStore()
    assert tenant_of(store, f"Bearer by_{key_id}_secret") is None
    assert store.looks == 0


def test_hashes_are_compared_in_constant_time() -> None:
    tree = ast.parse(inspect.getsource(api_key.opened_by))
    compared = [node for node in ast.walk(tree) if isinstance(node, ast.Compare) and "hash" in ast.dump(node)]
    assert not compared
    assert "hmac.compare_digest" in inspect.getsource(api_key.opened_by)


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_revoked_key_opens_nothing_a_minute_later() -> None:
    store, clock = MemoryApiKeyStore(), Clock()
    key, other = api_keys.create(store, "acme"), api_keys.create(store, "acme")
    ring = Keyring(store, clock)
    assert ring.tenant_of(f"Bearer {key}") == "acme"
    api_keys.revoke(store, key.split("_")[1])
    clock.now += FRESH
    assert FRESH < 60
    assert ring.tenant_of(f"Bearer {key}") is None
    assert ring.tenant_of(f"Bearer {other}") == "acme"


def test_a_key_in_use_is_read_once_in_a_while_and_its_secret_is_still_compared() -> None:
    store, clock = MemoryApiKeyStore(), Clock()
    key = api_keys.create(store, "acme")
    ring = Keyring(store, clock)
    for _ in range(10):
        assert ring.tenant_of(f"Bearer {key}") == "acme"
        assert ring.tenant_of(f"Bearer {key}x") is None
        clock.now += 1
    assert store.looks == 1


def test_a_clock_that_goes_back_makes_no_key_immortal() -> None:
    store, clock = MemoryApiKeyStore(), Clock()
    key = api_keys.create(store, "acme")
    ring = Keyring(store, clock)
    assert ring.tenant_of(f"Bearer {key}") == "acme"
    api_keys.revoke(store, key.split("_")[1])
    clock.now -= 3_600
    assert ring.tenant_of(f"Bearer {key}") is None


def test_guesses_are_not_remembered() -> None:
    store = MemoryApiKeyStore()
    ring = Keyring(store)
    for number in range(50):
        assert ring.tenant_of(f"Bearer by_{number:016x}_guess") is None
    assert ring._known == {}  # noqa: SLF001 - what is meant is that it does not grow


def test_keys_are_listed_by_tenant_without_their_secrets() -> None:
    store = MemoryApiKeyStore()
    made = [api_keys.create(store, tenant) for tenant in ("other", "acme", "acme")]
    api_keys.revoke(store, made[0].split("_")[1])
    lines = api_keys.listed(store)
    assert [line.split("  ")[2] for line in lines] == ["acme", "acme", "other"]
    assert {line.split("  ")[0] for line in lines} == {key.split("_")[1] for key in made}
    assert ["revoked" in line for line in lines] == [False, False, True]
    assert not [key for key in made if key.split("_")[2] in "".join(lines)]


@pytest.mark.parametrize("key_id", ["", "0" * 16, "no key id", "0" * 2_000])
def test_what_is_no_key_cannot_be_revoked(key_id: str) -> None:
    with pytest.raises(api_keys.NoSuchKey, match="the list shows them"):
        api_keys.revoke(MemoryApiKeyStore(), key_id)


@pytest.mark.parametrize(
    "arguments",
    [
        ["table", "a/b"],
        ["table", ".."],
        ["table", " a"],
        ["table", "a\n"],
        ["table", "x" * 257],
        ["table", "-x"],
        ["", "a"],
    ],
)
def test_a_tenant_whose_name_would_reach_into_another_s_folder_gets_no_key(arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="usage"):
        api_keys.main(arguments)


def test_a_key_has_so_many_requests_a_minute_and_is_told_when_the_next_begins() -> None:
    store, now = MemoryApiKeyStore(), [1_000_000_010.0]
    first, second = (f"Bearer {api_keys.create(store, 'acme')}" for _ in range(2))
    ring = Keyring(store, lambda: now[0], 3)
    assert [ring.tenant_of(first) for _ in range(3)] == ["acme"] * 3
    for _ in range(5):
        with pytest.raises(ApiError) as refused:
            ring.tenant_of(first)
    assert (refused.value.status, refused.value.code) == (429, "rate_limit_exceeded")
    assert refused.value.headers == {"Retry-After": "10", "x-should-retry": "true"}
    assert ring.tenant_of(second) == "acme"
    now[0] += 10
    assert ring.tenant_of(first) == "acme"


def test_two_functions_count_together_and_what_is_refused_anyway_is_not_counted() -> None:
    store = MemoryApiKeyStore()
    key = f"Bearer {api_keys.create(store, 'acme')}"
    rings = [Keyring(store, lambda: 60.0, 3) for _ in range(2)]
    assert [ring.tenant_of(key) for ring in (rings[0], rings[1], rings[0])] == ["acme"] * 3
    for ring in rings:
        with pytest.raises(ApiError, match="has 3 requests a minute"):
            ring.tenant_of(key)
    assert rings[0].tenant_of(key[:-1]) is None
    assert store.counted.total() == 3


def test_without_a_limit_nothing_is_counted() -> None:
    store = MemoryApiKeyStore()
    ring, key = Keyring(store), f"Bearer {api_keys.create(store, 'acme')}"
    assert [ring.tenant_of(key) for _ in range(1_000)] == ["acme"] * 1_000
    assert not store.counted
