"""What tells of batches and budgets: the bus tells programs, and the topic people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from batchyard.adapters.aws import client, translated
from batchyard.costs.budget import BUDGET_WARNING
from batchyard.domain import nesting, object_keys
from batchyard.domain.batch import Batch, shape
from batchyard.domain.errors import StoreError
from batchyard.domain.shard import answer_runs
from batchyard.domain.statuses import PAUSED, RESUMED, TRANSITIONS, VALIDATING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_events.type_defs import PutEventsRequestEntryTypeDef

    from batchyard.costs.budget import BudgetWarning
    from batchyard.domain.shard import Shard

NAMES: Final = {
    **{status: status.replace("_", " ").title() for status in TRANSITIONS},
    **{what: what.title() for what in (PAUSED, RESUMED)},
    VALIDATING: "Created",
}


SHARD_COMPLETED: Final = "Shard Completed"
BUDGET_WARNED: Final = "Budget Warning"
MOST_RUNS: Final = 500  # that an event names; it holds 256 KB
LONGEST_SUBJECT: Final = 99  # characters of a mail's subject, all of them printable ASCII


class EventBus:
    """Put events of source `batchyard` on the bus, and texts for people on a topic."""

    def __init__(self, bus: str, eventbridge: EventBridgeClient | None = None, topic: str = "") -> None:
        """Use this bus, and the topic with this ARN."""
        self._bus, self._topic = bus, topic
        self._eventbridge: EventBridgeClient = eventbridge or client("events")

    def announce(self, batch: Batch, what: str | None = None) -> None:
        """Put an event that tells the status of a batch, or `what` else happened to it.

        The detail type is `Batch` and one of `NAMES`.
        """
        self._tell(batch.batch_id, f"Batch {NAMES[what or batch.status]}", detail(batch))

    def announce_shard(self, batch: Batch, shard: Shard) -> None:
        """Put an event that tells where the outcomes of a shard that is done lie."""
        self._tell(batch.batch_id, SHARD_COMPLETED, shard_detail(batch, shard))

    def warn(self, warning: BudgetWarning, created_at: int, month: Mapping[str, object]) -> None:
        """Put an event that tells a tenant how far its budget of this month is spent; `month` has the amounts."""
        self._tell(f"a warning to {warning.tenant}", BUDGET_WARNED, warning_detail(warning, created_at, month))

    def notify(self, subject: str, text: str) -> None:
        """Send a text to each subscriber of the topic."""
        plain = "".join(each if each.isascii() and each.isprintable() else "?" for each in subject)[:LONGEST_SUBJECT]
        with translated("publishing a notification"):
            client("sns").publish(TopicArn=self._topic, Subject=plain, Message=text)

    def _tell(self, what: str, detail_type: str, text: str) -> None:
        entry: PutEventsRequestEntryTypeDef = {
            "EventBusName": self._bus, "Source": "batchyard", "DetailType": detail_type, "Detail": text,
        }  # fmt: skip
        with translated(f"announcing {what}"):
            answer = self._eventbridge.put_events(Entries=[entry])
        if answer["FailedEntryCount"]:
            raise StoreError(f"announcing {what}: {answer['Entries'][0].get('ErrorCode')}")


def warning_detail(warning: BudgetWarning, created_at: int, month: Mapping[str, object]) -> str:
    """Write the detail of a warning; `id` is the same however often the warning is told."""
    about = {
        "id": warning.event_id,
        "object": BUDGET_WARNING,
        "tenant": warning.tenant,
        "percent": warning.percent,
        "created_at": created_at,
    }
    return nesting.encode({**about, **month})


def detail(batch: Batch) -> str:
    """Write the detail of an event: OpenAI's `Batch`, with the tenant and `results`, the places of the results in S3.

    The list of errors is left out: an event holds at most 256 KB.
    """
    beside = {
        "tenant": batch.tenant, "created_ms": batch.created_ms or 0, "errors": None, "errors_total": batch.errors_total,
        "results": _results(batch),
    }  # fmt: skip
    return nesting.encode({**shape(batch), **beside})


def shard_detail(batch: Batch, shard: Shard) -> str:
    """Write the detail of the event of a shard: its lines, and where the answers of each attempt lie, in input order."""
    runs = _runs(batch, shard)
    told = {
        "batch_id": batch.batch_id, "tenant": batch.tenant, "shard": shard.shard, "shards": batch.shards,
        "endpoint": shard.endpoint, "model": shard.model, "provider": shard.provider, "lines": shard.lines,
        "first_line": shard.first, "last_line": shard.last, "completed": shard.completed,
        "failed": shard.failed, "unfinished": shard.unfinished,
        "reason": msgspec.to_builtins(shard.reason), "results": runs[-MOST_RUNS:], "results_total": len(runs),
    }  # fmt: skip
    return nesting.encode(told)


def _runs(batch: Batch, shard: Shard) -> list[dict[str, Any]]:
    """Return where the answers of each attempt lie that has some."""
    found: dict[int, dict[str, Any]] = {}
    for run in answer_runs(shard):
        told = {"attempt": run.attempt, object_keys.OUTPUT: None, object_keys.ERRORS: None}
        found.setdefault(run.attempt, told)[f"{run.name}.jsonl"] = f"s3://{batch.input.bucket}/{run.key}.jsonl"
    return [*found.values()]


def _results(batch: Batch) -> dict[str, str | None]:
    """Return where in S3 each result lies; None for a result that does not exist."""
    there = {object_keys.OUTPUT: batch.output_file_id, object_keys.ERRORS: batch.error_file_id}
    place = f"s3://{batch.input.bucket}/"
    return {
        name: f"{place}{object_keys.result(batch.tenant, batch.batch_id, name)}" if file_id else None
        for name, file_id in there.items()
    }
