"""What the tests of the services hold in their hands: a clock, a provider of memory, and the state machine played by hand."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import boto3
import msgspec

from batch_client import Batch, File, FileDeleted, HttpInfo, NotFoundError, RequestCounts
from batch_client import BatchError as ProviderBatchError
from batchyard.adapters.secrets_manager import Secret
from batchyard.domain.step import Step
from batchyard.planning.intake import intake
from batchyard.planning.plan import plan
from batchyard.results.assemble import assemble
from batchyard.shards.collect import collect
from batchyard.shards.poll import poll
from batchyard.shards.submit import submit
from tests.unit.batchyard.memory import is_it

if TYPE_CHECKING:
    from batchyard.lines.byte_ranges import ByteRanges
    from batchyard.services import Services
    from tests.integration.batchyard.roles import Roles

BUCKET, TABLE, BUS, SECRET, REGION = "yard-data", "yard-table", "yard-bus", "yard-secret", "us-east-1"
MACHINE = f"arn:aws:states:{REGION}:123456789012:stateMachine:batch"
MOST_STEPS: Final = 400
Request = dict[str, Any]
Ending = Callable[["Provider", Batch], Batch]


def request(custom_id: str, model: str = "m-1", url: str = "/v1/chat/completions", **body: Any) -> Request:
    members = {"model": model, "messages": [{"role": "user", "content": custom_id}], **body}
    return {"custom_id": custom_id, "method": "POST", "url": url, "body": members}


def jsonl(requests: list[Request]) -> bytes:
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in requests)


def good(custom_id: str) -> bytes:
    body = {"object": "chat.completion", "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}}
    answer = {"id": f"batch_req_{custom_id}", "custom_id": custom_id, "error": None}
    return json.dumps({**answer, "response": {"status_code": 200, "request_id": "r", "body": body}}).encode() + b"\n"


def bad(custom_id: str, status: int, code: str = "some_code") -> bytes:
    response = {"status_code": status, "request_id": "r", "body": {"error": {"code": code, "message": "no"}}}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": response, "error": None}).encode() + b"\n"


def unrun(custom_id: str, code: str = "batch_expired") -> bytes:
    error = {"code": code, "message": "not run"}
    return json.dumps({"id": "x", "custom_id": custom_id, "response": None, "error": error}).encode() + b"\n"


class Clock:
    """Unix seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now = 1_790_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Provider:
    """The Protocol `batchyard.services.Provider`, in memory; `endings` say how each batch ends, in the order of creation."""

    clock: Clock
    files: dict[str, bytes] = field(default_factory=dict)
    there: dict[str, File] = field(default_factory=dict)  # those of them that were not deleted
    batches: dict[str, Batch] = field(default_factory=dict)
    endings: list[Ending] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    before: list[Exception | None] = field(default_factory=list)
    polls_before_end: int = 1
    looked: dict[str, int] = field(default_factory=dict)
    one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    key: Secret | None = None  # is read for each call, so that whoever calls must be allowed to
    direct: list[str] = field(
        default_factory=list
    )  # what was asked of it at once: the custom_ids, which the prompts are

    def create_file(self, source: ByteRanges, filename: str) -> File:
        self._called("create_file")
        data = b"".join(source)
        assert len(data) == len(source)
        return self.add(data, filename)

    def add(self, data: bytes, filename: str = "answers.jsonl") -> File:
        file = File(id=f"file-{len(self.files)}", bytes=len(data), filename=filename, created_at=int(self.clock()))
        self.files[file.id], self.there[file.id] = data, file
        return file

    def create_batch(
        self, *, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]
    ) -> Batch:
        self._called("create_batch")
        return self.make(input_file_id, endpoint, completion_window, metadata)

    def make(self, input_file_id: str, endpoint: str, completion_window: str, metadata: dict[str, str]) -> Batch:
        batch = Batch(
            id=f"pb-{len(self.batches)}", status="validating", endpoint=endpoint, input_file_id=input_file_id,
            completion_window=completion_window, metadata=metadata, created_at=int(self.clock()),
        )  # fmt: skip
        self.batches[batch.id] = batch
        return batch

    def retrieve_batch(self, batch_id: str) -> Batch:
        self._called("retrieve_batch")
        batch = self.batches[batch_id]
        self.looked[batch_id] = self.looked.get(batch_id, 0) + 1
        if batch.status == "cancelling":
            return self.end(batch_id, cancelled())
        if not batch.ended and self.looked[batch_id] > self.polls_before_end:
            number = list(self.batches).index(batch_id)
            return self.end(batch_id, self.endings[number] if number < len(self.endings) else completed)
        return replace(batch, status=batch.status if batch.ended else "in_progress")

    def end(self, batch_id: str, ending: Ending) -> Batch:
        self.batches[batch_id] = ending(self, self.batches[batch_id])
        return self.batches[batch_id]

    def cancel_batch(self, batch_id: str) -> Batch:
        self._called("cancel_batch")
        if not self.batches[batch_id].ended:
            self.batches[batch_id] = replace(self.batches[batch_id], status="cancelling")
        return self.batches[batch_id]

    def find_batch(
        self, metadata_key: str, value: str, since: int, *, input_file_id: str | None = None, but: Container[str] = ()
    ) -> Batch | None:
        self._called("find_batch")
        given = since, metadata_key, value, input_file_id, but
        return next((batch for batch in reversed(self.batches.values()) if is_it(batch, *given)), None)

    def iter_batches(self, *, after: str | None) -> Iterator[Batch]:
        self._called("iter_batches")
        newest_first = list(reversed(self.batches))
        return iter([self.batches[each] for each in newest_first[newest_first.index(after) + 1 if after else 0 :]])

    def iter_files(self, *, purpose: str, after: str | None) -> Iterator[File]:
        self._called("iter_files")
        assert purpose == "batch"
        newest_first = [each for each in reversed(self.there) if self.there[each].filename != "answers.jsonl"]
        return iter([self.there[each] for each in newest_first[newest_first.index(after) + 1 if after else 0 :]])

    def delete_file(self, file_id: str) -> FileDeleted:
        self._called("delete_file")
        if self.there.pop(file_id, None) is None:
            raise NotFoundError("no such file", status=404)
        return FileDeleted(id=file_id)

    def download_file(self, file_id: str) -> Iterator[bytes]:
        self._called("download_file")
        if file_id not in self.there:
            raise NotFoundError("no such file", status=404)
        data = self.files[file_id]
        return iter([data[at : at + 1000] for at in range(0, len(data), 1000)])

    def send(self, url: str, body: bytes) -> HttpInfo[bytes]:
        assert url == "/v1/chat/completions"
        with self.one_at_a_time:  # several lines are under way at once
            self._called("send")
            self.direct.append(json.loads(body)["messages"][0]["content"])
        return HttpInfo(json.dumps(json.loads(good("any"))["response"]["body"], indent=2).encode(), 200, {})

    def custom_ids(self, batch: Batch) -> list[str]:
        return [
            json.loads(line)["custom_id"] for line in self.files[batch.input_file_id or ""].splitlines() if line.strip()
        ]

    def ledger(self) -> Iterator[tuple[str, str]]:
        """Yield what was paid: each custom_id and `2xx` for every answer the provider made."""
        for batch in self.batches.values():
            for line in self.files.get(batch.output_file_id or "", b"").splitlines():
                yield json.loads(line)["custom_id"], "2xx"
        for custom_id in self.direct:
            yield custom_id, "2xx"

    def _called(self, name: str) -> None:
        self.calls.append(name)
        if self.key is not None:
            self.key.forget()
            self.key()
        trouble = self.before.pop(0) if self.before else None
        if trouble is not None:
            raise trouble


def replace(batch: Batch, **changes: Any) -> Batch:
    return msgspec.structs.replace(batch, **changes)


def ended(provider: Provider, batch: Batch, status: str, output: list[bytes], errors: list[bytes]) -> Batch:
    total = len(provider.custom_ids(batch))
    return replace(
        batch, status=status,
        request_counts=RequestCounts(total=total, completed=len(output), failed=len(errors) if status == "completed" else 0),
        output_file_id=provider.add(b"".join(output)).id if output else None,
        error_file_id=provider.add(b"".join(errors)).id if errors else None,
    )  # fmt: skip


def completed(provider: Provider, batch: Batch) -> Batch:
    """Answer every request, last first, as order is not promised."""
    return ended(provider, batch, "completed", [good(each) for each in reversed(provider.custom_ids(batch))], [])


def answering(answer: Callable[[str], bytes | None], status: str = "completed") -> Ending:
    """End with what `answer` makes of each custom_id: bytes of a good line, another line, or nothing."""

    def ending(provider: Provider, batch: Batch) -> Batch:
        lines = [line for each in provider.custom_ids(batch) if (line := answer(each))]
        output = [line for line in lines if b'"status_code": 200' in line]
        return ended(provider, batch, status, output, [line for line in lines if line not in output])

    return ending


def cancelled() -> Ending:
    return answering(lambda custom_id: unrun(custom_id, "batch_cancelled"), "cancelled")


def failed(*errors: ProviderBatchError) -> Ending:
    return lambda _, batch: replace(batch, status="failed", errors=errors, request_counts=RequestCounts(0, 0, 0))


@dataclass
class World:
    services: Services
    provider: Provider
    clock: Clock
    roles: Roles
    invoked: list[Any] = field(default_factory=list)  # the payloads of functions that were called and not waited for

    def __post_init__(self) -> None:
        assert boto3.DEFAULT_SESSION is not None
        boto3.DEFAULT_SESSION.events.register("before-call.lambda.Invoke", self._invoke)
        self.provider.key = Secret(self.services.settings.provider_secret_id)

    def _invoke(self, params: Any, **_: Any) -> Any:
        """Stand where Lambda stands, which takes an asynchronous invocation in."""
        self.invoked.append(json.loads(params["body"]))
        return SimpleNamespace(status_code=HTTPStatus.ACCEPTED, headers={}), {"StatusCode": HTTPStatus.ACCEPTED}

    def drop(self, data: bytes, key: str = "inbox/default/in.jsonl", **metadata: str) -> str:
        boto3.client("s3").put_object(Bucket=BUCKET, Key=key, Body=data, Metadata=metadata)
        batch_id = intake(self.services, BUCKET, key)
        assert batch_id is not None
        return batch_id

    def run(self, batch_id: str) -> str:
        """Play the state machine to its end and answer the last `next`."""
        planned = plan(self.services, batch_id)
        if planned.next == "run":
            for number in range(planned.last_shard + 1):
                self.run_shard(Step(batch_id, number))
        elif planned.next != "assemble":
            return planned.next
        return assemble(self.services, batch_id)

    def run_until_submitted(self, batch_id: str) -> None:
        """Play the state machine up to where every shard has its provider batch."""
        for each in json.loads(self.read(plan(self.services, batch_id).shards["key"])):
            assert submit(self.services, Step(batch_id, each["shard"])).next == "poll"

    def run_shard(self, step: Step) -> None:
        """Play a shard to its end, in as many executions as it takes."""
        for _ in range(MOST_STEPS):
            if step.next == "done":
                return
            step = Step(step.batch_id, step.shard) if step.next == "continue" else step
            self.clock.now += step.wait_seconds
            step = self.step(step)
        raise AssertionError(f"{step} after {MOST_STEPS} steps")

    def step(self, step: Step) -> Step:
        doors = {"submit": submit, "poll": poll, "collect": collect}
        return doors[step.next](self.services, step)

    def read(self, key: str) -> bytes:
        return boto3.client("s3").get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def result(self, batch_id: str, name: str) -> bytes:
        return self.read(f"results/default/{batch_id}/{name}")

    def answered(self, batch_id: str, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.result(batch_id, name).splitlines()]
