"""An account asks its provider: a key that was rotated is read anew, once."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from batch_client import AuthenticationError, Job, PermissionDeniedError
from batchyard.adapters.secrets_manager import Secret
from batchyard.domain.errors import KeyMissing
from batchyard.domain.policy import Reaction, after_failed_call, is_sure_refusal
from batchyard.services import Services
from batchyard.settings import Settings
from tests.fakes.services import MemoryServices


class FakeSecretsManager:
    """One secret, with a text or without any value, as CloudFormation makes a secret of which it is told nothing."""

    def __init__(self, text: str | None) -> None:
        self.text = text

    def get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        if self.text is not None:
            return {"SecretString": self.text}
        message = f"Secrets Manager can't find the specified secret value for staging label: AWSCURRENT ({SecretId})"
        told: Any = {"Error": {"Code": "ResourceNotFoundException", "Message": message}}
        raise ClientError(told, "GetSecretValue")


JOB = Job(key="k", endpoint="/v1/responses", model="m", window="24h", count=1, filename="k.jsonl")


def test_a_refused_key_is_read_anew_and_the_call_made_again() -> None:
    services = MemoryServices()
    services.provider.trouble["find_batch"] = [AuthenticationError("old key", status=401)]
    assert services.account().ask(lambda provider: provider.find(JOB, 1)) is None
    assert services.secret.forgotten == 1
    assert services.provider.calls == ["find_batch", "find_batch"]


def test_a_key_refused_twice_is_wrong() -> None:
    services = MemoryServices()
    services.provider.trouble["find_batch"] = [AuthenticationError("no", status=401) for _ in range(3)]
    with pytest.raises(AuthenticationError):
        services.account().ask(lambda provider: provider.find(JOB, 1))
    assert len(services.provider.calls) == 2


def test_a_right_that_is_missing_is_not_asked_for_twice() -> None:
    services = MemoryServices()
    services.provider.trouble["find_batch"] = [PermissionDeniedError("no", status=403)]
    with pytest.raises(PermissionDeniedError):
        services.account().ask(lambda provider: provider.find(JOB, 1))
    assert (services.provider.calls, services.secret.forgotten) == (["find_batch"], 0)


def waiting(store: FakeSecretsManager, providers: str = "") -> Services:
    """Make services whose secrets are in this store."""
    settings = Settings(
        bucket="bucket", table="table", event_bus="bus", provider_base_url="http://127.0.0.1:9/v1", stack="stack-1",
        providers=providers,
        provider_secret_id="arn:aws:secretsmanager:eu-central-1:123456789012:secret:ProviderSecret-x1Y2-AbCdEf",
    )  # fmt: skip
    services = Services(settings)
    services.secret = Secret(settings.provider_secret_id, store)  # type: ignore[arg-type]
    return services


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_before_a_key_is_stored_a_call_fails_with_the_command_that_stores_one_and_nothing_is_sent(
    text: str | None,
) -> None:
    with pytest.raises(KeyMissing) as caught:
        waiting(FakeSecretsManager(text)).account().ask(lambda provider: provider.look("pb-1"))
    assert "make provider-key SECRET=ProviderSecret-x1Y2." in caught.value.message
    assert after_failed_call(caught.value) is Reaction.PAUSE
    assert is_sure_refusal(caught.value)


def test_a_key_is_used_as_soon_as_it_is_stored() -> None:
    store = FakeSecretsManager(None)
    services = waiting(store)
    with pytest.raises(KeyMissing):
        services.account().key()
    store.text = "sk-1\n"
    assert services.account().key() == "sk-1"


ACCESS = "AKIAMADEUP0001:made/up+secret"


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        (None, None), ("sk-an-older-key", None), ("[]", None), (f'{{"a": "{ACCESS}"}}', None), ('{"claude": "none"}', None),
        (f'{{"claude": "{ACCESS}"}}', ACCESS), (f'{{"claude": "{ACCESS}:made-up-token"}}', f"{ACCESS}:made-up-token"),
        (f'{{"claude": "{ACCESS} "}}', None),
    ],
)  # fmt: skip
def test_an_access_key_signs_in_place_of_the_role_if_the_secret_holds_one(text: str | None, signs: str | None) -> None:
    services = waiting(
        FakeSecretsManager(text), providers='{"claude": {"base_url": "https://bedrock.us-east-1.amazonaws.com"}}'
    )
    assert services.account("claude")._access_key() == signs  # noqa: SLF001 - what the signer asks
