"""What we put on the bus is what the samples say: one for everything that may happen to a batch."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchyard.adapters.event_bus import NAMES, EventBus
from batchyard.budgets.spending import Month
from batchyard.costs.budget import BudgetWarning
from batchyard.costs.cost import PER_DOLLAR
from batchyard.costs.usage import Usage
from batchyard.domain.attempt import Attempt
from batchyard.domain.batch import Batch, BatchError, Counts
from batchyard.domain.errors import StoreError
from batchyard.domain.shard import DONE, Shard
from batchyard.domain.statuses import PAUSED, RESUMED, STAMPS, TRANSITIONS
from batchyard.domain.stored_file import file_id
from tests.fakes.batches import BATCH_ID, BUCKET, NOW, batch

ROOT = Path(__file__).resolve().parents[3]
# What a batch has been through before; the others come straight from its creation.
PATHS = {
    "validating": [],
    "failed": [],
    "finalizing": ["in_progress"],
    "completed": ["in_progress", "finalizing"],
    "cancelling": ["in_progress"],
    "cancelled": ["in_progress", "cancelling"],
    PAUSED: ["in_progress"],
    RESUMED: ["in_progress"],
}
NO_LINES = BatchError("empty_file", "The input has no requests. Write one JSON request object per line.")


class Bus:
    """An EventBridge client that keeps what it is given, or answers that it did not take it."""

    def __init__(self, failed: int = 0) -> None:
        self.entries: list[dict[str, Any]] = []
        self.failed = failed

    def put_events(self, *, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3's own name
        self.entries += Entries
        return {"FailedEntryCount": self.failed, "Entries": [{"ErrorCode": "ThrottlingException"}]}


def after(what: str) -> Batch:
    """Make the batch of the samples as it is when this happens to it."""
    been = [*PATHS.get(what, []), *([what] if what in STAMPS else [])]
    stamps = {STAMPS[status]: NOW + 60 * (at + 1) for at, status in enumerate(been)}
    status = been[-1] if been else "validating"
    planned = {"endpoint": "/v1/responses", "model": "gpt-4.1-mini", "counts": Counts(total=3)}
    ended = {
        "counts": Counts(3, 2, 1), "usage": Usage(300, 0, 120, 0, 420),
        "output_file_id": file_id(BATCH_ID, "output.jsonl"), "error_file_id": file_id(BATCH_ID, "errors.jsonl"),
    }  # fmt: skip
    members: dict[str, Any] = {**(planned if "in_progress" in been else {})}
    members |= ended if status in {"completed", "cancelled"} else {}
    members |= {"errors": [NO_LINES], "errors_total": 1} if status == "failed" else {}
    members |= {"paused": "The provider refused us: You exceeded your current quota."} if what == PAUSED else {}
    return msgspec.structs.replace(batch(), status=status, metadata={"project": "corpus"}, **stamps, **members)


def emitted(what: str) -> dict[str, Any]:
    bus = Bus()
    EventBus("bus", bus).announce(after(what), what)  # type: ignore[arg-type]  # it calls nothing else
    (entry,) = bus.entries
    return entry


@pytest.mark.parametrize("what", NAMES)
def test_the_sample_is_what_is_emitted(what: str) -> None:
    name = NAMES[what].lower().replace(" ", "-")
    sample = json.loads((ROOT / f"events/bus.batch-{name}.json").read_text(encoding="utf-8"))
    entry = emitted(what)
    assert (entry["Source"], entry["DetailType"], entry["EventBusName"]) == (
        sample["source"],
        sample["detail-type"],
        "bus",
    )
    assert json.loads(entry["Detail"]) == sample["detail"]


def test_an_event_names_the_results_that_are_there_and_where() -> None:
    there = json.loads(emitted("completed")["Detail"])["results"]
    place = f"s3://{BUCKET}/results/default/{BATCH_ID}"
    assert there == {name: f"{place}/{name}" for name in ("output.jsonl", "errors.jsonl")}
    assert set(json.loads(emitted("in_progress")["Detail"])["results"].values()) == {None}


def shard(attempts: int) -> Shard:
    """Make a shard that is done after so many attempts, each with answers."""
    made = [Attempt(number=at + 1, started_at=0, lines=3, succeeded=2, failed=at % 2, runs=9) for at in range(attempts)]
    return Shard(
        batch_id=BATCH_ID, shard=0, expires_at_ttl=0, endpoint="/v1/responses", model="gpt-4.1-mini", lines=3, first=0, last=2,
        provider="api.openai.com", unfinished=0, status=DONE, completed=2, failed=1, attempts=made,
    )  # fmt: skip


def announced_shard(attempts: int) -> dict[str, Any]:
    bus, ran = Bus(), msgspec.structs.replace(after("in_progress"), shards=1)
    EventBus("bus", bus).announce_shard(ran, shard(attempts))  # type: ignore[arg-type]  # as above
    (entry,) = bus.entries
    return entry


def test_the_sample_of_a_shard_is_what_is_emitted() -> None:
    sample, entry = (
        json.loads((ROOT / "events/bus.shard-completed.json").read_text(encoding="utf-8")),
        announced_shard(2),
    )
    assert (entry["Source"], entry["DetailType"]) == (sample["source"], sample["detail-type"])
    assert json.loads(entry["Detail"]) == sample["detail"]


def test_an_event_holds_a_shard_of_many_attempts() -> None:
    entry = announced_shard(1_000)
    told = json.loads(entry["Detail"])
    assert (len(told["results"]), told["results_total"], told["results"][-1]["attempt"]) == (500, 1_000, 1_000)
    assert len(json.dumps(entry)) < 256_000


def test_there_is_a_sample_for_everything_that_may_happen_and_no_other() -> None:
    named = {f"bus.batch-{name.lower().replace(' ', '-')}.json" for name in NAMES.values()}
    others = {"bus.budget-warning.json", "bus.shard-completed.json"}
    assert {path.name for path in (ROOT / "events").glob("bus.*")} == named | others
    assert set(NAMES) == {*TRANSITIONS, PAUSED, RESUMED}


def test_a_warning_is_what_its_sample_says() -> None:
    sample, bus = json.loads((ROOT / "events/bus.budget-warning.json").read_text(encoding="utf-8")), Bus()
    month = Month("2026-09", 250 * PER_DOLLAR, 192_250 * PER_DOLLAR // 1_000, 12_250 * PER_DOLLAR // 1_000)
    EventBus("bus", bus).warn(BudgetWarning("default", "2026-09", 250 * PER_DOLLAR, 80), NOW, month.shape())  # type: ignore[arg-type]  # as above
    (entry,) = bus.entries
    assert (entry["Source"], entry["DetailType"]) == (sample["source"], sample["detail-type"])
    assert json.loads(entry["Detail"]) == sample["detail"]


def test_an_event_holds_the_longest_batch() -> None:
    longest = msgspec.structs.replace(
        after("failed"), errors=[NO_LINES] * 1_000, metadata={f"k{at}": "v" * 512 for at in range(16)}
    )
    bus = Bus()
    EventBus("bus", bus).announce(longest)  # type: ignore[arg-type]  # as above
    assert len(json.dumps(bus.entries[0])) < 256_000


def test_an_event_the_bus_did_not_take_is_trouble_of_the_store_and_so_tried_again() -> None:
    with pytest.raises(StoreError, match="ThrottlingException"):
        EventBus("bus", Bus(failed=1)).announce(after("completed"))  # type: ignore[arg-type]  # as above


@pytest.mark.parametrize("amount", ["Infinity", "NaN", "1e400", "+1_0", "soon"])
def test_an_amount_that_is_none_stops_no_event(amount: str) -> None:
    bus, preflight = Bus(), '{"estimated_usd": 1.5}'
    poisoned = msgspec.structs.replace(after("completed"), max_cost_usd=amount, preflight=preflight)
    EventBus("bus", bus).announce(poisoned)  # type: ignore[arg-type]  # as above
    (entry,) = bus.entries
    assert msgspec.json.decode(entry["Detail"])["preflight"] == {"estimated_usd": 1.5}
    assert "max_cost_usd" not in msgspec.json.decode(entry["Detail"])
