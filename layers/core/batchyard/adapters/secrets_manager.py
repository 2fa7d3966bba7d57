"""Secrets: the provider's API key, and the secrets that sign webhooks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from batchyard.adapters.aws import client, translated

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Secret:
    """One secret, read at its first use and kept until `forget`."""

    def __init__(self, secret_id: str, secretsmanager: SecretsManagerClient | None = None) -> None:
        """Keep the name of the secret; nothing is read yet."""
        self._id = secret_id
        self._secretsmanager: SecretsManagerClient = secretsmanager or client("secretsmanager")
        self._value: str | None = None
        self._read_at = 0.0

    def __call__(self) -> str:
        """Return the text of the secret."""
        if self._value is None:
            with translated(f"reading the secret {self._id}"):
                self._value = self._secretsmanager.get_secret_value(SecretId=self._id)["SecretString"].strip()
            self._read_at = time.monotonic()
        return self._value

    def forget(self, older_than: float = 0.0) -> bool:
        """Read the secret again at its next use; False, and no change, if it was read less than `older_than` seconds ago."""
        if time.monotonic() - self._read_at < older_than:
            return False
        self._value = None
        return True
