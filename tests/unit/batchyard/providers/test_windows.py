"""A window that no provider has is refused, with those that there are."""

import pytest

from batch_client import PROFILES, Facts, Profile
from batchyard.api.batches import create_batch
from batchyard.domain.errors import ApiError
from batchyard.providers.windows import Windows, windows_of, wrong_window
from tests.fakes.batches import BUCKET
from tests.fakes.services import MemoryServices
from tests.fakes.world import memory_world

RANGE, TWO, ANY = Windows(("24h", "7d"), between=True), Windows(("1h", "24h")), Windows()


@pytest.mark.parametrize(
    ("windows", "window"), [(RANGE, "24h"), (RANGE, "25h"), (RANGE, "168h"), (RANGE, "3d"), (TWO, "1h"), (ANY, "99d")]
)
def test_a_window_that_a_provider_has_is_taken(windows: Windows, window: str) -> None:
    assert wrong_window([windows], window) is None


@pytest.mark.parametrize(
    ("windows", "window", "told"),
    [
        ([RANGE], "23h", "completion_window must be '24h' to '7d'."),
        ([RANGE], "8d", "completion_window must be '24h' to '7d'."),
        ([TWO], "2h", "completion_window must be '1h' or '24h'."),
        ([TWO], "soon", "completion_window must be '1h' or '24h'."),
        ([RANGE, TWO, TWO], "2h", "completion_window must be '24h' to '7d' or '1h' or '24h'."),
        ([ANY], "soon", "completion_window must look like 24h or 7d, not 'soon'"),
    ],
)
def test_a_window_that_none_has_is_refused_with_those_there_are(windows: list[Windows], window: str, told: str) -> None:
    error = wrong_window(windows, window)
    assert error is not None
    assert (error.code, error.param) == ("invalid_value", "completion_window")
    assert told in error.message


def test_one_provider_that_has_it_is_enough() -> None:
    assert wrong_window([TWO, RANGE], "3d") is None


def test_a_provider_has_the_windows_of_its_facts_or_the_usual_ones() -> None:
    known = MemoryServices(provider_base_url="https://api.groq.com/openai/v1")
    assert windows_of(known.account(), {"24h"}) == RANGE
    assert windows_of(MemoryServices().account(), {"48h", "24h"}) == Windows(("24h", "48h"))
    assert windows_of(MemoryServices().account()) == ANY


def test_a_batch_for_a_window_that_the_service_lacks_is_refused_by_the_api(monkeypatch: pytest.MonkeyPatch) -> None:
    row = Profile(name="odd", facts=Facts(source="made up, 2026", windows=("1h", "24h")))
    monkeypatch.setitem(PROFILES, "odd", row)
    services = MemoryServices(provider_profile="odd", completion_window="48h")
    asked = {"input_file_id": f"s3://{BUCKET}/inbox/default/x.jsonl", "endpoint": "/v1/responses"}
    with pytest.raises(ApiError, match="'1h' or '24h'"):
        create_batch(services, "default", {**asked, "completion_window": "48h"})
    assert create_batch(services, "default", {**asked, "completion_window": "1h"})["completion_window"] == "1h"


def test_an_upload_for_a_window_that_the_service_lacks_fails_with_those_it_has() -> None:
    world = memory_world(provider_base_url="https://api.openai.com/v1")
    batch = world.services.batch_store.batch(world.drop(b"{}", **{"completion-window": "7d"}))
    assert batch.status == "failed"
    assert batch.errors[0].message == "Invalid value: completion_window must be '24h'."
    assert world.provider.calls == []
