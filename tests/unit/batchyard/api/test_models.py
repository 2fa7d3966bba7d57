"""Models are listed in OpenAI's shape, so that a "test connection" works; a tenant sees its own and those with a price."""

from typing import Any

import msgspec
import pytest

from batchyard.api import models
from batchyard.domain.errors import ApiError
from tests.fakes.batches import NOW, batch
from tests.fakes.services import MemoryServices
from tests.unit.strict_models import StrictModel, StrictModels


@pytest.fixture
def services() -> MemoryServices:
    return MemoryServices()


def used(services: MemoryServices, model: str | None, tenant: str = "default", **members: Any) -> None:
    number = len(services.batch_store.batches)
    services.batch_store.create_batch(batch(batch_id=f"batch_{number:032}", tenant=tenant, model=model, **members))


def listed(services: MemoryServices, tenant: str = "default") -> list[StrictModel]:
    answer = msgspec.json.encode(models.list_models(services, tenant))
    return msgspec.json.decode(answer, type=StrictModels).data


def test_the_models_of_the_price_list_are_listed_once_each() -> None:
    services = MemoryServices(provider_profile="openai")
    ids = [each.id for each in listed(services)]
    assert {"gpt-4.1-mini", "text-embedding-3-small"} <= set(ids)
    assert len(ids) == len(set(ids))
    assert {each.owned_by for each in listed(services)} == {"openai"}


def test_a_server_of_one_s_own_has_the_models_of_the_tenant_s_batches_alone() -> None:
    services = MemoryServices(provider_profile="vllm")
    for model, created in (("org/a", NOW), ("b", NOW + 1), (None, NOW + 2), ("org/a", NOW + 3)):
        used(services, model, created_at=created)
    used(services, "theirs", tenant="acme")
    assert [(each.id, each.created, each.owned_by) for each in listed(services)] == [
        ("org/a", NOW, "default"), ("b", NOW + 1, "default"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["gpt-4.1-mini", "GPT-4.1-mini", "org/a"])
def test_what_is_known_is_shown(services: MemoryServices, name: str) -> None:
    used(services, "org/a")
    shown = msgspec.convert(models.retrieve_model(services, "default", name), StrictModel)
    assert shown.id == name


@pytest.mark.parametrize("name", ["", "no-such-model", "theirs", "x" * 9_000, "org/"])
def test_what_is_not_known_is_refused_in_openai_s_words(services: MemoryServices, name: str) -> None:
    used(services, "theirs", tenant="acme")
    with pytest.raises(ApiError) as caught:
        models.retrieve_model(services, "default", name)
    error = caught.value
    assert (error.status, error.code, error.param) == (404, "model_not_found", "model")
    assert str(error) == f"The model '{name[:200]}' does not exist or you do not have access to it."
