"""A key sees the keys of its tenant and of no other; only one that the operator gave the right to changes any."""

from collections.abc import Callable
from typing import Any

import pytest

from batchyard.api import api_keys, own_keys
from batchyard.api.api_keys import KeyCache
from batchyard.api.own_keys import LONGEST_NAME, MOST_KEYS, create_api_key, list_api_keys, revoke_api_key
from batchyard.domain.api_key import ApiKey
from batchyard.domain.errors import ApiError, StoreError
from batchyard.domain.numbers import HOUR
from tests.fakes.services import MemoryServices


def key_of(made: MemoryServices, tenant: str, *, admin: bool = False) -> ApiKey:
    return made.api_key_store.key(api_keys.create(made.api_key_store, tenant, admin=admin).split("_")[1])


@pytest.fixture
def made() -> MemoryServices:
    return MemoryServices()


@pytest.fixture
def admin(made: MemoryServices) -> ApiKey:
    return key_of(made, "acme", admin=True)


@pytest.fixture
def plain(made: MemoryServices) -> ApiKey:
    return key_of(made, "acme")


@pytest.fixture
def stranger(made: MemoryServices) -> ApiKey:
    """An admin key of another tenant."""
    return key_of(made, "other", admin=True)


def refused(call: Callable[..., object], *given: object) -> ApiError:
    with pytest.raises(ApiError) as caught:
        call(*given)
    return caught.value


def test_every_key_sees_those_of_its_tenant_and_never_a_secret(
    made: MemoryServices, admin: ApiKey, plain: ApiKey, stranger: ApiKey
) -> None:
    for caller in (admin, plain):
        page = list_api_keys(made, caller, None, None)
        assert {each["id"]: each["current"] for each in page["data"]} == {
            admin.key_id: caller is admin, plain.key_id: caller is plain,
        }  # fmt: skip
        for hidden in (admin.hash, admin.salt, plain.hash, plain.salt, stranger.key_id):
            assert hidden not in str(page)
    assert [each["id"] for each in list_api_keys(made, stranger, None, None)["data"]] == [stranger.key_id]


def test_a_list_is_read_in_pages(made: MemoryServices, admin: ApiKey) -> None:
    for _ in range(4):
        create_api_key(made, admin, {})
    first = list_api_keys(made, admin, None, "3")
    second = list_api_keys(made, admin, first["last_id"], "3")
    assert (len(first["data"]), first["has_more"], len(second["data"]), second["has_more"]) == (3, True, 2, False)
    assert not {each["id"] for each in first["data"]} & {each["id"] for each in second["data"]}
    assert refused(list_api_keys, made, admin, "0" * 16, None).status == 404


def test_an_admin_makes_keys_of_its_own_tenant_without_its_right(made: MemoryServices, admin: ApiKey) -> None:
    for member in ("tenant", "admin"):
        assert refused(create_api_key, made, admin, {member: "other"}).code == "unknown_parameter"
    shown = create_api_key(made, admin, {"name": "nightly"})
    record = made.api_key_store.key(shown["id"])
    assert (record.tenant, record.admin, record.name, record.made_by) == ("acme", False, "nightly", admin.key_id)
    assert shown["key"].split("_")[1] == record.key_id
    assert KeyCache(made.api_key_store).tenant_of(f"Bearer {shown['key']}") == "acme"
    assert "key" not in list_api_keys(made, admin, None, None)["data"][0]
    assert refused(create_api_key, made, record, {}).code == "admin_key_required"


@pytest.mark.parametrize("act", [lambda made, key: create_api_key(made, key, {}),
                                 lambda made, key: revoke_api_key(made, key, key.key_id, {"itself": True})])  # fmt: skip
def test_a_key_without_the_right_changes_nothing_and_hears_who_gives_it(
    made: MemoryServices, plain: ApiKey, act: Callable[[Any, ApiKey], object]
) -> None:
    before = dict(made.api_key_store.known)
    error = refused(act, made, plain)
    assert (error.status, error.code) == (403, "admin_key_required")
    assert "ADMIN=1" in str(error)
    assert made.api_key_store.known == before


def test_a_key_that_was_just_revoked_makes_no_other_though_a_cache_still_lets_it_in(
    made: MemoryServices, admin: ApiKey
) -> None:
    made.api_key_store.revoke(admin.key_id, made.now())
    assert admin.revoked_at is None  # as a cache has it
    assert refused(create_api_key, made, admin, {}).code == "admin_key_required"
    del made.api_key_store.known[admin.key_id]
    assert refused(create_api_key, made, admin, {}).code == "admin_key_required"


def test_nobody_revokes_a_key_of_another_tenant_or_learns_that_it_is_there(
    made: MemoryServices, admin: ApiKey, stranger: ApiKey
) -> None:
    errors = [refused(revoke_api_key, made, stranger, key_id, {}) for key_id in (admin.key_id, "0" * 16, "../x", "é")]
    assert {(error.status, error.code, error.param) for error in errors} == {(404, None, "id")}
    assert str(errors[0]).replace(admin.key_id, "") == str(errors[1]).replace("0" * 16, "")
    assert made.api_key_store.key(admin.key_id).revoked_at is None


def test_a_key_revokes_itself_only_if_told_so(made: MemoryServices, admin: ApiKey) -> None:
    error = refused(revoke_api_key, made, admin, admin.key_id, {})
    assert (error.status, error.code, error.param) == (409, "revokes_itself", "itself")
    assert refused(revoke_api_key, made, admin, admin.key_id, {"itself": "yes"}).param == "itself"
    assert made.api_key_store.key(admin.key_id).revoked_at is None
    assert revoke_api_key(made, admin, admin.key_id, {"itself": True})["revoked_at"] == made.now()


def test_a_key_is_revoked_once(made: MemoryServices, admin: ApiKey, plain: ApiKey) -> None:
    first = revoke_api_key(made, admin, plain.key_id, {})
    made.wait(60)
    assert revoke_api_key(made, admin, plain.key_id, {}) == first


def test_a_tenant_has_so_many_good_keys_and_revoked_ones_do_not_count(made: MemoryServices, admin: ApiKey) -> None:
    keys = [create_api_key(made, admin, {})["id"] for _ in range(MOST_KEYS - 1)]
    assert refused(create_api_key, made, admin, {}).code == "api_keys_limit_exceeded"
    revoke_api_key(made, admin, keys[0], {})
    assert create_api_key(made, admin, {})


@pytest.mark.parametrize("name", ["x" * (LONGEST_NAME + 1), "a\nb", 7, None, ["a"]])
def test_a_name_is_a_short_text(made: MemoryServices, admin: ApiKey, name: object) -> None:
    assert refused(create_api_key, made, admin, {"name": name}).param == "name"


@pytest.mark.parametrize("body", [[], "x", 7, None])
def test_a_body_is_an_object(made: MemoryServices, admin: ApiKey, body: object) -> None:
    assert refused(create_api_key, made, admin, body).status == 400
    assert refused(revoke_api_key, made, admin, admin.key_id, body).status == 400


def test_no_operation_takes_a_tenant_from_its_caller() -> None:
    for call in (own_keys.list_api_keys, own_keys.create_api_key, own_keys.revoke_api_key):
        assert "tenant" not in call.__annotations__


def test_the_use_of_a_key_is_noted_once_an_hour_and_a_note_that_fails_refuses_nobody(made: MemoryServices) -> None:
    store, now = made.api_key_store, [1_000_000.0]
    key = f"Bearer {api_keys.create(store, 'acme')}"
    ring = KeyCache(store, lambda: now[0])
    for now[0] in (1_000_000.0, 1_000_010.0, 1_000_000.0 + HOUR - 1):
        assert ring.tenant_of(key) == "acme"
    assert store.uses == 1
    now[0] += 1
    assert ring.tenant_of(key) == "acme"
    assert (store.uses, store.key(key.split("_")[1]).last_used_at) == (2, 1_000_000 + HOUR)
    assert ring.tenant_of(key + "x") is None
    assert KeyCache(store, lambda: now[0] + 9).tenant_of(key) == "acme"  # another process
    assert store.uses == 2

    def down(key_id: str, now: int) -> None:
        raise StoreError(f"down for {key_id} at {now}")

    store.note_use = down  # type: ignore[method-assign]  # a table that cannot be written
    now[0] += HOUR
    assert ring.tenant_of(key) == "acme"


def test_the_list_of_the_operator_shows_the_right_and_who_made_a_key(made: MemoryServices, admin: ApiKey) -> None:
    create_api_key(made, admin, {})
    lines = api_keys.listed(made.api_key_store)
    assert sorted(line.split("  ")[2:] for line in lines) == [["acme", "admin"], ["acme", f"by {admin.key_id}"]]
