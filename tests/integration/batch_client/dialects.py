"""The dialects there are, each as `test_dialects` needs it. A further dialect is one more entry.

What a test orders is said by the dialect's own verb; `operations` tells which call of the emulator that is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from batch_client import (
    AnthropicDialect,
    BatchClient,
    BedrockDialect,
    BedrockOpenAIDialect,
    Dialect,
    MistralDialect,
    OpenAIDialect,
    RetryPolicy,
)
from batchyard.providers.objects import BucketFolder
from tests.fakes.objects import ROLE
from tests.fakes.s3_server import S3Server
from tests.integration.local.emulator.running import CHAT, chat_line

Line = dict[str, Any]
SOON: Final = RetryPolicy(floor=0.01, ceiling=0.02)


@dataclass(frozen=True)
class Entry:
    """One dialect, and what its emulator does to it. A scenario is that of the emulator."""

    name: str
    #: Speaks it to an emulator, with a key; to the bucket, where the service reads and writes one by itself.
    speak: Callable[[str, str, S3Server], Dialect]
    #: Makes the line of a custom_id.
    line: Callable[[str], Line]
    endpoint: str
    #: The calls of the emulator, by verb: submit, look, stop, find, read; `prepare` and `forget` where there are inputs.
    operations: Mapping[str, str]
    #: What orders that a job is shown under a word that nobody knows, and the word.
    odd: dict[str, Any]
    odd_word: str
    #: What orders that there is no room for a job of ten lines.
    full: dict[str, Any]
    #: What orders that the account has no money.
    broke: dict[str, Any]
    #: Whether the service shows key and labels of a job, and names of inputs.
    keeps_labels: bool = True
    #: Whether a lost create can be looked up; else `find` must say that it cannot tell.
    finds: bool = True
    #: Whether a list that does not show a job proves that it was not made; else `find` must say that it cannot tell.
    denies: bool = True
    #: Whether inputs and results lie in that bucket; then to prepare, to read and to forget are no calls of the emulator.
    in_bucket: bool = False
    #: What every scenario of its emulator begins with.
    scenario: Mapping[str, Any] = field(default_factory=dict)
    #: The status of a line that fails for a fault of its own; None if results do not tell it.
    bad_status: int | None = 400
    #: What follows where there is no room: a service without a word for it is asked again.
    when_full: str = "reuse"
    #: When a job may be stopped and its results name each line that did not run.
    tells_the_rest: tuple[str, ...] = ()
    #: Whether only the results of a job that has ended tell whose it is; until then `find` must say that it cannot tell.
    finds_at_end: bool = False
    #: Whether the service knows lines by their custom_ids; else rules of a scenario count lines from 1.
    names_lines: bool = True
    #: What makes a line fail for a fault of its own, with 400.
    bad_line: dict[str, Any] = field(default_factory=lambda: {"status": 400, "code": "bad"})


def openai(url: str, key: str, _: S3Server) -> Dialect:
    return OpenAIDialect(BatchClient(key, url, retry=SOON), "yard_attempt")


def together(url: str, key: str, _: S3Server) -> Dialect:
    return OpenAIDialect(BatchClient(key, url, retry=SOON, profile="together"), "yard_attempt")


def mistral(url: str, key: str, _: S3Server) -> Dialect:
    return MistralDialect(BatchClient(key, url, retry=SOON, profile="mistral"), "yard_attempt")


OF_OPENAI: Final = {
    "prepare": "createFile", "submit": "createBatch", "look": "retrieveBatch", "stop": "cancelBatch",
    "find": "listBatches", "read": "downloadFile", "forget": "deleteFile",
}  # fmt: skip
OF_MISTRAL: Final = {
    **OF_OPENAI, "submit": "createBatchJob", "look": "retrieveBatchJob", "stop": "cancelBatchJob", "find": "listBatchJobs",
}  # fmt: skip


def anthropic(url: str, key: str, _: S3Server) -> Dialect:
    return AnthropicDialect(BatchClient(key, url, profile="anthropic", retry=SOON))


def message_line(custom_id: str) -> Line:
    messages = [{"role": "user", "content": f"Say {custom_id}"}]
    body = {"model": "claude-haiku-4-5", "max_tokens": 64, "messages": messages}
    return {"custom_id": custom_id, "method": "POST", "url": "/v1/messages", "body": body}


def bedrock(url: str, key: str, s3: S3Server) -> Dialect:
    client = BatchClient(key, url.removesuffix("/v1"), profile="bedrock-key", retry=SOON)
    return BedrockDialect(client, "", BucketFolder(lambda: s3.bucket, "providers/bedrock/", ROLE))


def nova_line(custom_id: str) -> Line:
    body = {"messages": [{"role": "user", "content": [{"text": f"Say {custom_id}"}]}]}
    return {"custom_id": custom_id, "method": "POST", "url": NOVA, "body": body}


def bedrock_openai(url: str, key: str, s3: S3Server) -> Dialect:
    client = BatchClient(key, url.removesuffix("/v1"), profile="bedrock-openai-key", retry=SOON)
    return BedrockOpenAIDialect(client, "yard_attempt", BucketFolder(lambda: s3.bucket, "providers/openai/", ROLE))


NOVA: Final = "/model/amazon.nova-lite-v1:0/converse"
ANY_NUMBER: Final = {"least_records": 1}
NO_PAYMENT: Final = {"status": 403, "error": {"message": "Model access is denied due to INVALID_PAYMENT_INSTRUMENT"}}
LOW_CREDIT: Final = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
DIALECTS: Final = [
    Entry(
        name="openai",
        tells_the_rest=("while it runs",),
        speak=openai,
        line=chat_line,
        endpoint=CHAT,
        operations=OF_OPENAI,
        odd={"statuses": {"in_progress": "HIBERNATING", "completed": "HIBERNATING"}},
        odd_word="hibernating",
        full={"enqueued_token_limits": {"*": 1}},
        broke={"batches": [{"do": {"fail": "billing_hard_limit_reached"}}]},
    ),
    Entry(
        name="together",
        when_full="retry",
        speak=together,
        line=chat_line,
        endpoint=CHAT,
        operations=OF_OPENAI,
        odd={"statuses": {"in_progress": "HIBERNATING", "completed": "HIBERNATING"}},
        odd_word="hibernating",
        full={"enqueued_token_limits": {"*": 1}},
        broke={"calls": [{"operation": "createBatch", "do": {"status": 402}}]},
        keeps_labels=False,
        denies=False,
        scenario={"service": "together"},
        bad_status=None,
    ),
    Entry(
        name="mistral",
        speak=mistral,
        line=chat_line,
        endpoint=CHAT,
        operations=OF_MISTRAL,
        odd={"statuses": {"in_progress": "HIBERNATING", "completed": "HIBERNATING"}},
        odd_word="hibernating",
        full={"pending_requests": 9},
        broke={"calls": [{"operation": "createBatchJob", "do": {"status": 402}}]},
        scenario={"service": "mistral"},
    ),
    Entry(
        name="anthropic",
        tells_the_rest=("before it runs", "while it runs"),
        speak=anthropic,
        line=message_line,
        endpoint="/v1/messages",
        operations={
            "submit": "createMessageBatch", "look": "retrieveMessageBatch", "stop": "cancelMessageBatch",
            "find": "listMessageBatches", "read": "retrieveMessageBatchResults", "forget": "deleteMessageBatch",
        },
        odd={"statuses": {"in_progress": "hibernating", "ended": "hibernating"}},
        odd_word="hibernating",
        full={"messages": {"queued_requests": 1}},
        broke={"lines": [{"do": {"status": 400, "message": LOW_CREDIT}}]},
        keeps_labels=False,
        finds_at_end=True,
        names_lines=False,
        bad_line={"status": 400},
    ),
    Entry(
        name="bedrock",
        speak=bedrock,
        line=nova_line,
        endpoint=NOVA,
        operations={
            "submit": "createModelInvocationJob", "look": "getModelInvocationJob", "stop": "stopModelInvocationJob",
            "find": "listModelInvocationJobs",
        },
        odd={"statuses": {"InProgress": "Hibernating", "Completed": "Hibernating"}},
        odd_word="Hibernating",
        full={"bedrock": {**ANY_NUMBER, "jobs_at_once": 0}},
        broke={"calls": [{"operation": "createModelInvocationJob", "do": NO_PAYMENT}]},
        scenario={"bedrock": ANY_NUMBER},
        names_lines=False,
        bad_line={"status": 400},
        in_bucket=True,
    ),
    Entry(
        name="bedrock-openai",
        speak=bedrock_openai,
        line=chat_line,
        endpoint=CHAT,
        operations={
            verb: call for verb, call in OF_OPENAI.items() if verb in {"submit", "look", "stop", "find"}
        },
        odd={"statuses": {"in_progress": "HIBERNATING", "completed": "HIBERNATING"}},
        odd_word="hibernating",
        full={"bedrock": {**ANY_NUMBER, "jobs_at_once": 0}},
        broke={"calls": [{"operation": "createBatch", "do": NO_PAYMENT}]},
        scenario={"bedrock": ANY_NUMBER},
        tells_the_rest=("while it runs",),
        in_bucket=True,
    ),
]  # fmt: skip
