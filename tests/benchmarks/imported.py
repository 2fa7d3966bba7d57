"""The jobs of `importing`, in a module that itself imports nothing the measured ones would."""

import gc
import importlib
import os
from collections.abc import Callable
from typing import Any

# What template.yaml and Lambda give to every function.
ENVIRONMENT = {
    "AWS_DEFAULT_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "made-up", "AWS_SECRET_ACCESS_KEY": "made-up",
    "BUCKET": "bucket", "TABLE": "table", "EVENT_BUS": "bus", "PROVIDER_BASE_URL": "https://api.openai.com/v1",
    "PROVIDER_SECRET_ID": "secret", "STACK": "stack",
}  # fmt: skip


def modules(*names: str) -> Callable[[], None]:
    """Prepare to import these modules."""

    def work() -> None:
        for name in names:
            importlib.import_module(name)

    return work


def door(name: str, parts: str, *clients: str) -> Callable[[], None]:
    """Prepare to import a function's handler, and to build the parts of the services and the AWS clients that it uses."""
    _prepare()

    def work() -> None:
        importlib.import_module(f"functions.{name}.handler")
        services: Any = importlib.import_module("batchyard.services").current()
        for part in parts.split():
            owner, _, member = part.rpartition(".")
            getattr(services.account() if owner else services, member)
        aws: Any = importlib.import_module("batchyard.adapters.aws")
        for client in clients:
            aws.client(client)

    return work


def floor(*clients: str) -> Callable[[], None]:
    """Prepare to make these AWS clients with nothing of ours, and to import what every function stands on."""
    _prepare()

    def work() -> None:
        boto3: Any = importlib.import_module("boto3")
        importlib.import_module("requests")
        importlib.import_module("aws_lambda_powertools").Logger(service="floor", utc=True)
        for client in clients:
            boto3.client(client)

    return work


def _prepare() -> None:
    """Give the process a function's environment, without the garbage collector.

    A full collection takes a tenth of a cold start, and whether one more of them comes is chance.
    """
    os.environ.update(ENVIRONMENT)
    gc.disable()
