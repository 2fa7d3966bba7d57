"""The provider's API key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from batchyard.adapters.aws import client, translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Secret:
    """One secret, read when first needed and kept until it is said to be stale."""

    def __init__(self, secret_id: str, secretsmanager: SecretsManagerClient | None = None) -> None:
        """Name the secret; nothing is read yet."""
        self._id = secret_id
        self._secretsmanager: SecretsManagerClient = secretsmanager or client("secretsmanager")
        self._value: str | None = None

    def __call__(self) -> str:
        """Return the secret's text."""
        if self._value is None:
            with translated("reading the provider's secret"):
                self._value = self._secretsmanager.get_secret_value(SecretId=self._id)["SecretString"].strip()
        return self._value

    def forget(self) -> None:
        """Read anew next time: the provider refused what we had."""
        self._value = None
