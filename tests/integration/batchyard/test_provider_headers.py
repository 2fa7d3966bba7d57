"""The headers that the settings add to the calls of a provider, as they go over the wire."""

import json
from types import SimpleNamespace
from typing import Any

from batchyard.adapters.secrets_manager import Secret
from batchyard.services import Services
from local.stack.provider_choice import Provider, asking
from tests.fakes.services import made_up_settings
from tests.integration.batch_client.scripted_server import says, serving

JOB = {"id": "msgbatch_1", "type": "message_batch", "processing_status": "in_progress"}


def test_they_go_with_each_call_of_that_provider_beside_the_key_and_in_place_of_those_of_its_profile() -> None:
    with serving(says(JOB)) as server:
        claude = {"base_url": server.url, "profile": "anthropic", "models": ["claude-*"]}
        named = {"Anthropic-Version": "2026-10-21", "anthropic-workspace-id": "wrkspc_1"}
        settings = made_up_settings(providers=json.dumps({"a": {**claude, "headers": named}, "b": claude}))
        services = Services(settings)
        keys = json.dumps({"a": "sk-a", "b": "sk-b"})
        store: Any = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": keys})
        services.secret = Secret(settings.provider_secret_id, store)
        for name in ("a", "b"):
            services.account(name).ask(lambda provider: provider.look("msgbatch_1"))
        first, second = (seen.headers for seen in server.seen)
    assert (first["x-api-key"], first["anthropic-version"]) == ("sk-a", "2026-10-21")
    assert first["anthropic-workspace-id"] == "wrkspc_1"
    assert (second["x-api-key"], second["anthropic-version"]) == ("sk-b", "2023-06-01")
    assert "anthropic-workspace-id" not in second


def test_a_stack_that_ends_sends_them_too() -> None:
    with serving(says(JOB)) as server:
        provider = Provider(server.url, "sk-a", "anthropic", "a", {"anthropic-workspace-id": "wrkspc_1"})
        with asking(provider, "a") as service:
            service.stop("msgbatch_1")
        (seen,) = server.seen
    assert seen.headers["anthropic-workspace-id"] == "wrkspc_1"
