"""Webhooks of the provider: believed by their signature alone, and never more than a hint."""

import base64
import time
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from standardwebhooks.webhooks import Webhook

from batchyard.adapters.stores.batch_store import LinkedShard
from batchyard.domain.errors import ApiError
from batchyard.domain.nesting import MOST_LEVELS
from batchyard.domain.shard import Shard
from batchyard.webhooks.receive import receive
from tests.fakes.batches import BATCH_ID
from tests.fakes.nested import DEPTHS, nested
from tests.fakes.services import MemoryServices
from tests.faults.doors import settings_of

SECRET = "whsec_" + base64.b64encode(b"a secret of ours").decode()
OTHER = "whsec_" + base64.b64encode(b"a secret of others").decode()
BODY = msgspec.json.encode({"id": "evt_1", "type": "batch.completed", "created_at": 1, "data": {"id": "pb-1"}})


@pytest.fixture
def services() -> MemoryServices:
    services = MemoryServices()
    services.webhook_secret.text = SECRET
    services.batch_store.links[services.account().name, "pb-1"] = LinkedShard(BATCH_ID, 3)
    return services


def signed(body: bytes = BODY, secret: str | bytes = SECRET, at: float = 0, webhook_id: str = "wh_1") -> dict[str, str]:
    when = datetime.fromtimestamp(time.time() + at, UTC)
    signature = Webhook(secret).sign(webhook_id, when, body.decode())
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": str(int(when.timestamp())),
        "webhook-signature": signature,
    }


def test_an_event_has_its_shard_looked_after(services: MemoryServices) -> None:
    assert receive(services, signed(), BODY) == {"received": True}
    assert services.advance_function.invoked == [{"batch_id": BATCH_ID, "shard": 3}]


def test_an_id_that_no_record_can_have_is_not_looked_for(services: MemoryServices) -> None:
    services.batch_store.links[services.account().name, "é" * 1_001] = LinkedShard(BATCH_ID, 3)
    body = msgspec.json.encode({"type": "batch.completed", "data": {"id": "é" * 1_001}})
    assert receive(services, signed(body), body) == {"received": True}
    assert services.advance_function.invoked == []


def test_an_event_that_comes_again_is_taken_once(services: MemoryServices) -> None:
    receive(services, signed(), BODY)
    receive(services, signed(), BODY)
    receive(services, signed(webhook_id="wh_2"), BODY)
    assert len(services.advance_function.invoked) == 2


@pytest.mark.parametrize(
    "event",
    [{"type": "batch.failed", "data": {"id": "pb-of-others"}}, {"type": "response.completed", "data": {"id": "r"}}],
)
def test_an_event_about_nothing_of_ours_is_taken_and_left(services: MemoryServices, event: Any) -> None:
    body = msgspec.json.encode(event)
    assert receive(services, signed(body), body) == {"received": True}
    assert services.advance_function.invoked == []


@pytest.mark.parametrize("at", [-301, 301])
def test_an_old_or_early_event_is_refused(services: MemoryServices, at: int) -> None:
    with pytest.raises(ApiError):
        receive(services, signed(at=at), BODY)
    assert services.advance_function.invoked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"webhook-signature": "v1,"}, {"webhook-signature": "v1"}, {"webhook-signature": "nonsense"}, {"webhook-signature": ""},
        {"webhook-signature": "v1,%%%"}, {"webhook-signature": "v2,AAAA"}, {"webhook-signature": "v1,AAAA,BBBB"},
        {"webhook-signature": "v1,ä"}, {"webhook-timestamp": "today"}, {"webhook-timestamp": "nan"},
        {"webhook-timestamp": "1e400"}, {"webhook-timestamp": ""}, {"webhook-id": ""}, {"webhook-id": "another"},
    ],
    ids=str,
)  # fmt: skip
def test_headers_that_are_wrong_are_a_400(services: MemoryServices, wrong: dict[str, str]) -> None:
    with pytest.raises(ApiError) as refused:
        receive(services, signed() | wrong, BODY)
    assert (refused.value.status, refused.value.code) == (400, "invalid_webhook_signature")


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_is_a_400(services: MemoryServices, name: str) -> None:
    headers = signed()
    del headers[name]
    with pytest.raises(ApiError, match=f"missing: '{name}'") as refused:
        receive(services, headers, BODY)
    assert (refused.value.status, refused.value.code) == (400, "invalid_webhook_signature")
    assert services.webhook_secret.forgotten == 0


def test_another_body_or_secret_is_refused(services: MemoryServices) -> None:
    with pytest.raises(ApiError):
        receive(services, signed(), BODY + b" ")
    with pytest.raises(ApiError):
        receive(services, signed(secret=OTHER), BODY)
    with pytest.raises(ApiError):
        receive(services, signed(), b"\xff\xfe")


@pytest.mark.parametrize("body", [b"[]", b"not json", b"{}"])
def test_a_signed_body_that_is_no_event_is_a_400(services: MemoryServices, body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        receive(services, signed(body), body)
    assert refused.value.status == 400


@pytest.mark.parametrize("depth", DEPTHS)
def test_an_event_that_nests_too_deeply_is_a_400_that_says_so(services: MemoryServices, depth: int) -> None:
    body = BODY[:-1] + b',"x":%s}' % nested(depth - 1)
    if depth <= MOST_LEVELS:
        assert receive(services, signed(body), body) == {"received": True}
        assert len(services.advance_function.invoked) == 1
    else:
        with pytest.raises(ApiError, match="is no webhook event: it is nested too deeply") as refused:
            receive(services, signed(body), body)
        assert refused.value.status == 400
        assert services.advance_function.invoked == []


@pytest.mark.parametrize("secret", [SECRET, OTHER])
def test_while_a_secret_is_rotated_both_are_good(services: MemoryServices, secret: str) -> None:
    services.webhook_secret.text = f"{OTHER} {SECRET}"
    assert receive(services, signed(secret=secret), BODY) == {"received": True}


def test_two_signatures_are_sent_while_the_provider_rotates(services: MemoryServices) -> None:
    both = f"{signed(secret=OTHER)['webhook-signature']} {signed()['webhook-signature']}"
    assert receive(services, signed() | {"webhook-signature": both}, BODY) == {"received": True}


def test_a_secret_without_its_prefix_is_its_own_bytes(services: MemoryServices) -> None:
    services.webhook_secret.text = "plain-text"
    assert receive(services, signed(secret=b"plain-text"), BODY) == {"received": True}


def test_a_secret_that_no_longer_fits_is_read_anew_but_not_for_each_forgery(services: MemoryServices) -> None:
    for age, read in ((0.0, 1), (61.0, 2)):
        services.webhook_secret.age = age
        with pytest.raises(ApiError):
            receive(services, signed(secret=OTHER), BODY)
        assert services.webhook_secret.forgotten == read


@pytest.mark.parametrize("stored", ["", "whsec_", "whsec_==", "whsec_!!!", "whsec_é", "whsec_a"])
def test_a_secret_that_is_empty_or_none_believes_nobody(services: MemoryServices, stored: str) -> None:
    services.webhook_secret.text = stored
    for secret in (SECRET, b"whsec_", b" "):
        with pytest.raises(ApiError) as refused:
            receive(services, signed(secret=secret), BODY)
        assert (refused.value.status, refused.value.code) == (400, "invalid_webhook_signature")
    assert services.advance_function.invoked == []


def test_a_secret_beside_an_empty_one_is_good(services: MemoryServices) -> None:
    services.webhook_secret.text = f"whsec_ {SECRET}"
    assert receive(services, signed(), BODY) == {"received": True}


def test_two_providers_with_a_batch_of_one_id_have_each_its_own_shard() -> None:
    services = MemoryServices(providers=settings_of({"a": ["m"], "b": ["n"]}))
    services.webhook_secret.text = SECRET
    for at, name in enumerate("ab"):
        of = Shard(
            batch_id=BATCH_ID, shard=at, expires_at_ttl=1, endpoint="e", model="m", provider=name, lines=1, first=0, last=0,
            unfinished=1,
        )  # fmt: skip
        services.batch_store.link(name, "pb-1", of)
    assert receive(services, signed(), BODY) == {"received": True}
    assert services.advance_function.invoked == [{"batch_id": BATCH_ID, "shard": at} for at in range(2)]
