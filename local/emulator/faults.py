"""The members of a scenario file: which failure happens, and when. `--help` shows them with examples.

Unknown members are refused. So a misspelt fault cannot pass for a test that found nothing.
"""

from typing import Literal

import msgspec

from local.emulator import ranges
from local.emulator.fault_kinds import (
    BatchFault,
    CallFault,
    Cut,
    Dribble,
    Flex,
    LineFault,
    LineRule,
    Rule,
    Spoilt,
)
from local.emulator.ranges import EVERY, Range

__all__ = [
    "BatchFault", "BatchRule", "CallFault", "CallRule", "Cut", "Dribble", "Flex", "LineFault", "LineRule", "Messages",
    "OperationName", "Rule", "Scenario", "Spoilt", "parse",
]  # fmt: skip

OperationName = Literal[
    "*", "createFile", "listFiles", "retrieveFile", "deleteFile", "downloadFile",
    "createBatch", "listBatches", "retrieveBatch", "cancelBatch",
    "createUpload", "addUploadPart", "completeUpload", "cancelUpload",
    "createWebhookEndpoint", "listWebhookEndpoints", "retrieveWebhookEndpoint", "updateWebhookEndpoint",
    "deleteWebhookEndpoint", "rotateWebhookSecret", "testWebhookEndpoint",
    "createMessageBatch", "listMessageBatches", "retrieveMessageBatch", "cancelMessageBatch", "deleteMessageBatch",
    "retrieveMessageBatchResults", "createMessage",
    "createModelInvocationJob", "listModelInvocationJobs", "getModelInvocationJob", "stopModelInvocationJob", "invokeModel",
    "converse",
    "createBatchJob", "listBatchJobs", "retrieveBatchJob", "cancelBatchJob", "createFimCompletion",
    "createResponse", "createChatCompletion", "createEmbedding", "createCompletion", "createModeration", "createImage",
]  # fmt: skip


class CallRule(Rule):
    """Order a failure for some API calls."""

    do: CallFault
    #: The operation whose calls match.
    operation: OperationName = "*"
    #: Which of the matching calls fail, by their count from 1.
    nth: Range = EVERY
    #: Only calls about these batches match; 1 is the first batch made under this scenario.
    batch: Range | None = None
    #: Only calls about files of this name match; the name may have `*` and `?`.
    filename: str | None = None
    #: Whether the calls about each batch are counted apart.
    each_batch: bool = False
    #: The chance that a matching call fails.
    share: float = 1.0

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.nth)
        ranges.check(self.batch or EVERY)


class BatchRule(msgspec.Struct, forbid_unknown_fields=True):
    """Order a failure for some batches."""

    do: BatchFault
    #: The ordinals of the batches that match; 1 is the first batch made under this scenario.
    batch: Range = EVERY
    #: Which of the matching batches fail, by their count from 1.
    nth: Range = EVERY
    #: The model that must be equal; None means any.
    model: str | None = None
    #: The endpoint that must be equal; None means any.
    endpoint: str | None = None
    #: The metadata that the batch must have among its own.
    metadata: dict[str, str] = {}

    def __post_init__(self) -> None:
        """Refuse a malformed range."""
        ranges.check(self.batch)
        ranges.check(self.nth)


class Messages(Rule):
    """The limits and the manners of Anthropic's message batches."""

    #: The most requests of one batch.
    most_requests: int = 100_000
    #: The most bytes of the body that creates a batch.
    most_bytes: int = 256 * 1024 * 1024
    #: The most requests of all running batches together; None means any number.
    queued_requests: int | None = None
    #: Whether results come in another order each time that they are read.
    reshuffled: bool = False


class Bedrock(msgspec.Struct, forbid_unknown_fields=True):
    """The limits and the manners of Amazon Bedrock's two kinds of batches."""

    #: The fewest records of one job.
    least_records: int = 100
    #: The most jobs of one model at once; None means any number.
    jobs_at_once: int | None = None
    #: The seconds by which the counts of a job are late.
    counts_lag: float = 0.0


class Scenario(msgspec.Struct, forbid_unknown_fields=True):
    """Every ordered failure and every limit of one emulator."""

    #: The number from which the order of output lines and each chance are made.
    seed: int = 0
    #: Whose habits the emulator has: other paths, words and lines.
    service: Literal["openai", "together", "mistral"] = "openai"
    #: The only key that is accepted from now on; None leaves the key as it is.
    api_key: str | None = None
    #: Failures of API calls; the first rule that fits acts.
    calls: list[CallRule] = []
    #: Failures of batches; the first rule that fits acts.
    batches: list[BatchRule] = []
    #: Failures of lines in every batch; the first rule that fits acts.
    lines: list[LineRule] = []
    #: What becomes of requests that ask for flex processing.
    flex: Flex = msgspec.field(default_factory=Flex)
    #: The limits and the manners of Anthropic's message batches.
    messages: Messages = msgspec.field(default_factory=Messages)
    #: The limits and the manners of Amazon Bedrock.
    bedrock: Bedrock = msgspec.field(default_factory=Bedrock)
    #: The only models that are known; None means any.
    models: list[str] | None = None
    #: The most prompt tokens of all running batches of a model; `*` stands for every other model.
    enqueued_token_limits: dict[str, int] = {}
    #: The most requests of all running jobs together, where a service counts those; None means any number.
    pending_requests: int | None = None
    creates_per_hour: int = 2000
    max_file_bytes: int = 209_715_200
    #: Whether a larger file is answered 413 and an HTML page, as by a gateway, in place of the API's 400.
    too_large_by_gateway: bool = False
    #: The time for which an uploaded file is `pending`, by the emulator's clock. A batch of it is refused until then.
    seconds_per_file: float = 0.0
    #: The status of an uploaded file after that time.
    file_status: str = "processed"
    #: Other words for the statuses of batches: {"completed": "SUCCESS"}.
    statuses: dict[str, str] = {}
    max_lines: int = 50_000
    #: Whether downloads follow the Range header.
    ranges: bool = False
    #: The whole life of a batch, by the emulator's clock.
    seconds_per_batch: float = 1.5
    #: The least size of a text answer.
    answer_bytes: int = 0
    #: The size of an embedding, unless the request names one.
    embedding_dimensions: int = 64


def parse(text: bytes) -> Scenario:
    """Read a scenario; raise msgspec.ValidationError, which names the wrong member."""
    return msgspec.json.decode(text, type=Scenario)
