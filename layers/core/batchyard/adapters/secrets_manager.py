"""Secrets: the provider's API key, and what webhooks are signed with."""

from __future__ import annotations

import time
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
        self._read_at = 0.0

    def __call__(self) -> str:
        """Return the secret's text."""
        if self._value is None:
            with translated(f"reading the secret {self._id}"):
                self._value = self._secretsmanager.get_secret_value(SecretId=self._id)["SecretString"].strip()
            self._read_at = time.monotonic()
        return self._value

    def forget(self, older_than: float = 0.0) -> bool:
        """Read anew next time, for what we had did not fit; False if it was read less than so many seconds ago."""
        if time.monotonic() - self._read_at < older_than:
            return False
        self._value = None
        return True
