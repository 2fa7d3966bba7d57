import json
import time

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from local.emulator.webhooks import Endpoint, event, new_secret, signed


def now() -> int:
    """Tell the time of the test itself: the whole suite takes longer than a signature lives."""
    return int(time.time())


def endpoint(*secrets: str) -> Endpoint:
    return Endpoint("http://127.0.0.1:9/hook", "test", now(), secrets=list(secrets))


def unwrap(body: bytes, headers: dict[str, str], secret: str) -> str:
    with OpenAI(api_key="x", webhook_secret=secret) as client:
        return client.webhooks.unwrap(body, headers).type


@pytest.mark.parametrize("secret", [new_secret(), "plain words"], ids=["made here", "plain words"])
def test_the_official_client_accepts_the_signature(secret: str) -> None:
    body, headers = signed(endpoint(secret), event("batch.completed", "batch_1", now()), now())
    assert unwrap(body, headers, secret) == "batch.completed"
    assert json.loads(body)["data"] == {"id": "batch_1"}


def test_while_a_secret_is_replaced_both_sign() -> None:
    old, new = new_secret(), new_secret()
    body, headers = signed(endpoint(new, old), event("batch.failed", "batch_1", now()), now())
    assert unwrap(body, headers, old) == unwrap(body, headers, new) == "batch.failed"


@pytest.mark.parametrize("manner", ["forged", "late"])
def test_a_forged_or_late_event_is_refused_by_the_official_client(manner: str) -> None:
    secret = new_secret()
    body, headers = signed(endpoint(secret), event("batch.completed", "batch_1", now()), now(), manner)
    with pytest.raises(InvalidWebhookSignatureError):
        unwrap(body, headers, secret)


def test_the_endpoint_shows_only_a_hint_of_its_secret() -> None:
    shown = endpoint("whsec_abcdefgh").wire()
    assert shown["signing_secret_hint"] == "efgh"
    assert "abcdefgh" not in json.dumps(shown)
