"""How far the plan of a batch has come: the checkpoint that one invocation writes for the next."""

from typing import Any, Final

import msgspec

from batchyard.adapters.object_writer import Begun
from batchyard.domain import object_keys
from batchyard.domain.batch import REFUSE, BatchError, InputObject
from batchyard.lines.file_places import FileRead
from batchyard.lines.shard_lines import PackedLines
from batchyard.planning.duplicates import Repeats
from batchyard.planning.output_limits import OutputLimits
from batchyard.services import Services

PROGRESS: Final = "progress.msgpack"
SHOWN_RANGES: Final = 1_000


class TargetSize(msgspec.Struct):
    """What would be sent of one target."""

    endpoint: str
    model: str
    #: The provider that they go to.
    provider: str
    lines: int = 0
    #: Shards with a line that is not skipped.
    shards: int = 0
    #: Of the lines, as they are uploaded.
    bytes: int = 0
    #: Lines of shards with fewer than a batch may have: they go one by one, at the full price.
    one_by_one: int = 0


class TakenRun(msgspec.Struct, frozen=True, array_like=True):
    """A run of answers that are taken over: its first and last position, its answers, and where they lie in the copy."""

    first: int
    last: int
    count: int
    #: The byte of the copy at which the run begins.
    start: int
    #: Bytes.
    size: int
    #: Of all its answers; 0 if lines that are not of the run lie between.
    crc32: int


class RetryProgress(msgspec.Struct):
    """How far the results of the batch that is retried are read beside the input."""

    #: Copies of these results, which stay until the retry has ended.
    output: InputObject | None = None
    errors: InputObject | None = None
    #: The byte of each copy from which the reading goes on.
    output_offset: int = 0
    errors_offset: int = 0
    #: Of a gathered input: the lines of each result that are left of the file that is read.
    output_left: int = 0
    errors_left: int = 0
    #: Lines that keep the error that they have: no errors of the retry.
    kept: int = 0
    #: Answers that are taken over, and the runs of them.
    taken: int = 0
    taken_runs: list[TakenRun] = []
    #: The positions of lines that are sent: the first and the last one of each range, and how many ranges there are.
    #: Of a retry of all lines they are noted at the end of the plan, as duplicates are skipped late.
    sent: list[tuple[int, int]] = []
    sent_ranges: int = 0
    sent_lines: int = 0
    sent_last: int = -2
    #: How far the changed lines are written; None when none are, or all of them.
    changing: Begun | None = None
    #: Bytes of the changed lines, and those that are counted toward what the tenant stores.
    changed_bytes: int = 0
    changed_counted: int = 0
    #: The changed lines, complete.
    changed: InputObject | None = None

    def note_sent(self, first: int, last: int) -> None:
        """Note that lines from `first` to `last` are sent; positions ascend. The first thousand ranges stay."""
        self.sent_lines += last - first + 1
        if first == self.sent_last + 1:
            if self.sent_ranges == len(self.sent):
                self.sent[-1] = self.sent[-1][0], last
        else:
            self.sent_ranges += 1
            if len(self.sent) < SHOWN_RANGES:
                self.sent.append((first, last))
        self.sent_last = last


class PlanProgress(msgspec.Struct, kw_only=True):
    """The checkpoint of a plan: all that another process needs to go on."""

    #: The endpoint that the lines are checked against; None when the lines decide.
    asked_endpoint: str | None = None
    #: The provider that the batch is for; None when the lines decide.
    asked_provider: str | None = None
    #: What becomes of a batch with bad lines, as the scan takes it.
    on_invalid: str = REFUSE
    #: Whether the output limits of the lines are summed up, for an estimate.
    metered: bool = False

    #: How far a packed input is unpacked; None when none is, or all of it.
    unpacking: Begun | None = None
    #: Bytes of the unpacked input that are counted toward what the tenant stores.
    counted_bytes: int = 0
    #: The byte of the source from which the scan goes on.
    offset: int = 0
    #: The number of the last line that was read.
    number: int = 0
    #: Requests so far, skipped lines among them.
    lines: int = 0
    #: Shards so far, the open ones among them.
    shards: int = 0
    #: The lists of the shards that are not full yet.
    open_shards: list[PackedLines] = []
    #: The endpoint of the first good line.
    endpoint: str | None = None
    models: set[str] = set()
    #: The names of the providers that lines go to.
    providers: set[str] = set()
    output_limits: list[OutputLimits] = []

    #: The first errors, as far as the record of the batch has room for them.
    errors: list[BatchError] = []
    errors_total: int = 0
    #: Bytes that `errors` takes in the record.
    errors_bytes: int = 0
    #: Errors by their code.
    codes: dict[str, int] = {}
    #: Whether one of them says which providers there are, and the remedy.
    providers_told: bool = False
    #: Whether no line could be read: the input is gone, damaged, or not JSON lines.
    unreadable: bool = False
    skipped_lines: int = 0
    #: The first position and the count of lines of each run of skipped lines.
    skipped_runs: list[tuple[int, int]] = []
    #: Shards of which all lines are skipped.
    emptied_shards: list[int] = []

    #: The lines whose custom_id an earlier line has.
    repeats: Repeats = msgspec.field(default_factory=Repeats)
    #: Whether the checks of the whole input are done; no shard is open then.
    whole_input_checked: bool = False
    #: Sums over the first `sized_shards` shards.
    target_sizes: list[TargetSize] = []
    sized_shards: int = 0
    #: Shards that are still to be copied, because reading them from the source takes too long.
    scattered: set[int] = set()
    #: Of a gathered input: what is read of its files.
    files_read: list[FileRead] = []
    #: Only of a retry.
    retry: RetryProgress = msgspec.field(default_factory=RetryProgress)


def shown_errors(progress: PlanProgress) -> dict[str, Any]:
    """Return the errors that the record of the batch shows, and how many there are."""
    return {"errors": progress.errors, "errors_total": progress.errors_total - progress.retry.kept}


def read_progress(services: Services, batch_id: str) -> PlanProgress:
    """Read how far an unfinished plan came."""
    return msgspec.msgpack.decode(services.bucket.get(object_keys.plan(batch_id, PROGRESS)), type=PlanProgress)


def write_progress(services: Services, batch_id: str, progress: PlanProgress) -> None:
    """Write how far a plan came, for the next invocation."""
    services.bucket.put(object_keys.plan(batch_id, PROGRESS), msgspec.msgpack.encode(progress))
