"""Secrets: the provider's API key, and the secrets that sign webhooks."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING

from batchyard.adapters.aws import client, translated
from batchyard.domain.errors import NotFound, SecretMissing

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
        self._missing_at = -math.inf

    @property
    def name(self) -> str:
        """Return the secret's name, by which a person may call it: its ARN also holds six random characters."""
        name = self._id.rpartition(":")[2]
        return name[: -len("-123456")] if self._id.startswith("arn:") else name

    def __call__(self) -> str:
        """Return the secret's text; raises SecretMissing while it holds none, and then reads anew the next time."""
        if self._value is None:
            self._value = self._read()
            self._read_at = time.monotonic()
        return self._value

    def if_stored(self, again_after: float) -> str | None:
        """Return the secret's text; None while it holds none, which is looked up again after `again_after` seconds."""
        if self._value is None and time.monotonic() - self._missing_at < again_after:
            return None
        try:
            return self()
        except SecretMissing:
            self._missing_at = time.monotonic()
            return None

    def _read(self) -> str:
        doing = f"reading the secret {self._id}"
        try:
            with translated(doing):
                text = self._secretsmanager.get_secret_value(SecretId=self._id).get("SecretString", "").strip()
        except NotFound as error:  # a secret without any version, as the template makes it, has no value to be found
            raise SecretMissing(str(error)) from error
        if not text:
            raise SecretMissing(f"{doing}: it is empty")
        return text

    def forget(self, older_than: float = 0.0) -> bool:
        """Read the secret again at its next use; False, and no change, if it was read less than `older_than` seconds ago."""
        if time.monotonic() - self._read_at < older_than:
            return False
        self._value = None
        return True
