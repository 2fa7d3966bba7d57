"""What the plan of a batch found, as it is kept in S3."""

from typing import Any, Final

import msgspec

from batchyard.costs.cost import Cost
from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, InputObject, shape
from batchyard.planning.progress import TakenRun
from batchyard.services import Services

SUMMARY: Final = "summary.msgpack"


class Summary(msgspec.Struct, frozen=True):
    """What the plan found. The summary is written last, so a plan that has one is complete."""

    #: Requests of the batch, skipped lines among them.
    lines: int
    shards: int
    #: That of the first good line.
    endpoint: str | None
    #: None when there are several.
    model: str | None
    #: The first position and the count of lines of each run of skipped lines.
    skipped_runs: list[tuple[int, int]] = []
    #: Skipped lines by their error.
    codes: dict[str, int] = {}
    #: The runs of answers that are taken over, and the copy that holds them.
    taken_runs: list[TakenRun] = []
    taken_from: InputObject | None = None
    #: Of a retry: the positions of lines that are sent, and how many ranges of them there are.
    sent: list[tuple[int, int]] = []
    sent_ranges: int = 0
    sent_lines: int = 0


def read_summary(services: Services, batch_id: str) -> Summary:
    """Read what the plan found."""
    return msgspec.msgpack.decode(services.bucket.get(object_keys.plan(batch_id, SUMMARY)), type=Summary)


def write_summary(services: Services, batch_id: str, summary: Summary) -> None:
    """Write what the plan found."""
    services.bucket.put(object_keys.plan(batch_id, SUMMARY), msgspec.msgpack.encode(summary))


def shown_input(source: InputObject) -> dict[str, Any]:
    """Show the input as a report does; of a gathered one, also how many files it has and the key of their list."""
    shown: dict[str, Any] = msgspec.to_builtins(source)
    if source.files is None:
        del shown["files"], shown["file_count"]
    return shown


def report_unsent(services: Services, batch: Batch, files: dict[str, Any] | None = None) -> None:
    """Write the report of a batch that sent nothing: the batch as its user sees it, the tenant, the input and its `files`."""
    proof = {"cost": Cost().shape(), **shape(batch), "tenant": batch.tenant, "input": shown_input(batch.input)}
    proof |= files or {}
    report_key = object_keys.result(batch.tenant, batch.batch_id, object_keys.REPORT)
    services.bucket.put(report_key, msgspec.json.format(msgspec.json.encode(proof)))
