"""What the plan of a batch found, as it is kept in S3."""

from typing import Final

import msgspec

from batchyard.domain import object_keys
from batchyard.domain.batch import Batch, shape
from batchyard.services import Services

SUMMARY: Final = "summary.msgpack"


class Summary(msgspec.Struct, frozen=True):
    """What the plan found out: written last, so that a plan with a summary is whole.

    `asides` are the runs of lines set aside, each by its first position and its count; `codes` counts those lines by error.
    """

    lines: int
    shards: int
    endpoint: str | None
    model: str | None
    skipped: list[tuple[int, int]] = []
    codes: dict[str, int] = {}


def read_summary(services: Services, batch_id: str) -> Summary:
    """Read what the plan found out."""
    return msgspec.msgpack.decode(services.bucket.get(object_keys.plan(batch_id, SUMMARY)), type=Summary)


def write_summary(services: Services, batch_id: str, summary: Summary) -> None:
    """Write what the plan found out."""
    services.bucket.put(object_keys.plan(batch_id, SUMMARY), msgspec.msgpack.encode(summary))


def report_unsent(services: Services, batch: Batch) -> None:
    """Write the report of a batch of which nothing was sent: the batch as its user sees it, its tenant and its input."""
    proof = {**shape(batch), "tenant": batch.tenant, "input": msgspec.to_builtins(batch.input)}
    report_key = object_keys.result(batch.tenant, batch.batch_id, "report.json")
    services.bucket.put(report_key, msgspec.json.format(msgspec.json.encode(proof)))
