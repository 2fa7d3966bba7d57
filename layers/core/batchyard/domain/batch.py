"""A batch: its record, and its shape in OpenAI's API."""

import hashlib
from typing import Any, Final

import msgspec

from batchyard.costs.cost import Cost
from batchyard.costs.usage import Usage
from batchyard.domain import statuses
from batchyard.domain.numbers import DAY, HOUR, amount, whole

SHOWN_ERRORS: Final = 1_000
INLINE, BY_FILE = "inline", "file"
REFUSE, SKIP = "refuse", "skip"  # a batch with bad lines is refused, or runs without them
# Which lines of an ended batch are sent again: those without success, not accepted, or that never ran; or every line.
RETRY_LINES: Final = ("errors", "not_accepted", "cancelled", "all")
RETRY_ERRORS, RETRY_NOT_ACCEPTED, RETRY_CANCELLED, RETRY_ALL = RETRY_LINES
#: As the endpoint of a batch that is asked for: each line says its own url, as in an upload to the inbox.
ANY_ENDPOINT: Final = "*"
# OpenAI's clients refuse a batch without an endpoint. Until Plan has read the first line, this one is shown.
USUAL_ENDPOINT: Final = "/v1/chat/completions"
WINDOW_UNITS: Final = {"h": HOUR, "d": DAY}
LONGEST_WINDOW: Final = 4  # characters; clients generated from OpenAI's description read times as 32 bits

TIMES: Final = (
    "in_progress_at", "expires_at", "finalizing_at", "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at",
)  # fmt: skip
AS_RECORDED: Final = (
    "input_file_id", "completion_window", "status", "output_file_id", "error_file_id", "created_at", *TIMES,
)  # fmt: skip


class InputObject(msgspec.Struct, frozen=True):
    """One version of one object in the data bucket, or the files of a folder of it."""

    bucket: str
    key: str
    etag: str
    size: int  # bytes
    version_id: str | None = None
    #: S3's own checksum of the whole object, as `CRC64NVME:…` in base64.
    checksum: str | None = None
    #: Of a gathered batch, whose input is many files one after the other: the key of their list, and how many there are.
    files: str | None = None
    file_count: int = 0

    @property
    def uri(self) -> str:
        """Name the object as `s3://bucket/key`."""
        return f"s3://{self.bucket}/{self.key}"


class BatchError(msgspec.Struct, frozen=True):
    """An entry of `errors.data`, or the reason why lines are not answered."""

    code: str
    message: str
    param: str | None = None
    #: The number of the line in the input, from 1; None where the whole input is meant.
    line: int | None = None


class Counts(msgspec.Struct, frozen=True):
    """OpenAI's `request_counts`."""

    total: int = 0
    completed: int = 0
    failed: int = 0


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """The record `BATCH#<id>` / `BATCH`. Times are Unix seconds."""

    batch_id: str
    tenant: str
    status: str
    created_at: int
    input: InputObject
    completion_window: str
    expires_at: int
    #: When DynamoDB may drop the record.
    expires_at_ttl: int
    input_file_id: str
    created_ms: int | None = None  # milliseconds after `created_at`: batches of one second are listed in their order
    #: The unpacked input, if the input is packed.
    source: InputObject | None = None
    endpoint: str | None = None
    model: str | None = None
    metadata: dict[str, str] | None = None
    output_expires_after: dict[str, Any] | None = None
    #: The token of the API request that owns the batch; None if only an upload made the batch.
    owned_by_request: str | None = None
    #: The schedule and its firing that made the batch, as `<schedule id>/<key>`.
    firing: str | None = None
    on_invalid: str = REFUSE
    dry_run: bool = False
    #: The provider that all its lines go to, None where the lines decide; and those that it has shards for.
    provider: str | None = None
    providers: list[str] = []
    #: US dollars, as text: the table holds whole numbers only.
    max_cost_usd: str | None = None
    #: True if its tenant had a monthly budget when the batch was made.
    budgeted: bool = False
    #: What an answer must be to count as success; None or empty for nothing beside its status.
    accept: dict[str, Any] | None = None
    preflight: str | None = None  # the estimate, as JSON text for the same reason
    counts: Counts = Counts()
    usage: Usage | None = None
    #: What the tokens of `usage` cost; and what is known by its estimate alone beyond that, in 1 / PER_DOLLAR dollars.
    cost: Cost = Cost()
    expected: int = 0
    #: The whole `cost` that the report shows, as JSON text; None until the batch ends.
    priced: str | None = None
    #: The batch that this one retries, and which of its lines; None if it retries none.
    retry_of: str | None = None
    retry_lines: str = RETRY_ERRORS
    #: The JSON merge patch of the bodies that are sent again, as JSON text; None if they stay as they are.
    retry_body: str | None = None
    taken_over: int = 0  # answers that are taken over from `retry_of`
    #: How many of the answers that may be taken over each batch has answered itself: the eldest batch comes first.
    history: list[tuple[str, int]] = []
    #: The lines that are sent again, as `retry_body` changes them.
    changed: InputObject | None = None
    #: The latest retry of this batch that was to send anything.
    retried_by: str | None = None
    shards: int = 0
    files_set_aside: int = 0  # of a gathered batch, as they hold no requests
    errors: list[BatchError] = []
    errors_total: int = 0
    paused: str | None = None  # why shards of the batch are paused; None while none is
    waits: str | None = None  # what shards wait for that wait their turn; no event tells of it
    told_paused: bool = False  # whether the last event on the bus said that the batch is paused
    shards_asked_at: int | None = None  # when they were last asked to act at once, by a cancel or a resume
    restarts: int = 0  # executions that died before the present one
    drain_reason: BatchError | None = None  # why nothing more is sent, while the provider's answers are still stored
    draining_since: int | None = None
    output_file_id: str | None = None
    error_file_id: str | None = None
    messages_input: str | None = (
        None  # how Anthropic's route was given them, `inline` or by `file`; None: another route
    )
    messages_file_id: str | None = None  # the file of the results in Anthropic's shape
    deleted_at: int | None = None  # when Anthropic's route deleted the batch and its files
    in_progress_at: int | None = None
    finalizing_at: int | None = None
    completed_at: int | None = None
    failed_at: int | None = None
    expired_at: int | None = None
    cancelling_at: int | None = None
    cancelled_at: int | None = None

    @property
    def why_waiting(self) -> str | None:
        """Say what the batch waits for: a pause before a wait for its turn; None while no shard waits."""
        return self.paused or self.waits

    @property
    def estimated(self) -> bool:
        """Tell whether the batch is estimated before anything is sent."""
        return self.dry_run or self.budgeted or self.max_cost_usd is not None

    @property
    def lines_in(self) -> InputObject:
        """Name the object that the places of the lines of the shards are in."""
        return self.changed or self.source or self.input

    @property
    def gathered(self) -> bool:
        """Tell whether the input is the files of a gather folder."""
        return self.input.files is not None

    @property
    def void(self) -> bool:
        """Tell whether its gathered files are free: nothing of it was sent, and they are not those of a batch it retries."""
        unsent = statuses.is_unsent(self.status, self.in_progress_at)
        return unsent and self.gathered and self.retry_of is None

    @property
    def ended(self) -> bool:
        """Tell whether the status can change no more."""
        return self.status in statuses.ENDED

    @property
    def stopping(self) -> bool:
        """Tell whether its provider batches are to be cancelled."""
        return self.ended or self.status == statuses.CANCELLING or self.drain_reason is not None


def shape(batch: Batch) -> dict[str, Any]:
    """Shape OpenAI's `Batch`: every member is present, and null where unset, as in OpenAI's own answers."""
    return {
        "id": batch.batch_id, "object": "batch", "endpoint": batch.endpoint or USUAL_ENDPOINT, "model": batch.model,
        "errors": {"object": "list", "data": msgspec.to_builtins(batch.errors)} if batch.errors else None,
        **{name: getattr(batch, name) for name in AS_RECORDED},
        "request_counts": msgspec.to_builtins(batch.counts),
        "usage": batch.usage.shape() if batch.usage and batch.usage.fits else None,
        **_cost(batch),
        "metadata": batch.metadata,
        **({"messages_file_id": batch.messages_file_id} if batch.messages_file_id else {}),
        **({"paused": batch.why_waiting} if batch.why_waiting and not batch.ended else {}),
        **({"errors_total": batch.errors_total} if batch.errors else {}),
        **_options(batch),
    }  # fmt: skip


def _options(batch: Batch) -> dict[str, Any]:
    """Show our own options and the estimate, if the request named any."""
    asked = {
        "input_prefix": batch.input.key if batch.input.files else None,
        "input_files": batch.input.file_count or None,
        "files_set_aside": batch.files_set_aside or None, "dry_run": batch.dry_run or None, "provider": batch.provider,
        "on_invalid": batch.on_invalid if batch.on_invalid != REFUSE else None,
        "providers": batch.providers if len(batch.providers) > 1 else None,
        "max_cost_usd": float(most) if (most := amount(batch.max_cost_usd)) is not None else None,
        "accept": batch.accept or None,
        "preflight": msgspec.json.decode(batch.preflight) if batch.preflight else None,
        "retry_of": batch.retry_of, "retried_by": batch.retried_by,
        "retry_lines": batch.retry_lines if batch.retry_of else None,
        "retry_body": msgspec.json.decode(batch.retry_body) if batch.retry_body else None,
        "taken_over": batch.taken_over if batch.retry_of else None,
        "schedule": batch.firing and batch.firing.partition("/")[0],
    }  # fmt: skip
    return {name: value for name, value in asked.items() if value is not None}


def _cost(batch: Batch) -> dict[str, Any]:
    """Show what the batch cost, or what it has cost so far; nothing before its first tokens."""
    if batch.priced is not None:
        return {"cost": msgspec.json.decode(batch.priced)}
    return {"cost": batch.cost.shape()} if batch.cost != Cost() else {}


def derived_id(*parts: str) -> str:
    """Name a batch after its cause, so that the same cause always names the same batch."""
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass"))
    return f"batch_{digest.hexdigest()[:32]}"


def execution_name(batch_id: str, restarts: int = 0) -> str:
    """Name the execution that a batch has after this many restarts; the first one is named as the batch is."""
    return f"{batch_id}-{restarts + 1}" if restarts else batch_id


def window_seconds(window: str) -> int:
    """Read `24h` or `7d` as seconds; raises ValueError for anything else."""
    count, unit = whole(window[:-1]), window[-1:]
    if count is None or count < 1 or len(window) > LONGEST_WINDOW or unit not in WINDOW_UNITS:
        raise ValueError(f"completion_window must look like 24h or 7d, not {window!r}")
    return count * WINDOW_UNITS[unit]
