"""Before a key of the provider is stored, batches wait; `make provider-key` stores one, and they go on."""

import subprocess
import sys
from typing import Any

import httpx

from tests.system.processes import ROOT, environment, eventually, up
from tests.system.running_stack import RunningStack, jsonl, request


def retrieved(stack: RunningStack, batch_id: str) -> dict[str, Any]:
    key = {"Authorization": f"Bearer {stack.doors['api_key']}"}
    shown: dict[str, Any] = httpx.get(f"{stack.doors['base_url']}/batches/{batch_id}", headers=key, timeout=60).json()
    return shown


def stored_by_make(stack: RunningStack, key: str) -> str:
    """Store a key as an operator does, in the secret that the stack names, and return what was said."""
    aws = {"AWS_ENDPOINT_URL": stack.doors["endpoint_url"], "AWS_DEFAULT_REGION": "us-east-1"}
    given = environment(**aws, AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test")
    command = [sys.executable, "-m", "local.provider_key", "batchyard", ""]
    return subprocess.run(  # noqa: S603 - our own program
        command, cwd=ROOT, env=given, input=key, capture_output=True, text=True, timeout=60, check=True
    ).stdout


def test_a_batch_waits_for_a_key_says_what_to_type_and_completes_once_it_was_typed() -> None:
    with up(BATCHYARD_RETRY_CEILING_SECONDS="2") as doors:
        stack = RunningStack(doors)
        secrets = stack.clients.other("secretsmanager")
        (name,) = [each["Name"] for each in secrets.list_secrets()["SecretList"] if "ProviderSecret" in each["Name"]]
        key = secrets.get_secret_value(SecretId=name)["SecretString"]
        secrets.put_secret_value(SecretId=name, SecretString=" ")  # what was stored with the deploy is there no more
        batch_id = stack.batch_of("waits.jsonl", stack.drop("waits.jsonl", jsonl([request(1)])))
        paused = eventually(lambda: retrieved(stack, batch_id).get("paused"))
        assert f"make provider-key SECRET={name}." in str(paused)
        assert retrieved(stack, batch_id)["status"] == "in_progress"
        assert name in stored_by_make(stack, key)
        assert stack.ended(batch_id).status == "completed"
        assert len(stack.results(batch_id).output) == 1
