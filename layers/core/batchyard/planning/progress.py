"""How far the plan of a batch has come: what one invocation hands to the next."""

from typing import Final

import msgspec

from batchyard.adapters.object_writer import Begun
from batchyard.domain import object_keys
from batchyard.domain.batch import REFUSE, BatchError
from batchyard.lines.shard_lines import PackedLines
from batchyard.planning.duplicates import Repeats
from batchyard.planning.output_limits import Load, Outputs
from batchyard.services import Services

PROGRESS: Final = "progress.msgpack"


class PlanProgress(msgspec.Struct, kw_only=True):
    """How far the pass has come: all it needs to go on in another process.

    `offset` is in bytes; counts begin at 0; `asked` is the endpoint the lines were checked against.
    `asides` are the runs of lines set aside, each by its first position and its count, `codes` those lines by their errors,
    and `emptied` the shards that have no other lines. `outputs` is what lines allow of output, where that is `metered`.
    `unpacking` is how far a packed input is unpacked; once duplicates were `looked` for, no shard is open any more, and
    `scattered` are the shards that are still to be copied to be read at all fast. `loads` sum up the first `weighed` shards.
    """

    offset: int = 0
    numbers: int = 0
    lines: int = 0
    shards: int = 0
    opened: list[PackedLines] = []
    asked: str | None = None
    endpoint: str | None = None
    models: set[str] = set()
    errors: list[BatchError] = []
    errors_total: int = 0
    errors_bytes: int = 0
    on_invalid: str = REFUSE
    set_aside: int = 0
    skipped: list[tuple[int, int]] = []
    codes: dict[str, int] = {}
    emptied: list[int] = []
    unpacking: Begun | None = None
    looked: bool = False
    scattered: set[int] = set()
    weighed: int = 0
    loads: list[Load] = []
    repeats: Repeats = msgspec.field(default_factory=Repeats)
    metered: bool = False
    outputs: list[Outputs] = []
    unreadable: bool = False


def read_progress(services: Services, batch_id: str) -> PlanProgress:
    """Read how far an unfinished plan came."""
    return msgspec.msgpack.decode(services.bucket.get(object_keys.plan(batch_id, PROGRESS)), type=PlanProgress)


def write_progress(services: Services, batch_id: str, progress: PlanProgress) -> None:
    """Write how far a plan came, for the next invocation."""
    services.bucket.put(object_keys.plan(batch_id, PROGRESS), msgspec.msgpack.encode(progress))
