"""The words of a scenario file: which failure, and when. `--help` shows them with examples.

Unknown members are refused, so that a misspelt fault cannot pass for a test that found nothing.
"""

from typing import Any, Literal

import msgspec

from local.emulator import ranges
from local.emulator.ranges import EVERY, Range

OperationName = Literal[
    "*",
    "createFile",
    "listFiles",
    "retrieveFile",
    "deleteFile",
    "downloadFile",
    "createBatch",
    "listBatches",
    "retrieveBatch",
    "cancelBatch",
    "createUpload",
    "addUploadPart",
    "completeUpload",
    "cancelUpload",
    "createWebhookEndpoint",
    "listWebhookEndpoints",
    "retrieveWebhookEndpoint",
    "updateWebhookEndpoint",
    "deleteWebhookEndpoint",
    "rotateWebhookSecret",
    "testWebhookEndpoint",
    "createResponse",
    "createChatCompletion",
    "createEmbedding",
    "createCompletion",
    "createModeration",
    "createImage",
]


class Rule(msgspec.Struct, forbid_unknown_fields=True):
    """What the rules of a scenario share: unknown members are refused."""


class Cut(Rule):
    """Send the body only up to `at`: bytes when 1 or more, a share when less."""

    at: float = 0.5
    framing: Literal["length", "chunked", "close"] = "length"
    reset: bool = False


class Dribble(Rule):
    """Send the body `bytes` at a time with a pause of `seconds` between."""

    bytes: int = 1
    seconds: float = 0.05


class CallFault(Rule):
    """What goes wrong with one API call."""

    delay: float = 0.0
    status: int | None = None
    error: dict[str, Any] | None = None
    body: Any = None
    html: bool = False
    headers: dict[str, str] = {}
    connection: Literal["reset", "close", "stall"] | None = None
    after_effect: bool = False
    early: bool = False
    set: dict[str, Any] = {}
    unset: list[str] = []
    wrap: str | None = None
    hide_newest: int = 0
    cut: Cut | None = None
    dribble: Dribble | None = None
    gzip: bool = False

    @property
    def replaces_reply(self) -> bool:
        """Say whether the caller gets something else than the operation's own answer."""
        return self.status is not None or self.connection is not None or self.body is not None or self.html


class CallRule(Rule):
    """Order `do` for the calls of `operation` whose count falls into `nth`.

    `batch` (1 = the first made under this scenario) and `filename` (with `*` and `?`) pick the calls that are about those;
    with `each_batch` the calls about each batch are counted apart.
    """

    do: CallFault
    operation: OperationName = "*"
    nth: Range = EVERY
    batch: Range | None = None
    filename: str | None = None
    each_batch: bool = False
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.nth)
        ranges.check(self.batch or EVERY)


class LineFault(Rule):
    """What goes wrong with one line of a batch."""

    status: int | None = None
    code: str | None = None
    message: str | None = None
    body: dict[str, Any] | None = None
    error: str | None = None
    bare: bool = False
    malformed: bool = False
    missing: bool = False
    duplicate: bool = False
    unknown_custom_id: bool = False


class LineRule(Rule):
    """Order `do` for the lines whose `custom_id` (with `*` and `?`), 1-based line number and chance fit.

    With `times`, a custom_id is hit only the first so many times it is run, over all batches.
    """

    do: LineFault
    custom_id: str | list[str] = "*"
    lines: Range = EVERY
    share: float = 1.0
    times: int | None = None

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.lines)


class BatchFault(Rule):
    """What goes wrong with one batch."""

    fail: list[dict[str, Any] | str] | str | None = None
    expire_after: float | None = None
    stuck: Literal["validating", "in_progress", "finalizing", "cancelling"] | None = None
    seconds: float | None = None
    empty_file_ids: bool = False
    no_output_file: bool = False
    cancel_finishes: bool = False
    webhook: Literal["lost", "twice", "forged", "late"] | None = None
    lines: list[LineRule] = []


class BatchRule(Rule):
    """Order `do` for the batches whose ordinal (1 = the first made under this scenario), model, endpoint and metadata fit."""

    do: BatchFault
    batch: Range = EVERY
    nth: Range = EVERY
    model: str | None = None
    endpoint: str | None = None
    metadata: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.batch)
        ranges.check(self.nth)


class Scenario(Rule):
    """Every ordered failure and every limit of one emulator."""

    seed: int = 0
    api_key: str | None = None
    calls: list[CallRule] = []
    batches: list[BatchRule] = []
    lines: list[LineRule] = []
    models: list[str] | None = None
    enqueued_token_limits: dict[str, int] = {}
    creates_per_hour: int = 2000
    max_file_bytes: int = 209_715_200
    max_lines: int = 50_000
    ranges: bool = False
    seconds_per_batch: float = 1.5
    answer_bytes: int = 0
    embedding_dimensions: int = 64


def parse(text: bytes) -> Scenario:
    """Read a scenario; raises msgspec.ValidationError naming the member that is wrong."""
    return msgspec.json.decode(text, type=Scenario)
