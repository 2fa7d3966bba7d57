"""A secret that holds nothing: how often it is looked up."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from batchyard.adapters.secrets_manager import Secret
from batchyard.domain.errors import SecretMissing


class Manager:
    """Secrets Manager with one secret, which holds nothing at first."""

    def __init__(self) -> None:
        self.text: str | None = None
        self.looks = 0

    def get_secret_value(self, SecretId: str) -> Any:  # noqa: N803 - as boto3 spells it
        self.looks += 1
        if self.text is None:
            raise ClientError({"Error": {"Code": "ResourceNotFoundException"}}, SecretId)
        return {"SecretString": self.text}


@pytest.fixture
def manager() -> Manager:
    return Manager()


@pytest.mark.parametrize("empty", [None, "", "  \n"])
def test_a_secret_without_a_value_is_looked_up_again_only_after_a_while(manager: Manager, empty: str | None) -> None:
    manager.text = empty
    secret = Secret("s", manager)  # type: ignore[arg-type]  # the one call that is made
    assert [secret.if_stored(60) for _ in range(100)] == [None] * 100
    assert manager.looks == 1
    manager.text = "found"
    assert secret.if_stored(0) == "found"
    assert [secret.if_stored(60), secret()] == ["found"] * 2
    assert manager.looks == 2


def test_who_needs_the_secret_looks_each_time_until_there_is_one(manager: Manager) -> None:
    secret = Secret("s", manager)  # type: ignore[arg-type]  # as above
    for _ in range(3):
        with pytest.raises(SecretMissing):
            secret()
    assert manager.looks == 3
