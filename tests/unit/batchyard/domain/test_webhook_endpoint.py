"""What a webhook endpoint is told and what that is signed with."""

import msgspec

from batchyard.domain.webhook_endpoint import WebhookEndpoint, hint_of, secret_of, secrets_of

ROOT = "a secret of the stack"
ENDPOINT = WebhookEndpoint(
    endpoint_id="we_1", tenant="acme", name="ci", url="https://hooks.example.com/", event_types=["batch.completed"],
    created_at=1, updated_at=1,
)  # fmt: skip


def test_each_endpoint_and_each_generation_has_a_secret_of_its_own() -> None:
    secrets = {secret_of(root, name, at) for root in (ROOT, "other") for name in ("we_1", "we_2") for at in (1, 2)}
    assert len(secrets) == 8
    assert secret_of(ROOT, "we_1", 1) == secret_of(ROOT, "we_1", 1)
    assert len({hint_of(secret) for secret in secrets}) == 8


def test_a_secret_that_was_rotated_is_good_until_it_is_said_to_end_and_the_one_before_it_never() -> None:
    rotated = msgspec.structs.replace(ENDPOINT, generation=3, previous_until=100)
    now, before = secret_of(ROOT, "we_1", 3), secret_of(ROOT, "we_1", 2)
    assert secrets_of(ROOT, rotated, 99) == [now, before]
    assert secrets_of(ROOT, rotated, 100) == [now]
    assert secrets_of(ROOT, ENDPOINT, 0) == [secret_of(ROOT, "we_1", 1)]
